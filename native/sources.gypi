{"variables": {"native_sources": [
  "native/cpu/isa.cc",
  "native/kernels/reference.cc",
  "native/kernels/registry.cc",
  "native/kernels/stem/reference.cc",
  "native/kernels/inverted_residual/reference.cc",
  "native/kernels/pointwise/reference.cc",
  "native/kernels/pool/reference.cc",
  "native/kernels/classifier/reference.cc",
  "native/kernels/softmax/reference.cc"
]}}

{"variables": {"native_sources": [
  "native/cpu/isa.cc"
]}}

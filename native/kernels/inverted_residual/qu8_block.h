// The fused inverted residual block, strip by strip: expand into row pairs of a line buffer, depthwise into an A tile,
// project from there into the output, add the input. Include inside a target region; V is the vector type of
// simd/x86_qu8_*.h.
#pragma once

#include "kernels/inverted_residual/qu8_expand.h"
#include "kernels/inverted_residual/qu8_residual.h"
#include "kernels/simd/qu8_depthwise.h"

namespace mobilenetv2::qu8 {

template <class V>
class Block {
 public:
  static bool supports(const Op& op) {
    return op.depthwise.kernel == 3 && (!op.has_expand || op.expand.kernel == 1) && op.project.kernel == 1;
  }

  static size_t packed_bytes(const Op& op) {
    const Packed p(op);
    return p.residual + (op.residual.present ? sizeof(ResidualPacked) : 0);
  }

  static void pack(const Op& op, uint8_t* packed) {
    const Packed p(op);
    if (op.has_expand) ProductPacking<V, Plain>(op.expand, plain_k(op.expand.in_channels), expand_source(op)).pack(packed);
    DepthwisePacking<V>(op.depthwise).pack(packed + p.depthwise);
    ProductPacking<V, Plain>(op.project, project_k(op), project_source(op)).pack(packed + p.project);
    if (op.residual.present) pack_residual<V>(op.residual, reinterpret_cast<ResidualPacked*>(packed + p.residual));
    *reinterpret_cast<Header*>(packed) = {};
  }
};

}  // namespace mobilenetv2::qu8

// Fully connected layer for any vector ISA: a matrix product of one pixel. Include inside S's target region.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common.h"
#include "kernels/kernels.h"
#include "kernels/simd/f32_gemm.h"

namespace mobilenetv2 {

template <class S>
struct F32Dense {
  using Gemm = F32Gemm<S>;
  static constexpr int32_t kLanes = S::Vec::kLanes;

  static size_t packed_bytes(const Op& op) {
    return Gemm::packed_floats(op.dense.conv.in_channels, op.dense.conv.out_channels) * sizeof(float);
  }

  static void pack(const Op& op, uint8_t* packed) {
    const Conv& c = op.dense.conv;
    Gemm::pack(c, c.in_channels, reinterpret_cast<float*>(packed));
  }

  static StageFacts facts(const Op&, const StageShape&) { return {}; }

  static void run(StageArgs& args, int32_t, int32_t) {
    const Conv& conv = args.op->dense.conv;
    auto* out = reinterpret_cast<float*>(args.output.row(0));
    GemmTile t;
    t.a = reinterpret_cast<const float*>(args.input.row(0));
    t.group = t.depth = conv.in_channels;
    t.out = &out;
    t.vector_stride = kLanes;
    t.lo = conv.min_f32, t.hi = conv.max_f32;
    Gemm::template all_panels<kLanes>(t, reinterpret_cast<const float*>(args.packed), conv.out_channels, 1);
  }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::dense, Dtype::f32, isa, nullptr, packed_bytes, pack, facts, run};
  }
};

}  // namespace mobilenetv2

// Fully connected layer for any vector ISA: a matrix product of one pixel. Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/common.h"
#include "kernels/kernels.h"
#include "kernels/simd/f32_gemm.h"
#include "kernels/simd/share.h"

namespace mobilenetv2 {

template <class S>
struct F32Dense {
  using Gemm = F32Gemm<S>;
  using Vec = typename S::Vec;
  using Reg = typename Vec::Reg;
  static constexpr int32_t kLanes = Vec::kLanes;

  static size_t packed_bytes(const Op& op) {
    return Gemm::packed_floats(op.dense.conv.in_channels, op.dense.conv.out_channels) * sizeof(float);
  }

  static void pack(const Op& op, uint8_t* packed) {
    const Conv& c = op.dense.conv;
    Gemm::pack(c, c.in_channels, reinterpret_cast<float*>(packed));
  }

  static StageFacts facts(const Op&, const StageShape&) { return {}; }

  static void run(StageArgs& args, int32_t, int32_t) { run_slice(args, 0, 0, 1); }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::dense, Dtype::f32, isa, nullptr, packed_bytes, pack, facts, run, &kSliced};
  }

 private:
  static constexpr int kStreams = 4;

  static size_t sliced_scratch(const Op&, const StageShape&, int32_t) { return 0; }

  // Some of the panels. A last one that is not whole counts like the others.
  static void run_slice(const StageArgs& args, int32_t, int32_t slice, int32_t slices) {
    const Conv& conv = args.op->dense.conv;
    const int32_t whole = conv.out_channels / Gemm::kPanel, partial = conv.out_channels % Gemm::kPanel;
    const Share share(whole + (partial != 0), slice, slices);
    auto* out = reinterpret_cast<float*>(args.output.row(0)) + share.begin * Gemm::kPanel;
    const auto* packed = reinterpret_cast<const float*>(args.packed) +
                         static_cast<size_t>(conv.in_channels + 1) * share.begin * Gemm::kPanel;
    GemmTile t;
    t.a = reinterpret_cast<const float*>(args.input.row(0));
    t.group = t.depth = conv.in_channels;
    t.out = &out;
    t.vector_stride = kLanes;
    t.lo = conv.min_f32, t.hi = conv.max_f32;
    int32_t panels = std::min(share.end, whole) - share.begin;
    for (; panels >= kStreams; panels -= kStreams) side_by_side<kStreams>(t, packed, out);
    if (panels == 3) side_by_side<3>(t, packed, out);
    if (panels == 2) side_by_side<2>(t, packed, out);
    if (panels == 1) side_by_side<1>(t, packed, out);
    if (share.end > whole) Gemm::template all_panels<kLanes>(t, packed, partial, 0, 1);
  }

  static constexpr SlicedRun kSliced{1, sliced_scratch, run_slice};

  // kPanels whole panels at once, past which packed and out are moved. The weights, megabytes that are read once, come
  // at the memory's speed, and a core gets twice as much of it from four places at once as from one (Zen 4).
  template <int kPanels>
  static void side_by_side(const GemmTile& t, const float*& packed, float*& out) {
    constexpr int32_t kPanel = Gemm::kPanel, kAhead = 512;
    const size_t stride = static_cast<size_t>(t.depth + 1) * kPanel;
    Reg sum[kPanels][2];
    const float* w = packed;
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      sum[p][0] = Vec::load(w + p * stride);
      sum[p][1] = Vec::load(w + p * stride + kLanes);
    }
    for (int32_t d = 0; d < t.depth; ++d) {
      w += kPanel;
      const Reg x = Vec::broadcast(t.a[d]);
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        Vec::prefetch(w + p * stride + kAhead);
        if constexpr (kPanel * sizeof(float) > 64) Vec::prefetch(w + p * stride + kAhead + kLanes);
        sum[p][0] = Vec::fma(x, Vec::load(w + p * stride), sum[p][0]);
        sum[p][1] = Vec::fma(x, Vec::load(w + p * stride + kLanes), sum[p][1]);
      }
    }
    const Reg lo = Vec::broadcast(t.lo), hi = Vec::broadcast(t.hi);
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      Vec::store(out + p * kPanel, Vec::min(Vec::max(sum[p][0], lo), hi));
      Vec::store(out + p * kPanel + kLanes, Vec::min(Vec::max(sum[p][1], lo), hi));
    }
    packed += kPanels * stride;
    out += kPanels * kPanel;
  }
};

}  // namespace mobilenetv2

// 1x1 convolution for any vector ISA (the last one before the pool). Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/common.h"
#include "kernels/kernels.h"
#include "kernels/simd/f32_gemm.h"
#include "kernels/simd/f32_pixels.h"

namespace mobilenetv2 {

template <class S>
struct F32Pointwise {
  using Gemm = F32Gemm<S>;
  using Pixels = F32Pixels<S>;
  static constexpr int32_t kLanes = S::Vec::kLanes;
  // Weights are read once per strip and outgrow the second-level cache, so a small map is one strip.
  static constexpr int32_t kStripPixels = 64;

  static bool supports(const Op& op) { return op.conv.kernel == 1 && op.conv.stride == 1; }

  static size_t packed_bytes(const Op& op) {
    return Gemm::packed_floats(op.conv.in_channels, op.conv.out_channels) * sizeof(float);
  }

  static void pack(const Op& op, uint8_t* packed) {
    const Conv& c = op.conv;
    Gemm::pack(c, c.in_channels, reinterpret_cast<float*>(packed));
  }

  static StageFacts facts(const Op&, const StageShape& s) {
    const Layout l = layout(s);
    return {l.bytes, l.strip_rows};
  }

  static void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
    const Layout l = layout(args.shape);
    for (int32_t y = row_begin; y < row_end; y += l.strip_rows) {
      strip(args, l, y, std::min(y + l.strip_rows, row_end));
    }
  }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::pointwise, Dtype::f32, isa, supports, packed_bytes, pack, facts, run, &kSliced};
  }

 private:
  struct Layout {
    int32_t strip_rows;
    size_t pixels, bytes;
  };

  // Scratch: the strip's input, packed, and the addresses of its output pixels.
  static Layout layout(const StageShape& s) {
    return layout(s, std::clamp(kStripPixels / s.out_width, 1, s.out_height));
  }

  static Layout layout(const StageShape& s, int32_t strip_rows) {
    Layout l{};
    l.strip_rows = strip_rows;
    const size_t pixels = static_cast<size_t>(l.strip_rows) * s.out_width;
    l.pixels = align_up(Pixels::packed_floats(pixels, s.in_channels) * sizeof(float));
    l.bytes = l.pixels + align_up(pixels * sizeof(float*));
    return l;
  }

  // What a strip's matrix product reads and writes, both in scratch.
  static GemmTile prepare(const StageArgs& args, const Layout& l, uint8_t* scratch, int32_t row_begin,
                          int32_t row_end) {
    const Conv& conv = args.op->conv;
    const StageShape& s = args.shape;
    auto* packed_input = reinterpret_cast<float*>(scratch);
    auto** out = reinterpret_cast<float**>(scratch + l.pixels);
    Pixels::pack(args.input, row_begin, row_end, s.in_width, s.in_channels, packed_input);
    Pixels::list(args.output, row_begin, row_end, s.out_width, s.out_channels, out);
    GemmTile t;
    t.a = packed_input;
    t.group = kLanes;
    t.group_stride = static_cast<size_t>(row_end - row_begin) * s.out_width * kLanes;
    t.depth = conv.in_channels;
    t.out = out;
    t.vector_stride = kLanes;
    t.defer_stores = args.halved_vectors;
    t.lo = conv.min_f32, t.hi = conv.max_f32;
    return t;
  }

  static void strip(const StageArgs& args, const Layout& l, int32_t row_begin, int32_t row_end) {
    GemmTile t = prepare(args, l, args.scratch, row_begin, row_end);
    Gemm::template all_panels<kLanes>(t, reinterpret_cast<const float*>(args.packed), args.op->conv.out_channels, 0,
                                      (row_end - row_begin) * args.shape.out_width);
  }

  // Each slice packs the whole input for itself, which saves a phase that would do it.
  static size_t sliced_scratch(const Op&, const StageShape& s, int32_t slices) {
    return layout(s, s.out_height).bytes * static_cast<size_t>(slices);
  }

  static void run_slice(const StageArgs& args, int32_t, int32_t slice, int32_t slices) {
    const StageShape& s = args.shape;
    const Layout l = layout(s, s.out_height);
    GemmTile t = prepare(args, l, args.scratch + l.bytes * static_cast<size_t>(slice), 0, s.out_height);
    Gemm::template slice_of_panels<kLanes>(t, reinterpret_cast<const float*>(args.packed), s.out_channels,
                                           s.out_height * s.out_width, slice, slices);
  }

  static constexpr SlicedRun kSliced{1, sliced_scratch, run_slice};
};

}  // namespace mobilenetv2

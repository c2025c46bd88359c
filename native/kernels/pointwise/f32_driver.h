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
    return {name, OpKind::pointwise, Dtype::f32, isa, supports, packed_bytes, pack, facts, run};
  }

 private:
  struct Layout {
    int32_t strip_rows;
    size_t pixels, bytes;
  };

  // Scratch: the strip's input, packed, and the addresses of its output pixels.
  static Layout layout(const StageShape& s) {
    Layout l{};
    l.strip_rows = std::clamp(kStripPixels / s.out_width, 1, s.out_height);
    const size_t pixels = static_cast<size_t>(l.strip_rows) * s.out_width;
    l.pixels = align_up(Pixels::packed_floats(pixels, s.in_channels) * sizeof(float));
    l.bytes = l.pixels + align_up(pixels * sizeof(float*));
    return l;
  }

  static void strip(const StageArgs& args, const Layout& l, int32_t row_begin, int32_t row_end) {
    const Conv& conv = args.op->conv;
    const StageShape& s = args.shape;
    auto* packed_input = reinterpret_cast<float*>(args.scratch);
    auto** out = reinterpret_cast<float**>(args.scratch + l.pixels);
    const int32_t pixels = (row_end - row_begin) * s.out_width;
    Pixels::pack(args.input, row_begin, row_end, s.in_width, s.in_channels, packed_input);
    Pixels::list(args.output, row_begin, row_end, s.out_width, s.out_channels, out);
    GemmTile t;
    t.a = packed_input;
    t.group = kLanes;
    t.group_stride = static_cast<size_t>(pixels) * kLanes;
    t.depth = conv.in_channels;
    t.out = out;
    t.vector_stride = kLanes;
    t.lo = conv.min_f32, t.hi = conv.max_f32;
    Gemm::template all_panels<kLanes>(t, reinterpret_cast<const float*>(args.packed), conv.out_channels, pixels);
  }
};

}  // namespace mobilenetv2

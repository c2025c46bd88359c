// The first convolution for any vector ISA: 3x3 at stride 2 on 3 channels, as a matrix product of depth 27 that reads
// the image in place of an im2col copy. Include inside S's target region.
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
struct F32Stem {
  using Gemm = F32Gemm<S>;
  using Vec = typename S::Vec;
  static constexpr int32_t kChannels = 3, kStride = 2, kTaps = 3;
  static constexpr int32_t kStripRows = 2;  // few, for a small scratch; more would not be faster

  static bool supports(const Op& op) {
    return op.conv.in_channels == kChannels && op.conv.kernel == kTaps && op.conv.stride == kStride;
  }

  static size_t packed_bytes(const Op& op) {
    return Gemm::packed_floats(kTaps * kTaps * kChannels, op.conv.out_channels) * sizeof(float);
  }

  static void pack(const Op& op, uint8_t* packed) {
    const Conv& c = op.conv;
    Gemm::pack(c, kTaps * kTaps * kChannels, reinterpret_cast<float*>(packed));
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
    return {name, OpKind::stem, Dtype::f32, isa, supports, packed_bytes, pack, facts, run};
  }

 private:
  // Scratch: the strip's input rows with their padding, then the addresses of the output pixels.
  struct Layout {
    int32_t strip_rows, in_rows, width;  // width in floats
    size_t pixels, bytes;
  };

  static Layout layout(const StageShape& s) {
    Layout l{};
    l.strip_rows = std::min(kStripRows, s.out_height);
    l.in_rows = (l.strip_rows - 1) * kStride + kTaps;
    l.width = kChannels * std::max(s.pad_left + s.in_width, (s.out_width - 1) * kStride + kTaps);
    l.pixels = align_up(static_cast<size_t>(l.in_rows) * l.width * sizeof(float));
    l.bytes = l.pixels + align_up(static_cast<size_t>(l.strip_rows) * s.out_width * sizeof(float*));
    return l;
  }

  static void strip(const StageArgs& args, const Layout& l, int32_t row_begin, int32_t row_end) {
    const Conv& conv = args.op->conv;
    const StageShape& s = args.shape;
    auto* image = reinterpret_cast<float*>(args.scratch);
    auto** pixels = reinterpret_cast<float**>(args.scratch + l.pixels);
    const int32_t first = row_begin * kStride - s.pad_top;
    const int32_t in_rows = (row_end - row_begin - 1) * kStride + kTaps;
    const int32_t in_place = first >= 0 && first + in_rows <= s.in_height ? in_place_pixels(args.input, s) : 0;
    for (int32_t i = 0; i < in_rows; ++i) {
      copy_row(args, first + i, in_place * kStride, l.width, image + static_cast<size_t>(i) * l.width);
    }
    F32Pixels<S>::list(args.output, row_begin, row_end, s.out_width, s.out_channels, pixels);

    GemmTile t;
    t.depth = kTaps * kTaps * kChannels;
    t.group = kTaps * kChannels;  // the taps of one row are neighbours in memory
    t.vector_stride = Vec::kLanes;
    t.defer_stores = args.halved_vectors;
    t.lo = conv.min_f32, t.hi = conv.max_f32;
    for (int32_t y = row_begin; y < row_end; ++y) {
      const auto* packed = reinterpret_cast<const float*>(args.packed);
      t.out = pixels + static_cast<size_t>(y - row_begin) * s.out_width;
      // This row's share of the next strip's input: unlike the weights, the image comes from afar.
      const int32_t next = first + in_rows + (y - row_begin) * kStride;
      if (next >= 0 && next < s.in_height) t.prefetch = reinterpret_cast<const float*>(args.input.row(next));
      t.prefetch_floats = kStride * s.in_width * kChannels;
      if (in_place > 0) {
        t.a = reinterpret_cast<const float*>(args.input.row(y * kStride - s.pad_top));
        t.group_stride = args.input.row_bytes / sizeof(float);
        Gemm::template all_panels<kStride * kChannels>(t, packed, s.out_channels, 0, in_place);
      }
      t.a = image + static_cast<size_t>(y - row_begin) * kStride * l.width;
      t.group_stride = l.width;
      Gemm::template all_panels<kStride * kChannels>(t, packed, s.out_channels, in_place, s.out_width);
    }
  }

  // The first pixels of a row, whose taps lie in the image and that fill tiles: these need no copy of the image, if it
  // is there whole.
  static int32_t in_place_pixels(const Rows& input, const StageShape& s) {
    if (s.pad_left > 0 || s.in_width < kTaps || input.capacity < s.in_height) return 0;
    return Gemm::whole_tile_pixels(std::min((s.in_width - kTaps) / kStride + 1, s.out_width));
  }

  // Row y of the image from a column on, zeros around it.
  static void copy_row(const StageArgs& args, int32_t y, int32_t from, int32_t width, float* out) {
    const StageShape& s = args.shape;
    const bool inside = y >= 0 && y < s.in_height;
    const int32_t begin = from * kChannels;  // beyond the padding on the left, or 0
    const int32_t left = inside ? std::max(s.pad_left * kChannels - begin, 0) : width - begin;
    const int32_t used = inside ? s.in_width * kChannels - begin : 0;
    out += begin;
    fill_zero(out, left);
    if (inside) copy(reinterpret_cast<const float*>(args.input.row(y)) + begin, used, out + left);
    fill_zero(out + left + used, width - begin - left - used);
  }

  static void fill_zero(float* out, int32_t count) {
    for (int32_t i = 0; i < count; i += Vec::kLanes) Vec::store_first(out + i, Vec::zero(), count - i);
  }

  static void copy(const float* in, int32_t count, float* out) {
    for (int32_t i = 0; i < count; i += Vec::kLanes) {
      Vec::store_first(out + i, Vec::load_first(in + i, count - i), count - i);
    }
  }
};

}  // namespace mobilenetv2

// The fused float block for any vector ISA. Include inside S's target region.
//
// Output rows are made in strips. Per panel of expanded channels: the strip's new input rows are expanded into the line
// buffer, and depthwise makes the strip's pixels of those channels while the rows are in the first-level cache. When
// all panels are done, the strip is projected from full depth, so that no partial sum leaves the registers (in the
// smallest maps, from two halves: half_of_depth).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/common.h"
#include "kernels/kernels.h"
#include "kernels/simd/f32_depthwise.h"
#include "kernels/simd/f32_gemm.h"
#include "kernels/simd/f32_pixels.h"
#include "kernels/simd/share.h"

namespace mobilenetv2 {

template <class S>
struct F32InvertedResidual {
  using Gemm = F32Gemm<S>;
  using Depthwise = F32Depthwise<S>;
  using Pixels = F32Pixels<S>;
  static constexpr int32_t kLanes = S::Vec::kLanes;
  static constexpr int32_t kPanel = Gemm::kPanel;
  template <int kStride>
  using Kernel3x3 = typename Depthwise::template Kernel3x3<kStride>;
  static constexpr int kOut = S::kDepthwiseRows;
  template <int kStride, int kRows>
  using PaddedColumns = typename Depthwise::template PaddedColumns<Depthwise::template kInRows<kStride, kRows>>;

  static bool supports(const Op& op) {
    const int32_t stride = op.depthwise.stride;
    return op.depthwise.kernel == 3 && (stride == 1 || stride == 2) && op.project.kernel == 1 &&
           (!op.has_expand || op.expand.kernel == 1);
  }

  // Packed in the order of use: per panel its expand weights and its vectors' depthwise weights, then all of project.
  static size_t packed_bytes(const Op& op) {
    return (project_offset(op) + Gemm::packed_floats(op.project.in_channels, op.project.out_channels)) * sizeof(float);
  }

  static void pack(const Op& op, uint8_t* packed) {
    auto* out = reinterpret_cast<float*>(packed);
    for (int32_t c = 0; c < op.depthwise.out_channels; c += kPanel) {
      if (op.has_expand) out = Gemm::pack_panel(op.expand, op.expand.in_channels, c, out);
      const int32_t end = std::min(c + kPanel, op.depthwise.out_channels);
      for (int32_t v = c; v < end; v += kLanes) out = Depthwise::pack(op.depthwise, v, out);
    }
    Gemm::pack(op.project, op.project.in_channels, out);
  }

  static StageFacts facts(const Op& op, const StageShape& s) {
    const Layout l = layout(op, s);
    return {l.bytes, l.strip_rows};
  }

  static void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
    const Layout l = layout(*args.op, args.shape);
    for (int32_t y = row_begin; y < row_end; y += l.strip_rows) {
      strip(args, l, Band{}, y, std::min(y + l.strip_rows, row_end));
    }
  }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::inverted_residual, Dtype::f32, isa, supports, packed_bytes, pack, facts, run};
  }

 protected:
  // Floats before the project weights.
  static size_t project_offset(const Op& op) {
    const int32_t wide = op.depthwise.out_channels;
    const size_t vectors = static_cast<size_t>((wide + kLanes - 1) / kLanes);
    return (op.has_expand ? Gemm::packed_floats(op.expand.in_channels, wide) : 0) + vectors * Depthwise::kPacked;
  }

  // Scratch: byte offsets, and the geometry of the line buffer.
  struct Layout {
    int32_t strip_rows;
    int32_t planes;           // vectors of expanded channels
    int32_t buffered;         // planes the line buffer holds
    int32_t capacity, width;  // of one plane: padded rows, padded columns
    size_t plane;             // floats of one plane of the line buffer
    size_t line, depthwise, rows, pixels, bytes;
  };

  // Pixels of one vector lie in the image as tiles want them, so that rows are expanded in place.
  static bool in_place(const StageShape& s) { return s.in_channels == kLanes; }

  // Of `pixels` of the input, packed.
  static size_t narrow_bytes(size_t pixels, const StageShape& s) {
    return in_place(s) ? 0 : align_up(Pixels::packed_floats(pixels, s.in_channels) * sizeof(float));
  }

  // Strips of at least this many output pixels keep the tiles full. Where the map is hardly larger, it is one strip:
  // then the weights, which outgrow the second-level cache there, are read once and the line buffer holds one panel.
  static constexpr int32_t kStripPixels = 28, kWholePixels = 64;

  static bool one_strip(const StageShape& s) { return s.out_height * s.out_width <= kWholePixels; }

  // Panels of expanded channels that a slice does.
  static Share panels_of(const Op& op, int32_t slice, int32_t slices) {
    return Share((op.depthwise.out_channels + kPanel - 1) / kPanel, slice, slices);
  }

  // Expanded channels before which the first of a projection's two sums ends; 0: it is one sum. Two threads then
  // project what each of them expanded, from a cache of its own (F32SlicedInvertedResidual). The sums are the same
  // however many threads there are, so that results are, too.
  static int32_t half_of_depth(const Op& op, const StageShape& s) {
    const Conv& p = op.project;
    const auto clamps = [](float lo, float hi) { return std::isfinite(lo) || std::isfinite(hi); };
    if (!op.has_expand || !one_strip(s) || clamps(p.min_f32, p.max_f32)) return 0;
    if (op.residual.present && clamps(op.residual.min_f32, op.residual.max_f32)) return 0;
    return panels_of(op, 0, 2).end * kPanel;
  }

  // Output rows of the input in place that are made together. Those of stride 2 are rare: not worth code of their own.
  static constexpr int rows_in_place(int stride) { return stride == 1 ? kOut : 1; }

  static Layout layout(const Op& op, const StageShape& s) {
    const int32_t stride = op.depthwise.stride;
    Layout l{};
    const int32_t least = op.has_expand ? 1 : rows_in_place(stride);
    l.strip_rows = std::max((kStripPixels + s.out_width - 1) / s.out_width, least);
    l.strip_rows = one_strip(s) ? s.out_height : std::min(s.out_height, l.strip_rows);
    l.planes = (op.depthwise.out_channels + kLanes - 1) / kLanes;
    l.buffered = one_strip(s) ? kPanel / kLanes : l.planes;
    l.capacity = (l.strip_rows - 1) * stride + 3;
    l.width = std::max(s.pad_left + s.in_width, (s.out_width - 1) * stride + 3);
    l.plane = static_cast<size_t>(l.capacity) * l.width * kLanes;
    const int32_t in_rows = std::min(l.capacity, s.in_height);
    const size_t in_pixels = op.has_expand ? static_cast<size_t>(in_rows) * s.in_width : 0;
    const size_t out_pixels = static_cast<size_t>(l.strip_rows) * s.out_width;
    l.line = narrow_bytes(in_pixels, s);
    const size_t line_floats = op.has_expand ? l.buffered * l.plane : kLanes;  // else only a vector of zeros
    l.depthwise = l.line + align_up(line_floats * sizeof(float));
    l.rows = l.depthwise + align_up(l.planes * out_pixels * kLanes * sizeof(float));
    l.pixels = l.rows + align_up(op.has_expand ? l.capacity * sizeof(PaddedRow) : 0);
    l.bytes = l.pixels + align_up(std::max(in_pixels, 2 * out_pixels) * sizeof(float*));
    return l;
  }

  // Input rows [begin, end), those around the image counted, whose expansion the line buffer holds. Those before and
  // after them are elsewhere, in planes: see F32Bands.
  struct Band {
    int32_t begin = INT32_MIN, end = INT32_MAX;
    float *above = nullptr, *below = nullptr;  // one past the last row before begin; row end
    size_t plane = 0;                          // floats of a plane
  };

  static void strip(StageArgs& args, const Layout& l, const Band& band, int32_t row_begin, int32_t row_end) {
    const auto* packed = reinterpret_cast<const float*>(args.packed);
    if (args.op->depthwise.stride == 1) {
      packed = args.op->has_expand ? expand_and_depthwise<1>(args, l, band, packed, row_begin, row_end)
                                   : depthwise<1>(args, l, packed, row_begin, row_end);
    } else {
      packed = args.op->has_expand ? expand_and_depthwise<2>(args, l, band, packed, row_begin, row_end)
                                   : depthwise<2>(args, l, packed, row_begin, row_end);
    }
    project(args, l, packed, row_begin, row_end);
  }

  // Both of these leave the strip's depthwise pixels as [plane][pixel][kLanes] and return the end of their weights.
  template <int kStride>
  static const float* expand_and_depthwise(StageArgs& args, const Layout& l, const Band& band, const float* packed,
                                           int32_t row_begin, int32_t row_end) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    auto* narrow = reinterpret_cast<float*>(args.scratch);
    auto* line = reinterpret_cast<float*>(args.scratch + l.line);
    auto* out = reinterpret_cast<float*>(args.scratch + l.depthwise);
    auto* rows = reinterpret_cast<PaddedRow*>(args.scratch + l.rows);
    auto** pixels = reinterpret_cast<float**>(args.scratch + l.pixels);

    // Input rows of this strip in the line buffer, and those among them that it does not hold yet.
    const int32_t top = row_begin * kStride - s.pad_top;
    const int32_t end = (row_end - 1) * kStride - s.pad_top + 3;
    const bool keeps = l.buffered == l.planes;
    Strip strip{};
    strip.row_begin = row_begin, strip.row_end = row_end;
    strip.first = std::max(top, band.begin), strip.end = std::min(end, band.end);
    strip.new_begin = std::max(keeps ? std::max(strip.first, args.next_expanded) : strip.first, 0);
    strip.new_end = std::max(std::min(strip.end, s.in_height), strip.new_begin);
    strip.blank = strip.new_begin == std::max(strip.first, 0);
    args.next_expanded = std::max(args.next_expanded, strip.new_end);

    if (!in_place(s)) Pixels::pack(args.input, strip.new_begin, strip.new_end, s.in_width, s.in_channels, narrow);
    list_rows(l, s, band, line, top, end, rows);
    list_padded(rows + (strip.new_begin - top), s, strip.new_end - strip.new_begin, pixels);
    strip.narrow = narrow;
    strip.narrow_plane = static_cast<size_t>(strip.new_end - strip.new_begin) * s.in_width * kLanes;
    strip.pixels = pixels;
    strip.line = line;
    strip.plane = l.plane;
    strip.rows = rows, strip.top = top;
    strip.out_plane = static_cast<size_t>(row_end - row_begin) * s.out_width * kLanes;
    for (int32_t c = 0; c < op.depthwise.out_channels; c += kPanel) {
      strip.first_plane = keeps ? c / kLanes : 0;
      strip.out = out + c / kLanes * strip.out_plane;
      packed = panel<kStride>(args, l, strip, packed, c);
      if (!keeps) strip.blank = false;
    }
    return packed;
  }

  // Where input rows [begin, end) are, those around the image counted.
  static void list_rows(const Layout& l, const StageShape& s, const Band& band, float* line, int32_t begin, int32_t end,
                        PaddedRow* rows) {
    const int32_t floats = l.width * kLanes;
    for (int32_t y = begin; y < end; ++y, ++rows) {
      if (y < band.begin) {
        *rows = {band.above + (y - band.begin) * floats, band.plane};
      } else if (y >= band.end) {
        *rows = {band.below + (y - band.end) * floats, band.plane};
      } else {
        *rows = {line + (y + s.pad_top) % l.capacity * floats, l.plane};
      }
    }
  }

  // Where the pixels of `count` input rows go in the first plane.
  static void list_padded(const PaddedRow* rows, const StageShape& s, int32_t count, float** pixels) {
    for (int32_t i = 0; i < count; ++i) {
      float* row = rows[i].first + s.pad_left * kLanes;
      for (int32_t x = 0; x < s.in_width; ++x) *pixels++ = row + x * kLanes;
    }
  }

  // What a panel of a strip's channels is made from.
  struct Strip {
    int32_t row_begin, row_end;       // output rows
    int32_t first, end;               // input rows in the line buffer that they touch
    int32_t new_begin, new_end;       // those the line buffer lacks
    bool blank = false;               // the panel's part of the line buffer was not used before in this image
    const float* narrow = nullptr;    // pixels of the new rows, in planes, unless they are read in place
    size_t narrow_plane = 0;          // floats of such a plane
    float* const* pixels = nullptr;   // where they go in the first plane
    float* line = nullptr;            // the line buffer
    size_t plane = 0;                 // floats of a plane of it
    const PaddedRow* rows = nullptr;  // where input rows from `top` on are
    int32_t top = 0;
    int32_t first_plane = 0;  // the panel's
    float* out = nullptr;     // the first output pixel of that plane
    size_t out_plane = 0;     // floats of a plane of output pixels
  };

  // The panel of channels from c on: new rows to the line buffer, then depthwise. Returns the end of its weights.
  template <int kStride>
  static const float* panel(const StageArgs& args, const Layout& l, const Strip& strip, const float* packed,
                            int32_t c) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const int32_t planes = std::min(l.planes - c / kLanes, kPanel / kLanes);
    for (int32_t p = strip.first_plane; p < strip.first_plane + planes; ++p) {
      if (strip.blank) pad_columns(strip.line + p * l.plane, l, s);
      pad_rows(strip, p, l, s);
    }
    packed = expand(args, strip, packed, c);
    for (int32_t p = 0; p < planes; ++p, packed += Depthwise::kPacked) {
      const Kernel3x3<kStride> kernel(packed, op.depthwise.min_f32, op.depthwise.max_f32);
      float* out = strip.out + p * strip.out_plane;
      for_each_rows<kOut>(strip.row_begin, strip.row_end, [&](auto count, int32_t y) {
        constexpr int kRows = decltype(count)::value;
        const PaddedRow* top = strip.rows + (y * kStride - s.pad_top - strip.top);
        const PaddedColumns<kStride, kRows> columns(top, strip.first_plane + p);
        kernel.template rows<kRows>(columns, s.out_width, out);
        out += kRows * s.out_width * kLanes;
      });
    }
    return packed;
  }

  // Without an expansion depthwise reads the input in place.
  template <int kStride>
  static const float* depthwise(const StageArgs& args, const Layout& l, const float* packed, int32_t row_begin,
                                int32_t row_end) {
    auto* zeros = reinterpret_cast<float*>(args.scratch + l.line);
    auto* out = reinterpret_cast<float*>(args.scratch + l.depthwise);
    zero(zeros, 1);
    for (int32_t c = 0; c < args.shape.in_channels; c += kLanes, packed += Depthwise::kPacked) {
      out = depthwise_plane<kStride>(args, packed, row_begin, row_end, c, zeros, out);
    }
    return packed;
  }

  // The vector of channels from c on. Returns the end of its output.
  template <int kStride>
  static float* depthwise_plane(const StageArgs& args, const float* packed, int32_t row_begin, int32_t row_end,
                                int32_t c, const float* zeros, float* out) {
    return c + kLanes <= args.shape.in_channels
               ? depthwise_plane<kStride, false>(args, packed, row_begin, row_end, c, zeros, out)
               : depthwise_plane<kStride, true>(args, packed, row_begin, row_end, c, zeros, out);
  }

  template <int kStride, bool kPartial>
  static float* depthwise_plane(const StageArgs& args, const float* packed, int32_t row_begin, int32_t row_end,
                                int32_t c, const float* zeros, float* out) {
    const StageShape& s = args.shape;
    const Kernel3x3<kStride> kernel(packed, args.op->depthwise.min_f32, args.op->depthwise.max_f32);
    constexpr int kTogether = kPartial ? 1 : rows_in_place(kStride);
    for_each_rows<kTogether>(row_begin, row_end, [&](auto rows, int32_t y) {
      constexpr int kRows = decltype(rows)::value;
      const typename Depthwise::template ImageColumns<Depthwise::template kInRows<kStride, kRows>, kPartial> columns(
          args.input, y * kStride - s.pad_top, s.in_height, s.in_width, s.in_channels, s.pad_left, c, zeros);
      kernel.template rows<kRows>(columns, s.out_width, out);
      out += kRows * s.out_width * kLanes;
    });
    return out;
  }

  // Calls make(how many rows, first row) for rows [begin, end), kTogether at a time and the rest one by one.
  template <int kTogether, class Make>
  static void for_each_rows(int32_t begin, int32_t end, const Make& make) {
    for (; begin + kTogether <= end; begin += kTogether) make(std::integral_constant<int, kTogether>(), begin);
    for (; begin < end; ++begin) make(std::integral_constant<int, 1>(), begin);
  }

  // The panel of expanded channels from c on. Returns the end of its weights.
  static const float* expand(const StageArgs& args, const Strip& strip, const float* packed, int32_t c) {
    const Conv& e = args.op->expand;
    const StageShape& s = args.shape;
    GemmTile t;
    t.group = kLanes;
    t.group_stride = strip.narrow_plane;
    t.depth = e.in_channels;
    t.out = strip.pixels;
    t.defer_stores = args.halved_vectors;
    t.out_offset = strip.first_plane * strip.plane;
    t.vector_stride = strip.plane;
    const int32_t width = Gemm::panel_width(e.out_channels - c);
    Gemm::set_panel(t, packed, width);
    t.channels = width;  // whole: projection reads no lane beyond out_channels, whatever it holds
    t.lo = e.min_f32, t.hi = e.max_f32;
    if (in_place(s)) {
      for (int32_t y = strip.new_begin; y < strip.new_end; ++y, t.out += s.in_width) {
        t.a = reinterpret_cast<const float*>(args.input.row(y));
        Gemm::template panel<kLanes>(t, width, 0, s.in_width);
      }
    } else {
      t.a = strip.narrow;
      Gemm::template panel<kLanes>(t, width, 0, (strip.new_end - strip.new_begin) * s.in_width);
    }
    return packed + static_cast<size_t>(e.in_channels + 1) * width;
  }

  static void project(const StageArgs& args, const Layout& l, const float* packed, int32_t row_begin, int32_t row_end) {
    GemmTile t = projection(args, args.output, reinterpret_cast<const float*>(args.scratch + l.depthwise), row_begin,
                            row_end, reinterpret_cast<float**>(args.scratch + l.pixels));
    Gemm::template all_panels<kLanes>(t, packed, args.op->project.out_channels, 0,
                                      (row_end - row_begin) * args.shape.out_width);
  }

  // The projection to rows of `output`, whose depthwise pixels are at `in`. Lists their addresses (twice, with a
  // residual) in `pixels`.
  static GemmTile projection(const StageArgs& args, const Rows& output, const float* in, int32_t row_begin,
                             int32_t row_end, float** pixels) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const int32_t out_pixels = (row_end - row_begin) * s.out_width;
    float** skip = pixels + out_pixels;
    Pixels::list(output, row_begin, row_end, s.out_width, s.out_channels, pixels);
    if (op.residual.present) Pixels::list(args.input, row_begin, row_end, s.out_width, s.out_channels, skip);
    GemmTile t;
    t.a = in;
    t.group = kLanes;
    t.group_stride = static_cast<size_t>(out_pixels) * kLanes;
    t.depth = op.project.in_channels;
    t.half = half_of_depth(op, s);
    t.defer_stores = args.halved_vectors;
    t.out = pixels;
    t.vector_stride = kLanes;
    t.lo = op.project.min_f32, t.hi = op.project.max_f32;
    t.residual = op.residual.present ? skip : nullptr;
    t.residual_lo = op.residual.min_f32, t.residual_hi = op.residual.max_f32;
    return t;
  }

  // Zeros beside the image, in all rows of a plane. What is written to these later leaves them alone.
  static void pad_columns(float* plane, const Layout& l, const StageShape& s) {
    for (int32_t y = 0; y < l.capacity; ++y, plane += l.width * kLanes) pad_row(plane, l.width, s);
  }

  static void pad_row(float* row, int32_t width, const StageShape& s) {
    const int32_t right = s.pad_left + s.in_width;
    zero(row, s.pad_left);
    zero(row + right * kLanes, width - right);
  }

  // Zeros above and below the image.
  static void pad_rows(const Strip& strip, int32_t plane, const Layout& l, const StageShape& s) {
    for (int32_t y = strip.first; y < 0; ++y) zero(strip.rows[y - strip.top].in_plane(plane), l.width);
    for (int32_t y = std::max(strip.first, s.in_height); y < strip.end; ++y) {
      zero(strip.rows[y - strip.top].in_plane(plane), l.width);
    }
  }

  static void zero(float* out, int32_t vectors) {
    for (int32_t i = 0; i < vectors; ++i) S::Vec::store(out + i * kLanes, S::Vec::zero());
  }
};

}  // namespace mobilenetv2

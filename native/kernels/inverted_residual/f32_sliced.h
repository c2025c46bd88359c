// The fused float block shared by slices: of rows where there are many (f32_bands.h), else of channels. Include inside
// S's target region.
//
// Phase 0: panels of expanded channels are shared out. A slice takes one panel after the other through the whole image,
// strip by strip, so that the panel's weights and its line buffer stay in the first-level cache; the depthwise pixels
// of all panels meet in one tensor. Phase 1: the tiles of the projection are shared out. Nothing is computed twice.
//
// Two slices share out a projection of two sums (F32InvertedResidual::half_of_depth) by depth: each projects its own
// panels, still in phase 0, so that the wide tensor does not pass from one core's cache to the other's; in phase 1 they
// add the two, which are narrow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/inverted_residual/f32_bands.h"
#include "kernels/inverted_residual/f32_driver.h"
#include "kernels/simd/share.h"

namespace mobilenetv2 {

template <class S>
struct F32SlicedInvertedResidual : F32InvertedResidual<S> {
  using Whole = F32InvertedResidual<S>;
  using Bands = F32Bands<S>;
  using Gemm = typename Whole::Gemm;
  using Depthwise = typename Whole::Depthwise;
  using Pixels = typename Whole::Pixels;
  static constexpr int32_t kLanes = Whole::kLanes, kPanel = Whole::kPanel;

  // Bands of more rows than this repeat little even if they pass each other nothing.
  static constexpr int32_t kMaxBandRows = 27;
  static bool wanted(const Op& op, const StageShape& s, int32_t slices) {
    return slices_of_channels_wanted(op, s, slices) ||
           (Bands::supports(op, s, slices) && s.out_height <= kMaxBandRows * slices);
  }

  static size_t scratch_bytes(const Op& op, const StageShape& s, int32_t slices) {
    if (Bands::supports(op, s, slices)) return Bands::scratch_bytes(op, s, slices);
    const Layout l = layout(op, s, slices);
    return l.slices + l.slice_bytes * static_cast<size_t>(slices);
  }

  static void run_slice(const StageArgs& args, int32_t phase, int32_t slice, int32_t slices) {
    const Op& op = *args.op;
    if (Bands::supports(op, args.shape, slices)) return Bands::run_slice(args, phase, slice, slices);
    const Layout l = layout(op, args.shape, slices);
    uint8_t* own = args.scratch + l.slices + l.slice_bytes * static_cast<size_t>(slice);
    const bool by_depth = projects_by_depth(op, args.shape, slices);
    if (phase == 1) return by_depth ? add_half(args, l, slice) : project(args, l, own, slice, slices);
    if (op.has_expand) {
      const Share panels = Whole::panels_of(op, slice, slices);
      op.depthwise.stride == 1 ? expand_and_depthwise<1>(args, l, own, panels)
                               : expand_and_depthwise<2>(args, l, own, panels);
      if (by_depth) project_half(args, l, own, slice == 0);
    } else {
      const Share planes(l.block.planes, slice, slices);
      op.depthwise.stride == 1 ? depthwise<1>(args, l, own, planes) : depthwise<2>(args, l, own, planes);
    }
  }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    Kernel k = Whole::kernel(name, isa);
    k.sliced = &kSliced;
    return k;
  }

 private:
  static constexpr SlicedRun kSliced{2, scratch_bytes, run_slice, wanted};

  // Scratch: the depthwise tensor [plane][pixel][kLanes], the sums behind half_of_depth [pixel][channel], then each
  // slice's own: the packed input, the line buffer of one panel, addresses of pixels. Byte offsets from the slice's
  // first.
  struct Layout {
    typename Whole::Layout block;  // the line buffer's geometry
    size_t out_plane;              // floats
    size_t half, slices, slice_bytes, line, rows, pixels;
  };

  static bool projects_by_depth(const Op& op, const StageShape& s, int32_t slices) {
    return slices == 2 && Whole::half_of_depth(op, s) > 0;
  }

  static Layout layout(const Op& op, const StageShape& s, int32_t slices) {
    Layout l{};
    l.block = Whole::layout(op, s);
    const size_t out_pixels = static_cast<size_t>(s.out_height) * s.out_width;
    const size_t in_pixels = op.has_expand ? static_cast<size_t>(s.in_height) * s.in_width : 0;
    const size_t line_floats = op.has_expand ? kPanel / kLanes * l.block.plane : kLanes;  // else a vector of zeros
    l.out_plane = out_pixels * kLanes;
    l.half = align_up(l.block.planes * l.out_plane * sizeof(float));
    l.slices = l.half + (projects_by_depth(op, s, slices) ? align_up(out_pixels * s.out_channels * sizeof(float)) : 0);
    l.line = Whole::narrow_bytes(in_pixels, s);
    l.rows = l.line + align_up(line_floats * sizeof(float));
    l.pixels = l.rows + align_up(op.has_expand ? padded_rows(op, s) * sizeof(PaddedRow) : 0);
    l.slice_bytes = l.pixels + align_up(std::max(in_pixels, 2 * out_pixels) * sizeof(float*));
    return l;
  }

  // Input rows that the output touches, those around the image counted.
  static int32_t padded_rows(const Op& op, const StageShape& s) { return (s.out_height - 1) * op.depthwise.stride + 3; }

  template <int kStride>
  static void expand_and_depthwise(const StageArgs& args, const Layout& l, uint8_t* own, const Share& panels) {
    if (panels.begin == panels.end) return;
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    auto* narrow = reinterpret_cast<float*>(own);
    auto* line = reinterpret_cast<float*>(own + l.line);
    auto* rows = reinterpret_cast<PaddedRow*>(own + l.rows);
    auto** pixels = reinterpret_cast<float**>(own + l.pixels);
    if (!Whole::in_place(s)) Pixels::pack(args.input, 0, s.in_height, s.in_width, s.in_channels, narrow);
    Whole::list_rows(l.block, s, {}, line, -s.pad_top, padded_rows(op, s) - s.pad_top, rows);
    Whole::list_padded(rows + s.pad_top, s, s.in_height, pixels);

    const size_t weights = static_cast<size_t>(s.in_channels + 1) * kPanel + kPanel / kLanes * Depthwise::kPacked;
    const auto* packed = reinterpret_cast<const float*>(args.packed) + weights * panels.begin;
    typename Whole::Strip strip{};
    strip.line = line;
    strip.plane = l.block.plane;
    strip.rows = rows, strip.top = -s.pad_top;
    strip.narrow_plane = static_cast<size_t>(s.in_height) * s.in_width * kLanes;
    strip.out_plane = l.out_plane;
    for (int32_t p = panels.begin; p < panels.end; ++p, packed += weights) {
      float* out = reinterpret_cast<float*>(args.scratch) + p * (kPanel / kLanes) * l.out_plane;
      strip.new_end = 0;
      for (int32_t y = 0; y < s.out_height; y = strip.row_end) {
        strip.blank = p == panels.begin && y == 0;
        strip.row_begin = y, strip.row_end = std::min(y + l.block.strip_rows, s.out_height);
        strip.first = y * kStride - s.pad_top;
        strip.end = (strip.row_end - 1) * kStride - s.pad_top + 3;
        strip.new_begin = std::max(strip.new_end, std::max(strip.first, 0));
        strip.new_end = std::max(std::min(strip.end, s.in_height), strip.new_begin);
        const size_t first_pixel = static_cast<size_t>(strip.new_begin) * s.in_width;
        strip.narrow = narrow + first_pixel * kLanes;
        strip.pixels = pixels + first_pixel;
        strip.out = out + static_cast<size_t>(y) * s.out_width * kLanes;
        Whole::template panel<kStride>(args, l.block, strip, packed, p * kPanel);
      }
    }
  }

  template <int kStride>
  static void depthwise(const StageArgs& args, const Layout& l, uint8_t* own, const Share& planes) {
    auto* zeros = reinterpret_cast<float*>(own + l.line);
    Whole::zero(zeros, 1);
    for (int32_t p = planes.begin; p < planes.end; ++p) {
      Whole::template depthwise_plane<kStride>(
          args, reinterpret_cast<const float*>(args.packed) + static_cast<size_t>(p) * Depthwise::kPacked, 0,
          args.shape.out_height, p * kLanes, zeros, reinterpret_cast<float*>(args.scratch) + p * l.out_plane);
    }
  }

  static void project(const StageArgs& args, const Layout& l, uint8_t* own, int32_t slice, int32_t slices) {
    const StageShape& s = args.shape;
    GemmTile t = projection(args, args.output, l, own);
    Gemm::template slice_of_panels<kLanes>(t, project_weights(args), s.out_channels, s.out_height * s.out_width, slice,
                                           slices);
  }

  // The sums of the depths before half_of_depth go to the output, those of the depths behind it to scratch.
  static void project_half(const StageArgs& args, const Layout& l, uint8_t* own, bool before) {
    const StageShape& s = args.shape;
    GemmTile t = projection(args, before ? args.output : behind(args, l), l, own);
    Gemm::template half_of_panels<kLanes>(t, project_weights(args), s.out_channels, s.out_height * s.out_width, before);
  }

  static void add_half(const StageArgs& args, const Layout& l, int32_t slice) {
    const StageShape& s = args.shape;
    const Rows sums = behind(args, l);
    const Share rows(s.out_height, slice, 2);
    for (int32_t y = rows.begin; y < rows.end; ++y) {
      Gemm::add_half(reinterpret_cast<const float*>(sums.row(y)), s.out_width * s.out_channels,
                     reinterpret_cast<float*>(args.output.row(y)));
    }
  }

  static Rows behind(const StageArgs& args, const Layout& l) {
    const StageShape& s = args.shape;
    return {args.scratch + l.half, s.out_height, static_cast<size_t>(s.out_width) * s.out_channels * sizeof(float)};
  }

  static GemmTile projection(const StageArgs& args, const Rows& output, const Layout& l, uint8_t* own) {
    return Whole::projection(args, output, reinterpret_cast<const float*>(args.scratch), 0, args.shape.out_height,
                             reinterpret_cast<float**>(own + l.pixels));
  }

  static const float* project_weights(const StageArgs& args) {
    return reinterpret_cast<const float*>(args.packed) + Whole::project_offset(*args.op);
  }
};

}  // namespace mobilenetv2

// The fused float block shared by bands of rows that pass each other what both of them need. Include inside S's target
// region.
//
// Of the expanded rows that a band reads, the first or last ones are read by its neighbour too. Phase 0: each band
// expands those of them that are its own, to a place that both know. Phase 1: each band does the rest as if it were
// alone. Nothing is computed twice: at 14 rows, two bands would repeat a seventh of the expansion.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/inverted_residual/f32_driver.h"
#include "kernels/simd/share.h"

namespace mobilenetv2 {

template <class S>
struct F32Bands : F32InvertedResidual<S> {
  using Whole = F32InvertedResidual<S>;
  using Gemm = typename Whole::Gemm;
  using Depthwise = typename Whole::Depthwise;
  using Pixels = typename Whole::Pixels;
  static constexpr int32_t kLanes = Whole::kLanes, kPanel = Whole::kPanel;

  // Bands of this many rows have two edges that do not overlap, and repeat little enough at stride 2 to be independent
  // (measured). Line buffers of one panel, which tiny maps have, count planes anew for each.
  static constexpr int32_t kMinRows = 7;
  static bool supports(const Op& op, const StageShape& s, int32_t slices) {
    const auto l = Whole::layout(op, s);
    return op.has_expand && op.depthwise.stride == 1 && s.out_height >= kMinRows * slices && l.buffered == l.planes;
  }

  // Scratch: a place per border of two bands, then what each band has for itself.
  static size_t scratch_bytes(const Op& op, const StageShape& s, int32_t slices) {
    const auto l = Whole::layout(op, s);
    return align_up(edge_floats(op, l) * sizeof(float)) * static_cast<size_t>(slices - 1) +
           align_up(l.bytes) * static_cast<size_t>(slices);
  }

  static void run_slice(const StageArgs& args, int32_t phase, int32_t slice, int32_t slices) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const auto l = Whole::layout(op, s);
    const size_t edge_bytes = align_up(edge_floats(op, l) * sizeof(float));
    const Share share(s.out_height, slice, slices);
    const Border above(op, s, share.begin), below(op, s, share.end);
    const auto place = [&](int32_t border) { return reinterpret_cast<float*>(args.scratch + edge_bytes * border); };

    typename Whole::Band band;
    band.plane = static_cast<size_t>(edge_rows(op)) * l.width * kLanes;
    if (slice > 0) band.begin = above.end, band.above = place(slice - 1) + band.plane;
    if (slice + 1 < slices) band.end = below.begin, band.below = place(slice);
    StageArgs own = args;
    own.scratch = args.scratch + edge_bytes * (slices - 1) + align_up(l.bytes) * slice;
    own.next_expanded = 0;
    if (phase == 0) {
      const int32_t floats = l.width * kLanes;
      if (slice > 0) {
        expand_edge(own, l, band.plane, band.above - (above.end - above.middle) * floats, above.middle, above.end);
      }
      if (slice + 1 < slices) expand_edge(own, l, band.plane, band.below, below.begin, below.middle);
      return;
    }
    for (int32_t y = share.begin; y < share.end; y += l.strip_rows) {
      Whole::strip(own, l, band, y, std::min(y + l.strip_rows, share.end));
    }
  }

 private:
  // The input rows [begin, end) that bands read on both sides of an output row; those from the middle on belong to the
  // band below.
  struct Border {
    int32_t begin, middle, end;
    Border(const Op& op, const StageShape& s, int32_t row)
        : begin(row * op.depthwise.stride - s.pad_top),
          middle(std::clamp(row * op.depthwise.stride, begin, begin + edge_rows(op))),
          end(begin + edge_rows(op)) {}
  };

  static int32_t edge_rows(const Op& op) { return op.depthwise.kernel - op.depthwise.stride; }

  static size_t edge_floats(const Op& op, const typename Whole::Layout& l) {
    return static_cast<size_t>(l.planes) * edge_rows(op) * l.width * kLanes;
  }

  // Input rows [begin, end) to `out`, in planes, padding included.
  static void expand_edge(const StageArgs& args, const typename Whole::Layout& l, size_t plane, float* out,
                          int32_t begin, int32_t end) {
    const StageShape& s = args.shape;
    for (int32_t y = begin; y < end; ++y, out += l.width * kLanes) {
      const bool image = y >= 0 && y < s.in_height;
      for (int32_t p = 0; p < l.planes; ++p) {
        image ? Whole::pad_row(out + p * plane, l.width, s) : Whole::zero(out + p * plane, l.width);
      }
      if (image) expand_row(args, l, {out, plane}, y);
    }
  }

  static void expand_row(const StageArgs& args, const typename Whole::Layout& l, const PaddedRow& row, int32_t y) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    auto* narrow = reinterpret_cast<float*>(args.scratch);
    auto** pixels = reinterpret_cast<float**>(args.scratch + l.pixels);
    if (!Whole::in_place(s)) Pixels::pack(args.input, y, y + 1, s.in_width, s.in_channels, narrow);
    Whole::list_padded(&row, s, 1, pixels);
    typename Whole::Strip strip{};
    strip.new_begin = y, strip.new_end = y + 1;
    strip.narrow = narrow;
    strip.narrow_plane = static_cast<size_t>(s.in_width) * kLanes;
    strip.pixels = pixels;
    strip.plane = row.plane;
    const auto* packed = reinterpret_cast<const float*>(args.packed);
    for (int32_t c = 0; c < op.depthwise.out_channels; c += kPanel) {
      strip.first_plane = c / kLanes;
      packed = Whole::expand(args, strip, packed, c);
      packed += std::min(l.planes - c / kLanes, kPanel / kLanes) * Depthwise::kPacked;
    }
  }
};

}  // namespace mobilenetv2

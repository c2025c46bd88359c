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

  // Bands of this many rows are worth it, and have two edges that do not overlap.
  static constexpr int32_t kMinRows = 7;
  static bool supports(const Op& op, const StageShape& s, int32_t slices) {
    return op.has_expand && s.out_height >= kMinRows * slices;
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
    band.plane = edge_rows(op) * l.width * kLanes;
    if (slice > 0) {
      band.begin = above.end;
      band.above = {place(slice - 1), above.begin + s.pad_top, above.end + s.pad_top};
    }
    if (slice + 1 < slices) {
      band.end = below.begin;
      band.below = {place(slice), below.begin + s.pad_top, below.end + s.pad_top};
    }
    StageArgs own = args;
    own.scratch = args.scratch + edge_bytes * (slices - 1) + align_up(l.bytes) * slice;
    own.next_expanded = 0;
    if (phase == 0) {
      if (slice > 0) expand_edge(own, l, band, band.above, above.middle, above.end);
      if (slice + 1 < slices) expand_edge(own, l, band, band.below, below.begin, below.middle);
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

  // Input rows [begin, end) to their places in an edge, padding included.
  static void expand_edge(const StageArgs& args, const typename Whole::Layout& l, const typename Whole::Band& band,
                          const EdgeRows& edge, int32_t begin, int32_t end) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const PaddedRows rows{edge.base, 0, l.width, edge};
    for (int32_t y = begin; y < end; ++y) {
      float* row = rows.row(y + s.pad_top, kLanes);
      for (int32_t p = 0; p < l.planes; ++p, row += band.plane) {
        y >= 0 && y < s.in_height ? Whole::pad_row(row, l.width, s) : Whole::zero(row, l.width);
      }
    }
    begin = std::max(begin, 0);
    end = std::min(end, s.in_height);
    if (begin >= end) return;
    auto* narrow = reinterpret_cast<float*>(args.scratch);
    auto** pixels = reinterpret_cast<float**>(args.scratch + l.pixels);
    if (!Whole::in_place(s)) Pixels::pack(args.input, begin, end, s.in_width, s.in_channels, narrow);
    Whole::list_padded(rows, s, begin, end, pixels);
    typename Whole::Strip strip{};
    strip.new_begin = begin, strip.new_end = end;
    strip.image = args.input;
    strip.narrow = narrow;
    strip.narrow_plane = static_cast<size_t>(end - begin) * s.in_width * kLanes;
    strip.pixels = pixels;
    strip.plane = band.plane;
    const auto* packed = reinterpret_cast<const float*>(args.packed);
    for (int32_t c = 0; c < op.depthwise.out_channels; c += kPanel) {
      strip.offset = c / kLanes * band.plane;
      packed = Whole::expand(op, s, strip, packed, c);
      packed += (std::min(op.depthwise.out_channels - c, kPanel) + kLanes - 1) / kLanes * Depthwise::kPacked;
    }
  }
};

}  // namespace mobilenetv2

// Matrix product of the float kernels, for every ISA: packed weights, panel after panel, each in tiles of pixels
// (f32_tile.h). S names the vectors (simd/<arch>_f32_<isa>.h). Include inside that ISA's target region, after the
// standard headers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/op.h"
#include "kernels/simd/f32_tile.h"
#include "kernels/simd/share.h"

namespace mobilenetv2 {

template <class S>
struct F32Gemm {
  using Vec = typename S::Vec;
  using Half = typename S::Half;
  static constexpr int32_t kLanes = Vec::kLanes;
  static constexpr int32_t kPanel = 2 * kLanes;
  using Tile = F32Tile<S>;

  // Width of a panel with `left` channels still to cover: the last one is rounded up to a half vector only.
  static int32_t panel_width(int32_t left) {
    return left >= kPanel ? kPanel : (left + Half::kLanes - 1) / Half::kLanes * Half::kLanes;
  }

  static size_t packed_floats(int32_t depth, int32_t channels) {
    const int32_t whole = channels / kPanel * kPanel;
    return static_cast<size_t>(depth + 1) * (whole + panel_width(channels - whole));
  }

  // The panel of channels [n, n + kPanel) from weights [channels][depth]: bias [width], then [depth][width]; lanes
  // beyond `channels` stay zero. Returns its end.
  static float* pack_panel(const Conv& conv, int32_t depth, int32_t n, float* out) {
    const int32_t used = std::min(kPanel, conv.out_channels - n), width = panel_width(used);
    for (int32_t c = 0; c < used; ++c) {
      out[c] = conv.bias_f32[n + c];
      const float* w = conv.weights_f32 + static_cast<size_t>(n + c) * depth;
      for (int32_t d = 0; d < depth; ++d) out[static_cast<size_t>(d + 1) * width + c] = w[d];
    }
    return out + static_cast<size_t>(depth + 1) * width;
  }

  static void pack(const Conv& conv, int32_t depth, float* out) {
    for (int32_t n = 0; n < conv.out_channels; n += kPanel) out = pack_panel(conv, depth, n, out);
  }

  static void set_panel(GemmTile& t, const float* packed, int32_t width) {
    t.bias = packed;
    t.weights = packed + width;
  }

  // All tiles of one panel: pixels [begin, end), `kPixel` floats apart in t.a. One sum, whatever t.half.
  template <int kPixel>
  [[gnu::noinline]] static void panel(const GemmTile& t, int32_t width, int32_t begin, int32_t end) {
    if constexpr (Half::kLanes == kLanes) {
      width == kPanel ? Tile::template run<kPixel, 2>(t, begin, end) : Tile::template run<kPixel, 1>(t, begin, end);
    } else {
      switch (width / Half::kLanes) {
        case 4:
          return Tile::template run<kPixel, 4>(t, begin, end);
        case 3:
          return Tile::template run<kPixel, 3>(t, begin, end);
        case 2:
          return Tile::template run<kPixel, 2>(t, begin, end);
        default:
          return Tile::template run<kPixel, 1>(t, begin, end);
      }
    }
  }

  // Pixels of whole tiles, of panels that are whole.
  static int32_t whole_tile_pixels(int32_t pixels) {
    constexpr int32_t kRows = Tile::template Shape<kPanel / Half::kLanes>::kRows;
    return pixels / kRows * kRows;
  }

  // All panels of packed weights, for pixels [begin, end). Sets what differs from panel to panel in t.
  template <int kPixel>
  static void all_panels(GemmTile& t, const float* packed, int32_t channels, int32_t begin, int32_t end) {
    for (int32_t n = 0; n < channels; n += kPanel) panel_at<kPixel>(t, packed, channels, n, begin, end);
  }

  // One of the two sums of every panel: t.out gets that before t.half, with what else belongs to it, or that behind it.
  // Together: add_half.
  template <int kPixel>
  static void half_of_panels(GemmTile& t, const float* packed, int32_t channels, int32_t pixels, bool before) {
    for (int32_t n = 0; n < channels; n += kPanel) {
      set_panel_at(t, packed, channels, n);
      GemmTile sum = before ? before_half(t) : behind_half(t, panel_width(channels - n), nullptr);
      // The same half of the next panel, which does not lie behind this one's.
      sum.prefetch = sum.weights + static_cast<size_t>(t.depth + 1) * kPanel;
      sum.prefetch_floats = sum.depth * kPanel;
      panel<kPixel>(sum, panel_width(channels - n), 0, pixels);
    }
  }

  // Adds the sums behind t.half to those before it, for `floats` outputs that lie together.
  static void add_half(const float* behind, int32_t floats, float* out) {
    int32_t i = 0;
    for (; i + kLanes <= floats; i += kLanes) Vec::store(out + i, Vec::add(Vec::load(out + i), Vec::load(behind + i)));
    if (i == floats) return;
    Vec::store_first(out + i, Vec::add(Vec::load_first(out + i, floats - i), Vec::load_first(behind + i, floats - i)),
                     floats - i);
  }

  // One slice of what all_panels does. Tiles are counted panel after panel, so that a slice reads few weights, and
  // its first and last panel may be shared with its neighbours, so that slices are equal whatever the channels.
  template <int kPixel>
  static void slice_of_panels(GemmTile& t, const float* packed, int32_t channels, int32_t pixels, int32_t slice,
                              int32_t slices) {
    constexpr int32_t kRows = Tile::template Shape<kPanel / Half::kLanes>::kRows;
    const int32_t tiles = (pixels + kRows - 1) / kRows;
    const Share share((channels + kPanel - 1) / kPanel * tiles, slice, slices);
    for (int32_t at = share.begin; at < share.end;) {
      const int32_t begin = at % tiles, count = std::min(tiles - begin, share.end - at);
      panel_at<kPixel>(t, packed, channels, at / tiles * kPanel, begin * kRows,
                       std::min((begin + count) * kRows, pixels));
      at += count;
    }
  }

 private:
  // The panel of channels from n on, for pixels [begin, end).
  template <int kPixel>
  static void panel_at(GemmTile& t, const float* packed, int32_t channels, int32_t n, int32_t begin, int32_t end) {
    const int32_t width = panel_width(channels - n);
    set_panel_at(t, packed, channels, n);
    if (t.half == 0) return panel<kPixel>(t, width, begin, end);
    panel<kPixel>(before_half(t), width, begin, end);
    panel<kPixel>(behind_half(t, width, t.out), width, begin, end);
  }

  static void set_panel_at(GemmTile& t, const float* packed, int32_t channels, int32_t n) {
    set_panel(t, packed + static_cast<size_t>(t.depth + 1) * n, panel_width(channels - n));
    t.out_offset = n;
    t.channels = std::min(channels - n, kPanel);
  }

  static GemmTile before_half(const GemmTile& t) {
    GemmTile sum = t;
    sum.depth = t.half;
    return sum;
  }

  // The sum behind t.half, added to what is at `add`, if anything.
  static GemmTile behind_half(const GemmTile& t, int32_t width, const float* const* add) {
    alignas(64) static constexpr float kNoBias[kPanel] = {};
    GemmTile sum = t;
    sum.a += static_cast<size_t>(t.half / t.group) * t.group_stride;
    sum.depth -= t.half;
    sum.bias = kNoBias;
    sum.weights += static_cast<size_t>(t.half) * width;
    sum.residual = add;
    sum.residual_lo = t.lo, sum.residual_hi = t.hi;
    return sum;
  }
};

}  // namespace mobilenetv2

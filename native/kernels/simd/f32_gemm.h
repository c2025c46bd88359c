// Matrix product of the float kernels, for every ISA: tiles of up to S::kTileRows pixels times one panel of up to two
// vectors of output channels. S names the vectors (simd/<arch>_f32_<isa>.h). Include inside that ISA's target region,
// after the standard headers: everything here is a template on S, so no instruction leaks into shared functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "core/op.h"

namespace mobilenetv2 {

// One call of a tile. Every output is bias + x[0]*w[0] + x[1]*w[1] + ... in this order, one fma a step, whatever the
// tile's size: results do not depend on how pixels were grouped.
struct GemmTile {
  // Pixel r, depth d: a[(d / group) * group_stride + d % group + r * pixel stride (a template argument)].
  const float* a = nullptr;
  size_t group_stride = 0;
  int32_t depth = 0, group = 0;
  const float* panel = nullptr;  // bias [width], weights [depth][width]
  // Weights used next, fetched meanwhile: as many bytes as a panel has, spread evenly over the steps of its tiles.
  const float* prefetch = nullptr;
  size_t prefetch_step = 0;
  // Vector v of pixel r goes to out[r] + out_offset + v * vector_stride; `channels` of the panel's width are stored.
  float* const* out = nullptr;
  size_t out_offset = 0, vector_stride = 0;
  int32_t channels = 0;
  float lo = 0, hi = 0;
  // Skip connection: null, or y = clamp(residual[r][residual_offset + channel] + y).
  const float* const* residual = nullptr;
  float residual_lo = 0, residual_hi = 0;
};

template <class S>
struct F32Gemm {
  using Vec = typename S::Vec;
  using Half = typename S::Half;
  static constexpr int32_t kLanes = Vec::kLanes;
  static constexpr int32_t kPanel = 2 * kLanes;
  static constexpr int32_t kKinds = kPanel / Half::kLanes;

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

  // All tiles of one panel: `pixels` of them, `kPixel` floats apart in t.a; t describes the first. Tiles are of nearly
  // equal size, because a tile of one or two pixels would wait for the latency of its few sums.
  template <int kPixel>
  static void panel(GemmTile t, int32_t width, int32_t pixels) {
    static constexpr auto kTiles = table<kPixel>(std::make_index_sequence<kKinds * S::kTileRows>());
    const auto* tiles = &kTiles[static_cast<size_t>(width / Half::kLanes - 1) * S::kTileRows];
    const int32_t count = (pixels + S::kTileRows - 1) / S::kTileRows;
    t.prefetch = t.panel + static_cast<size_t>(t.depth + 1) * width;
    t.prefetch_step = static_cast<size_t>((width + count - 1) / std::max(count, 1));
    for (int32_t i = 0, begin = 0; i < count; ++i) {
      const int32_t rows = (pixels - begin) / (count - i);
      tiles[rows - 1](t);
      t.prefetch += t.depth * t.prefetch_step;
      t.a += rows * kPixel;
      t.out += rows;
      if (t.residual) t.residual += rows;
      begin += rows;
    }
  }

  // All panels of packed weights; t describes the first panel's first tile.
  template <int kPixel>
  static void all_panels(GemmTile t, const float* packed, int32_t channels, int32_t pixels) {
    for (int32_t n = 0; n < channels; n += kPanel) {
      const int32_t width = panel_width(channels - n);
      t.panel = packed + static_cast<size_t>(t.depth + 1) * n;
      t.out_offset = n;
      t.channels = std::min(channels - n, kPanel);
      panel<kPixel>(t, width, pixels);
    }
  }

 private:
  using TileFunction = void (*)(const GemmTile&);

  template <int kPixel, size_t... kIndex>
  static constexpr std::array<TileFunction, sizeof...(kIndex)> table(std::index_sequence<kIndex...>) {
    return {{&tile_of<kPixel, static_cast<int>(kIndex / S::kTileRows + 1),
                      static_cast<int>(kIndex % S::kTileRows + 1)>...}};
  }

  template <int kPixel, int kHalves, int kRows>
  static void tile_of(const GemmTile& t) {
    constexpr int kWidth = kHalves * Half::kLanes;
    constexpr int kWhole = (kWidth - 1) / kLanes;  // vectors before the last
    using Last = std::conditional_t<kWidth - kWhole * kLanes == kLanes, Vec, Half>;
    tile<kPixel, kWhole, Last, kRows>(t);
  }

  template <int kPixel, int kWhole, class Last, int kRows>
  static void tile(const GemmTile& t) {
    constexpr int kWidth = kWhole * kLanes + Last::kLanes;
    typename Vec::Reg first[kRows];  // used if kWhole == 1
    typename Last::Reg last[kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      if constexpr (kWhole == 1) first[r] = Vec::load(t.panel);
      last[r] = Last::load(t.panel + kWhole * kLanes);
    }
    const float* w = t.panel + kWidth;
    const float* group = t.a;
    const float* ahead = t.prefetch;
    for (int32_t left = t.depth; left > 0; left -= t.group, group += t.group_stride) {
      const float* a = group;
      const float* end = a + std::min(left, t.group);
      for (; a != end; ++a, w += kWidth) {
        Vec::prefetch(ahead);
        if constexpr (kWidth * sizeof(float) > 64) Vec::prefetch(ahead + 16);
        ahead += t.prefetch_step;
        typename Vec::Reg w0;
        if constexpr (kWhole == 1) w0 = Vec::load(w);
        const typename Last::Reg w1 = Last::load(w + kWhole * kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          const typename Vec::Reg x = Vec::broadcast(a[r * kPixel]);
          if constexpr (kWhole == 1) first[r] = Vec::fma(x, w0, first[r]);
          last[r] = Last::fma(Last::narrow(x), w1, last[r]);
        }
      }
    }
    const auto lo = Vec::broadcast(t.lo), hi = Vec::broadcast(t.hi);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      if constexpr (kWhole == 1) first[r] = Vec::min(Vec::max(first[r], lo), hi);
      last[r] = Last::min(Last::max(last[r], Last::narrow(lo)), Last::narrow(hi));
    }
    const int32_t lanes = t.channels - kWhole * kLanes;  // of the last vector, at least 1
    if (lanes != Last::kLanes) {
      // Rare enough to be kept small: by way of memory.
      float rows[kRows * kWidth];
      for (int r = 0; r < kRows; ++r) {
        if constexpr (kWhole == 1) Vec::store(rows + r * kWidth, first[r]);
        Last::store(rows + r * kWidth + kWhole * kLanes, last[r]);
      }
      return finish_partial<kWhole, Last>(t, rows, kRows, lanes);
    }
    if (t.residual) {
      const auto residual_lo = Vec::broadcast(t.residual_lo), residual_hi = Vec::broadcast(t.residual_hi);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const float* skip = t.residual[r] + t.out_offset;
        if constexpr (kWhole == 1) {
          first[r] = Vec::min(Vec::max(Vec::add(Vec::load(skip), first[r]), residual_lo), residual_hi);
        }
        last[r] = Last::add(Last::load(skip + kWhole * kLanes), last[r]);
        last[r] = Last::min(Last::max(last[r], Last::narrow(residual_lo)), Last::narrow(residual_hi));
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      float* out = t.out[r] + t.out_offset;
      if constexpr (kWhole == 1) Vec::store(out, first[r]);
      Last::store(out + kWhole * t.vector_stride, last[r]);
    }
  }

  // The end of a tile whose last vector has only `lanes` channels.
  template <int kWhole, class Last>
  static void finish_partial(const GemmTile& t, const float* in, int32_t rows, int32_t lanes) {
    constexpr int32_t kWidth = kWhole * kLanes + Last::kLanes;
    const auto lo = Vec::broadcast(t.residual_lo), hi = Vec::broadcast(t.residual_hi);
    for (int32_t r = 0; r < rows; ++r, in += kWidth) {
      float* out = t.out[r] + t.out_offset;
      const float* skip = t.residual ? t.residual[r] + t.out_offset : nullptr;
      if constexpr (kWhole == 1) {
        auto x = Vec::load(in);
        if (skip) x = Vec::min(Vec::max(Vec::add(Vec::load(skip), x), lo), hi);
        Vec::store(out, x);
      }
      auto x = Last::load(in + kWhole * kLanes);
      if (skip) {
        x = Last::add(Last::load_first(skip + kWhole * kLanes, lanes), x);
        x = Last::min(Last::max(x, Last::narrow(lo)), Last::narrow(hi));
      }
      Last::store_first(out + kWhole * t.vector_stride, x, lanes);
    }
  }
};

}  // namespace mobilenetv2

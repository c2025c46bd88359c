// Matrix product tiles of the float kernels, for every ISA: pixels, as many as registers hold sums of, by a panel of up
// to two vectors of output channels. Include inside S's target region, after the standard headers: everything here is a
// template on S, so no instruction leaks into shared functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/simd/f32_lanes.h"

namespace mobilenetv2 {

// Tiles of one panel. They are passed by reference and read member by member: a copy, made in vectors of members that
// were just stored one by one, waits until all of these are in the cache (a tenth of the time at small depths).
//
// Every output is bias + x[0]*w[0] + x[1]*w[1] + ... in this order, one fma a step, whatever the
// tile's size: results do not depend on how pixels were grouped. With `half`, it is the sum of two such: of the depths
// before it, which has the bias and the skip connection, and of those behind it.
struct GemmTile {
  // Pixel r, depth d: a[(d / group) * group_stride + d % group + r * pixel stride (a template argument)].
  const float* a = nullptr;
  size_t group_stride = 0;
  int32_t depth = 0, group = 0;
  int32_t half = 0;                // whole groups; with it nothing is clamped, and vector_stride is a vector
  const float* bias = nullptr;     // [width]
  const float* weights = nullptr;  // [depth][width]
  // What is read next, fetched meanwhile, evenly over the steps of all tiles. Null: what lies behind the weights.
  const float* prefetch = nullptr;
  int32_t prefetch_floats = 0;
  // Vector v of pixel r goes to out[r] + out_offset + v * vector_stride; `channels` of the panel's width are stored.
  float* const* out = nullptr;
  size_t out_offset = 0, vector_stride = 0;
  int32_t channels = 0;
  bool defer_stores = false;  // where S::kDeferStores; else tall tiles
  float lo = 0, hi = 0;
  // Skip connection: null, or y = clamp(residual[r][out_offset + channel] + y).
  const float* const* residual = nullptr;
  float residual_lo = 0, residual_hi = 0;
};

// At the start of a loop whose time depends on where the compiler happens to place it (Zen 4: by up to a tenth).
inline void align_loop() {
#if defined(__GNUC__) && defined(__x86_64__)
  __asm__ volatile(".p2align 6");
#endif
}

template <class S>
struct F32Tile {
  using Vec = typename S::Vec;
  using Half = typename S::Half;
  static constexpr int32_t kLanes = Vec::kLanes;

  // A pixel's outputs of a panel, as registers; of the last one only the first half may be in use.
  template <class U, int kUnits, bool kHalfLast = false>
  struct Units {
    using Unit = U;
    using Reg = typename Unit::Reg;
    static constexpr int kCount = kUnits;
    static constexpr int kFloats = kUnits * Unit::kLanes - (kHalfLast ? Half::kLanes : 0);

    // Register u of `p`.
    static Reg load(const float* p, int u) {
      if constexpr (kHalfLast) {
        if (u == kUnits - 1) return Unit::load_half(p + u * Unit::kLanes);
      }
      return Unit::load(p + u * Unit::kLanes);
    }
    // Register u, to its own place.
    static void store(float* p, int u, Reg x) {
      if constexpr (kHalfLast) {
        if (u == kUnits - 1) return Unit::store_half(p, x);
      }
      Unit::store(p, x);
    }
  };

  // Tiles of one panel width: as whole vectors if that can be, else as half ones (a whole and a half vector would leave
  // pipes idle where, as on Zen 4, a whole one takes them twice). As many pixels as the registers have sums.
  //
  // A tile's stores, in a burst at its end, cost as much as three steps of depth. With deferred stores the results stay
  // in registers and are stored during the first steps of the next tile: half as many pixels, but a tenth faster at
  // small depths. Three vectors a pixel do not leave the registers for it.
  //
  // That is so where vectors are executed in halves (StageArgs::halved_vectors). Elsewhere stores cost less, and tall
  // tiles, of twice as many pixels and stored at their end, are a tenth faster (Intel's Granite Rapids): more sums wait
  // for each other less. Half vectors run at half the rate of whole ones there, so that three of them are a whole one
  // and the first half of another.
  template <int kHalves>
  struct Shape {
    using Unit = std::conditional_t<kHalves * Half::kLanes % kLanes == 0, Vec, Half>;
    static constexpr int kUnits = kHalves * Half::kLanes / Unit::kLanes;
    using Width = Units<Unit, kUnits>;
    static constexpr bool kDefer = S::kDeferStores && kUnits <= 2;
    // With lanes, a pixel has a register more: a narrow panel gets no more pixels than a wide one. Of nine pixels one
    // is left out: eight leave nothing over of rows of 56.
    static constexpr int kMost = S::kLaneFma ? S::kSums / 2 : S::kSums / kUnits / (kDefer ? 2 : 1);
    static constexpr int kRows = kMost == 9 ? 8 : kMost;
    using TallWidth = std::conditional_t<kHalves == 3, Units<Vec, 2, true>, Width>;
    static constexpr int kTallRows = S::kSums / TallWidth::kCount;
  };

  // Pixels [begin, end) by a panel of kHalves half vectors, kPixel floats apart in t.a.
  template <int kPixel, int kHalves>
  static void run(const GemmTile& t, int32_t begin, int32_t end) {
    using Width = typename Shape<kHalves>::Width;
    constexpr int kRows = Shape<kHalves>::kRows, kWidth = Width::kFloats;
    constexpr bool kDefer = Shape<kHalves>::kDefer;
    const bool behind = t.prefetch == nullptr;
    const int32_t floats = behind ? t.depth * kWidth : t.prefetch_floats;
    const int32_t steps = t.depth * std::max((end - begin + kRows - 1) / kRows, 1);
    Ahead ahead{behind ? t.weights + floats : t.prefetch, static_cast<size_t>((floats + steps - 1) / steps)};
    if constexpr (S::kDeferStores && (kHalves == 4 || (kHalves == 3 && kPixel == kLanes))) {
      constexpr int32_t kTall = Shape<kHalves>::kTallRows;
      if (!t.defer_stores && t.channels == kWidth && end - begin >= kTall) {
        Ahead tall{ahead.at, ahead.step * kTall / kRows};
        begin = whole_tiles<kPixel, typename Shape<kHalves>::TallWidth, kTall, false>(t, &tall, begin, end);
        ahead.at = tall.at;
      }
    }
    if (t.channels == kWidth && end - begin >= kRows && (!kDefer || std::min(t.depth, t.group) >= kRows)) {
      begin = whole_tiles<kPixel, Width, kRows, kDefer>(t, &ahead, begin, end);
    }
    static constexpr auto kTiles = part_tiles<kPixel, Width>(std::make_index_sequence<kRows>());
    while (begin < end) {
      const int32_t rows = std::min<int32_t>(end - begin, kRows);
      kTiles[static_cast<size_t>(rows - 1)](t, ahead, begin);
      begin += rows;
      ahead.at += static_cast<size_t>(t.depth) * ahead.step;
    }
  }

 private:
  // Where fetching ahead is, and how far it goes with every step of a tile.
  struct Ahead {
    const float* at;
    size_t step;
  };

  // As many tiles of kRows pixels as there are in [begin, end). Returns their end, and moves fetching ahead behind
  // them.
  template <int kPixel, class Width, int kRows, bool kDefer>
  static int32_t whole_tiles(const GemmTile& t, Ahead* ahead, int32_t begin, int32_t end) {
    const int32_t tiles = (end - begin) / kRows;
    constexpr bool kPacked = kPixel == kLanes;  // pixels of the stem are not, and have no skip connection
    if (kPacked && t.residual) {
      whole_tiles<kPixel, Width, kRows, kDefer, kPacked>(t, *ahead, begin, tiles);
    } else {
      whole_tiles<kPixel, Width, kRows, kDefer, false>(t, *ahead, begin, tiles);
    }
    ahead->at += static_cast<size_t>(tiles) * static_cast<size_t>(t.depth) * ahead->step;
    return begin + tiles * kRows;
  }

  // `tiles` tiles of kRows pixels, from pixel `first` on, and all channels of the panel.
  template <int kPixel, class Width, int kRows, bool kDefer, bool kResidual>
  static void whole_tiles(const GemmTile& tile, const Ahead& prefetch, int32_t first, int32_t tiles) {
    using Unit = typename Width::Unit;
    using Reg = typename Width::Reg;
    constexpr int kUnits = Width::kCount, kWidth = Width::kFloats;
    const GemmTile t = tile;  // its members, in registers
    const Clamp<Unit> clamp(t.lo, t.hi);
    Reg done[kRows][kUnits];
    if constexpr (kDefer) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int u = 0; u < kUnits; ++u) done[r][u] = Unit::zero();
      }
    }
    // The zeros go to the first tile's place, before its results; added to what lies there, they change nothing.
    int32_t done_at = first;
    const float* ahead = prefetch.at;
    const size_t prefetch_step = prefetch.step, group_stride = t.group_stride;
    for (int32_t at = first; at < first + tiles * kRows; at += kRows) {
      Reg sum[kRows][kUnits];
      start<Width, kRows>(t, sum);
      const float* w = t.weights;
      const float* group = t.a + at * kPixel;
      const float* a = group;
      if constexpr (kDefer) {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          step<kPixel, Width, kRows, true>(a, w, ahead, sum);
          ++a, w += kWidth, ahead += prefetch_step;
          store<Width, kResidual>(t, clamp, done_at + r, done[r]);
          Unit::keep_order();
        }
      }
      int32_t left = t.depth;
      if constexpr (S::kLaneFma) {
        if (t.group == kLanes) {
          for (; left >= kLanes; left -= kLanes, group += group_stride)
            F32Lanes<Unit, kUnits, kRows>::template add<kPixel>(group, w, ahead, prefetch_step, sum);
          a = group;
        }
      }
      for (; left > 0; left -= t.group, group += group_stride, a = group) {
        const float* end = group + std::min(left, t.group);
        if constexpr (S::kLaneFma) {
          for (; end - a >= kLanes; a += kLanes)
            F32Lanes<Unit, kUnits, kRows>::template add<kPixel>(a, w, ahead, prefetch_step, sum);
        }
        align_loop();
        for (; a != end; ++a, w += kWidth, ahead += prefetch_step) step<kPixel, Width, kRows>(a, w, ahead, sum);
      }
      if constexpr (kDefer) {
        done_at = at;
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
          for (int u = 0; u < kUnits; ++u) done[r][u] = sum[r][u];
        }
      } else {
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) store<Width, kResidual>(t, clamp, at + r, sum[r]);
      }
    }
    if constexpr (kDefer) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) store<Width, kResidual>(t, clamp, done_at + r, done[r]);
    }
  }

  template <class Width, int kRows>
  static void start(const GemmTile& t, typename Width::Reg (&sum)[kRows][Width::kCount]) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int u = 0; u < Width::kCount; ++u) sum[r][u] = Width::load(t.bias, u);
    }
  }

  // One step of depth: sum[r][u] += a[r] * w[u].
  //
  // Beside a store of the results of the tile before: a store of a register that was written long ago takes time from
  // the multiplications (Zen 4: one each, and more while values are loaded to registers of their own); so values are
  // operands in memory there, and keep_order() has results clamped right before they are stored.
  template <int kPixel, class Width, int kRows, bool kBesideStore = false>
  static void step(const float* a, const float* w, const float* ahead,
                   typename Width::Reg (&sum)[kRows][Width::kCount]) {
    using Unit = typename Width::Unit;
    constexpr int kUnits = Width::kCount;
    Unit::prefetch(ahead);
    typename Width::Reg weights[kUnits];
#pragma GCC unroll 4
    for (int u = 0; u < kUnits; ++u) {
      weights[u] = Width::load(w, u);
      if constexpr (kBesideStore) weights[u] = Unit::in_register(weights[u]);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const float* value = a + r * kPixel;
      if constexpr (kBesideStore) {
#pragma GCC unroll 4
        for (int u = 0; u < kUnits; ++u) sum[r][u] = Unit::fma_broadcast(value, weights[u], sum[r][u]);
      } else {
        const typename Unit::Reg x = Unit::broadcast(*value);
#pragma GCC unroll 4
        for (int u = 0; u < kUnits; ++u) sum[r][u] = Unit::fma(x, weights[u], sum[r][u]);
      }
    }
  }

  template <class Unit>
  struct Clamp {
    typename Unit::Reg lo, hi;
    Clamp(float low, float high) : lo(Unit::broadcast(low)), hi(Unit::broadcast(high)) {}
    typename Unit::Reg operator()(typename Unit::Reg x) const { return Unit::min(Unit::max(x, lo), hi); }
  };

  // Where unit u of a pixel's channels goes, from the pixel's first.
  template <class Unit>
  static size_t unit_offset(const GemmTile& t, int u) {
    constexpr int kPerVector = kLanes / Unit::kLanes;
    return static_cast<size_t>(u / kPerVector) * t.vector_stride + static_cast<size_t>(u % kPerVector) * Unit::kLanes;
  }

  template <class Width, bool kResidual>
  static void store(const GemmTile& t, const Clamp<typename Width::Unit>& clamp, int32_t pixel,
                    const typename Width::Reg (&sum)[Width::kCount]) {
    using Unit = typename Width::Unit;
    float* out = t.out[pixel] + t.out_offset;
#pragma GCC unroll 4
    for (int u = 0; u < Width::kCount; ++u) {
      auto y = clamp(sum[u]);
      if constexpr (kResidual) {
        const auto skip = Width::load(t.residual[pixel] + t.out_offset, u);
        y = Clamp<Unit>(t.residual_lo, t.residual_hi)(Unit::add(skip, y));
      }
      Width::store(out + unit_offset<Unit>(t, u), u, y);
    }
  }

  using TileFunction = void (*)(const GemmTile&, const Ahead&, int32_t first);

  template <int kPixel, class Width, size_t... kIndex>
  static constexpr std::array<TileFunction, sizeof...(kIndex)> part_tiles(std::index_sequence<kIndex...>) {
    return {{&part_tile<kPixel, Width, static_cast<int>(kIndex + 1)>...}};
  }

  // A tile of any number of pixels, channels and depth: what whole_tiles leaves over.
  template <int kPixel, class Width, int kRows>
  static void part_tile(const GemmTile& t, const Ahead& prefetch, int32_t first) {
    using Unit = typename Width::Unit;
    constexpr int kUnits = Width::kCount, kWidth = Width::kFloats;
    typename Width::Reg sum[kRows][kUnits];
    start<Width, kRows>(t, sum);
    const float* w = t.weights;
    const float* group = t.a + first * kPixel;
    const float* ahead = prefetch.at;
    for (int32_t left = t.depth; left > 0; left -= t.group, group += t.group_stride) {
      const float* a = group;
      const float* end = a + std::min(left, t.group);
      for (; a != end; ++a, w += kWidth, ahead += prefetch.step) {
        Unit::prefetch(ahead + 16);  // and step the line before: a single tile has the whole next panel to fetch
        step<kPixel, Width, kRows>(a, w, ahead, sum);
      }
    }
    float rows[kRows * kWidth];
    for (int r = 0; r < kRows; ++r) {
      for (int u = 0; u < kUnits; ++u) Unit::store(rows + r * kWidth + u * Unit::kLanes, sum[r][u]);
    }
    finish<Unit, kUnits>(t, rows, first, kRows);
  }

  // Out of line: part tiles of all sizes share it.
  template <class Unit, int kUnits>
  [[gnu::noinline]] static void finish(const GemmTile& t, const float* in, int32_t first, int32_t rows) {
    const Clamp<Unit> clamp(t.lo, t.hi), residual_clamp(t.residual_lo, t.residual_hi);
    for (int32_t r = first; r < first + rows; ++r) {
      float* out = t.out[r] + t.out_offset;
      const float* skip = t.residual ? t.residual[r] + t.out_offset : nullptr;
      for (int u = 0; u < kUnits; ++u, in += Unit::kLanes) {
        const int32_t lanes = std::min(t.channels - u * Unit::kLanes, Unit::kLanes);
        auto y = clamp(Unit::load(in));
        if (skip) {
          y = Unit::add(Unit::load_first(skip + u * Unit::kLanes, lanes), y);
          y = residual_clamp(y);
        }
        Unit::store_first(out + unit_offset<Unit>(t, u), y, lanes);
      }
    }
  }
};

}  // namespace mobilenetv2

// Products whose outputs go into NHWC rows: the stem, projections, whole 1x1 convolutions and the classifier. Include
// inside a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/simd/qu8_product.h"

namespace mobilenetv2::qu8 {

// A convolution's output rows of a tile into NHWC rows.
template <class V>
struct RowTarget {
  uint8_t* row[2];   // where column 0 of either row of the tile goes, first channel; the same when there is one row
  int32_t channels;  // values per pixel
  int32_t stride;    // from one column to the next
};

template <class V, class Pixels, int R, int C>
struct RowProduct {
  // Few 1x1 convolutions of whole networks end in half a panel: not worth the code.
  static constexpr bool kMayHalve = V::kHasHalf && std::is_same_v<Pixels, TilePixels<V>>;

  // One panel: product, requantisation, store.
  static void run(const Pixels& pixels, const uint8_t* panel, const ProductArgs& args, const RowTarget<V>& to,
                  int32_t p) {
    switch (panel_shape<V>(to.channels, p, kMayHalve)) {
      case kOne:
        if constexpr (!V::kWholePanels) store<kOne>(pixels, panel, args, to, p);
        return;
      case kTwo:
        return store<kTwo>(pixels, panel, args, to, p);
      case kOneAndHalf:
        if constexpr (kMayHalve) store<kOneAndHalf>(pixels, panel, args, to, p);
    }
  }

  template <Shape kShape>
  [[gnu::always_inline]] static void store(const Pixels& pixels, const uint8_t* panel, const ProductArgs& args,
                                           const RowTarget<V>& to, int32_t p) {
    typename Product<V, R, C, kShape>::Words words;
    Product<V, R, C, kShape>::accumulate(pixels, panel, args, words);
    finish<kShape>(words, panel, args, to, p);
  }

  template <Shape kShape>
  [[gnu::always_inline]] static void finish(typename Product<V, R, C, kShape>::Words& words, const uint8_t* panel,
                                            const ProductArgs& args, const RowTarget<V>& to, int32_t p) {
    if constexpr (V::kWholePanels) return finish_whole<kShape>(words, panel, args, to, p);
    using P = Product<V, R, C, kShape>;
    const int n = std::min(to.channels - p * kPanel<V>, kPanel<V>);
    P::finish(panel, args, words, [&](const auto& outputs, int c) {
      uint8_t* row0 = to.row[0] + c * to.stride + p * kPanel<V>;
      uint8_t* row1 = to.row[R - 1] + c * to.stride + p * kPanel<V>;
      if constexpr (kShape == kTwo) {
        V::store_rows(P::column(outputs, c, args), row0, row1, n);
      } else if constexpr (kShape == kOneAndHalf) {
        V::store_three_quarter_rows(P::column(outputs, c, args), row0, row1, n);
      } else {
        const auto rows = P::pack16(outputs[0][c][0], outputs[R - 1][c][0], args);
        V::store_half_rows(P::clamp(V::pack8(rows, rows), args), row0, row1, n);
      }
    });
  }

  // Without a branch per column: what a panel has less than kPanel channels goes through a buffer.
  template <Shape kShape>
  [[gnu::always_inline]] static void finish_whole(typename Product<V, R, C, kShape>::Words& words, const uint8_t* panel,
                                                  const ProductArgs& args, const RowTarget<V>& to, int32_t p) {
    const int n = std::min(to.channels - p * kPanel<V>, kPanel<V>);
    const bool whole = n == kPanel<V>;
    uint8_t part[2][C * kPanel<V>];
    uint8_t* const target[2] = {to.row[0] + p * kPanel<V>, to.row[R - 1] + p * kPanel<V>};
    uint8_t* const row0 = whole ? target[0] : part[0];
    uint8_t* const row1 = whole ? target[1] : part[R - 1];
    const int32_t stride = whole ? to.stride : kPanel<V>;
    Product<V, R, C, kShape>::finish(panel, args, words, [&](auto bytes, int c) {
      V::store_rows(bytes, row0 + c * stride, row1 + c * stride, kPanel<V>);
    });
    for (int i = 0; i < R * C && !whole; ++i) {
      std::memcpy(target[i / C] + i % C * to.stride, part[i / C] + i % C * kPanel<V>, static_cast<size_t>(n));
    }
  }
};

// RowProduct by shape, 1 <= rows <= 2, 1 <= columns <= kTileCols.
template <class V, class Pixels>
using RowTile = void (*)(const Pixels&, const uint8_t*, const ProductArgs&, const RowTarget<V>&, int32_t);

template <class V, class Pixels, int... C>
RowTile<V, Pixels> row_tile(int rows, int columns, std::integer_sequence<int, C...>) {
  static constexpr RowTile<V, Pixels> kTiles[2][sizeof...(C)] = {{RowProduct<V, Pixels, 1, C + 1>::run...},
                                                                 {RowProduct<V, Pixels, 2, C + 1>::run...}};
  return kTiles[rows - 1][columns - 1];
}

template <class V, class Pixels = TilePixels<V>>
RowTile<V, Pixels> row_tile(int rows, int columns) {
  return row_tile<V, Pixels>(rows, columns, std::make_integer_sequence<int, V::kTileCols>());
}

}  // namespace mobilenetv2::qu8

// A tile of a quantised 1x1 convolution: product, requantisation, store. The outputs become NHWC rows (the stem,
// projections, whole convolutions, the classifier) or row pairs (expansions). Include inside a target region; V is the
// vector type of simd/*_qu8_*.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/simd/qu8_product.h"

namespace mobilenetv2::qu8 {

// Where the outputs of a tile by a panel go.
struct Target {
  // Column 0 of the first row, from the panel's first channel on; of row pairs: the first pair.
  uint8_t* row;
  ptrdiff_t second;  // bytes to the second row; 0 when there is one
  size_t stride;     // bytes from one column to the next
  int channels;      // of the panel
  bool pairs;        // row pairs, else rows
  int half;          // with one row: which of a pair it is

  void advance(int columns) { row += columns * stride; }
};

// Panel p of rows with `channels` values per pixel.
template <class V>
Target row_target(uint8_t* row0, uint8_t* row1, size_t stride, int32_t channels, int32_t p) {
  const int32_t first = p * kPanel<V>;
  return {row0 + first, row1 - row0, stride, std::min(channels - first, kPanel<V>), false, 0};
}

template <class V>
Target pair_target(uint8_t* pairs, int half) {
  return {pairs, 0, kVectorBytes<V>, kPanel<V>, true, half};
}

// What does not depend on a tile's size.
template <class V>
struct TileOutputs {
  using Int = typename V::Int;
  using Q = Requantize<V>;

  // Stores n channels of column c. `bytes` has all that the shape has: lanes [8 channels of row 0][8 of row 1];
  // with one vector, 4, 4 zeros, 4, 4 zeros.
  [[gnu::always_inline]] static void store_rows(Int bytes, int rows, Shape shape, const Target& to, int c, int n) {
    uint8_t* row0 = to.row + c * to.stride;
    uint8_t* row1 = rows == 2 ? row0 + to.second : row0;
    if constexpr (V::kHasHalf) {
      if (shape == kOneAndHalf) return V::store_three_quarter_rows(bytes, row0, row1, n);
    }
    if constexpr (!V::kWholePanels) {
      if (shape == kOne) return V::store_half_rows(bytes, row0, row1, n);
    }
    V::store_rows(bytes, row0, row1, n);
  }

  [[gnu::always_inline]] static void store_pair(Int bytes, int rows, const Target& to, int c) {
    uint8_t* pair = to.row + c * to.stride;
    const Int x = V::interleave(bytes);
    V::store(pair, rows == 2 ? x : V::merge_row(V::load(pair), x, to.half));
  }

  // Stores the outputs of a panel with fewer channels than its vectors. Out of line, as what is rare: tiles of all
  // sizes share it.
  [[gnu::noinline]] static void store_part(const Int* bytes, int rows, int columns, Shape shape, const Target& to) {
    for (int c = 0; c < columns; ++c) store_rows(bytes[c], rows, shape, to, c, to.channels);
  }

  // Requantises and stores the first `columns` of accumulators [rows][acc_columns][vectors] where a vector has no fast
  // form or an accumulator is exceptional. Out of line, too.
  [[gnu::noinline]] static void finish_rare(const Int* acc, int rows, int acc_columns, int columns, Shape shape,
                                            const uint8_t* panel, const ProductArgs& args, const Target& to) {
    const int vectors = vectors_of(shape);
    for (int c = 0; c < columns; ++c) {
      Int packed[2];
      for (int r = 0; r < rows; ++r) {
        Int words[2] = {V::zero(), V::zero()};
        for (int v = 0; v < vectors; ++v) {
          words[v] = Q::any(panel, v, args.zero_point, args.positive, acc[(r * acc_columns + c) * vectors + v]);
        }
        packed[r] = V::pack16(words[0], words[1]);
        if (!args.positive) packed[r] = V::add16(packed[r], V::set16(args.zero_point));
      }
      const Int bytes = V::clamp8(V::pack8(packed[0], packed[rows - 1]), V::set8(args.min_q), V::set8(args.max_q));
      if (to.pairs) {
        store_pair(bytes, rows, to, c);
      } else {
        store_rows(bytes, rows, shape, to, c, to.channels);
      }
    }
  }
};

// On the matrix unit it may have fewer columns than C: the sums of the others are whatever they are, and not stored. Of
// a narrow tensor only if nothing is left to vectors, which would read those pixels.
template <class V, int R, int C, Shape kShape>
struct Tile {
  using P = Product<V, R, C, kShape>;
  using Int = typename V::Int;
  using Q = Requantize<V>;
  using Words = typename P::Words;
  using Outputs = TileOutputs<V>;
  static constexpr int NV = P::NV;
  static constexpr int kChannels = kShape == kOneAndHalf ? V::kWords * 3 / 2 : NV * V::kWords;

  // `count` tiles, one after the other.
  template <bool kMatrixUnit>
  [[gnu::always_inline]] static void run(const Pixels<V>& first, const uint8_t* panel, const ProductArgs& args,
                                         const Target& first_target, int32_t count, int columns) {
    Pixels<V> pixels = first;
    Target to = first_target;
    for (;;) {
      run_one<kMatrixUnit>(pixels, panel, args, to, columns);
      if (--count == 0) return;
      pixels.next_tile();
      to.advance(columns);
    }
  }

 private:
  template <bool kMatrixUnit>
  [[gnu::always_inline]] static void run_one(const Pixels<V>& pixels, const uint8_t* panel, const ProductArgs& args,
                                             const Target& to, int columns) {
    Words acc;
    if constexpr (kMatrixUnit) {
      P::accumulate_on_matrix_unit(pixels, panel, args, acc);
    } else {
      P::accumulate(pixels, panel, args, acc);
    }
    Int bytes[C];
    if constexpr (V::kFixedPoint) {
      if (!is_fast(panel)) Q::template shift_left<NV>(panel, &acc[0][0][0], R * C);
    } else if (!is_fast(panel) || meets_patch(panel, acc, std::make_integer_sequence<int, R * C>())) {
      Words spilled;
#pragma GCC unroll 32
      for (int i = 0; i < R * C * NV; ++i) word(spilled, i) = word(acc, i);
      return Outputs::finish_rare(&spilled[0][0][0], R, C, columns, kShape, panel, args, to);
    }
    args.positive ? requantize<true>(panel, args, acc, bytes) : requantize<false>(panel, args, acc, bytes);
    store<kMatrixUnit>(bytes, to, columns);
  }

  static Int& word(Words& words, int i) { return words[i / (C * NV)][i / NV % C][i % NV]; }

  static bool is_fast(const uint8_t* panel) { return reinterpret_cast<const PanelHeader*>(panel)->is_fast(); }

  template <int... I>
  [[gnu::always_inline]] static bool meets_patch(const uint8_t* panel, const Words& acc,
                                                 std::integer_sequence<int, I...>) {
    if (!reinterpret_cast<const PanelHeader*>(panel)->is_patched()) return false;
    bool any = Q::meets_patch(panel, 0, acc[I / C][I % C][0]...);
    if (NV == 2) any |= Q::meets_patch(panel, 1, acc[I / C][I % C][NV - 1]...);
    return any;
  }

  // Accumulators to bytes, column by column, without branches: processors that execute in order hide the latencies of
  // one column behind the others.
  template <bool kPositive>
  [[gnu::always_inline]] static void requantize(const uint8_t* panel, const ProductArgs& args, Words& acc, Int* bytes) {
    typename V::Float scale[NV], offset[NV];
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      scale[v] = Q::float_constant(panel, Q::kScale, v);
      offset[v] = Q::float_constant(panel, Q::kOffset, v);
    }
    const Int zero_point = V::set16(args.zero_point);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      Int packed[R];
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) {
        Int words[2] = {V::zero(), V::zero()};
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) {
          words[v] = kPositive ? Q::fast_positive(acc[r][c][v], scale[v], offset[v])
                               : Q::fast_signed(acc[r][c][v], scale[v], offset[v]);
        }
        packed[r] = V::pack16(words[0], words[1]);
        if (!kPositive) packed[r] = V::add16(packed[r], zero_point);
      }
      bytes[c] = V::pack8(packed[0], packed[R - 1]);
      if (V::kFixedPoint) bytes[c] = V::clamp8(bytes[c], V::set8(args.min_q), V::set8(args.max_q));
    }
    if (V::kFixedPoint || !args.clamps) return;
    const Int low = V::set8(args.min_q), high = V::set8(args.max_q);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) bytes[c] = V::clamp8(bytes[c], low, high);
  }

  template <bool kMatrixUnit>
  [[gnu::always_inline]] static void store(const Int* bytes, const Target& to, int columns) {
    const auto none_left = [columns](int c) { return kMatrixUnit && c >= columns; };
    if (to.pairs) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        if (none_left(c)) return;
        Outputs::store_pair(bytes[c], R, to, c);
      }
    } else if (to.channels == kChannels) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        if (none_left(c)) return;
        Outputs::store_rows(bytes[c], R, kShape, to, c, kChannels);
      }
    } else if constexpr (V::kHasHalf && kShape == kOne) {  // masked, and not rare: eight channels
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        if (none_left(c)) return;
        Outputs::store_rows(bytes[c], R, kShape, to, c, to.channels);
      }
    } else {
      Int spilled[C];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) spilled[c] = bytes[c];
      Outputs::store_part(spilled, R, columns, kShape, to);
    }
  }
};

template <class V, int R, int C, bool kMatrixUnit>
void run_tiles_of(const Pixels<V>& pixels, const uint8_t* panel, const ProductArgs& args, const Target& to, Shape shape,
                  int32_t count, int matrix_columns) {
  const int columns = kMatrixUnit ? matrix_columns : C;
  switch (shape) {
    case kOne:
      if constexpr (!V::kWholePanels) {
        Tile<V, R, C, kOne>::template run<kMatrixUnit>(pixels, panel, args, to, count, columns);
      }
      return;
    case kTwo:
      return Tile<V, R, C, kTwo>::template run<kMatrixUnit>(pixels, panel, args, to, count, columns);
    case kOneAndHalf:
      if constexpr (V::kHasHalf) {
        Tile<V, R, C, kOneAndHalf>::template run<kMatrixUnit>(pixels, panel, args, to, count, columns);
      }
  }
}

template <class V, int R, int C>
void run_tiles(const Pixels<V>& pixels, const uint8_t* panel, const ProductArgs& args, const Target& to, Shape shape,
               int32_t count) {
  if constexpr (V::kHasMatrixUnit) {
    const MatrixPart& m = args.matrix;
    const bool whole = C == V::kTileCols || (m.blocks * m.channels == 8 * args.k.chunks &&
                                             reinterpret_cast<const PanelHeader*>(panel)->extra_steps == 0);
    if (m.blocks > 0 && (m.columns == 0 || (m.columns == C && whole))) {
      return run_tiles_of<V, R, V::kTileCols, true>(pixels, panel, args, to, shape, count, C);
    }
  }
  run_tiles_of<V, R, C, false>(pixels, panel, args, to, shape, count, C);
}

// run_tiles by size, 1 <= rows <= 2, 1 <= columns <= kTileCols.
template <class V>
using RunTiles = void (*)(const Pixels<V>&, const uint8_t*, const ProductArgs&, const Target&, Shape, int32_t);

template <class V, int... C>
RunTiles<V> tiles_of(int rows, int columns, std::integer_sequence<int, C...>) {
  static constexpr RunTiles<V> kTiles[2][sizeof...(C)] = {{run_tiles<V, 1, C + 1>...}, {run_tiles<V, 2, C + 1>...}};
  return kTiles[rows - 1][columns - 1];
}

template <class V>
RunTiles<V> tiles_of(int rows, int columns) {
  return tiles_of<V>(rows, columns, std::make_integer_sequence<int, V::kTileCols>());
}

}  // namespace mobilenetv2::qu8

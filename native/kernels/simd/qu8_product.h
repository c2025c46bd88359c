// The matrix product of the quantised kernels: up to 2 x kTileCols pixels by one panel of channels, accumulators in
// registers. Include inside a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/simd/qu8_pack.h"

namespace mobilenetv2::qu8 {

// Where the pixels of a product's tile lie, and the next tiles': in A tiles.
template <class V>
struct TilePixels {
  const uint8_t* a;
  size_t tile;  // bytes from a tile to the next
  TilePixels(const uint8_t* a, size_t tile) : a(a), tile(tile) {}
  void next_tile() { a += tile; }
  const uint8_t* at(int r, int c) const { return a + c * V::kColBytes + r * (ATile<V>::kLaneBytes / 2); }
};

// The same, one after the other in two rows: of a narrow tensor, or of an A tile.
template <class V>
struct StridedPixels {
  const uint8_t* row[2];
  size_t column, column3, column5;  // bytes from a pixel to the next, to the third and the fifth
  size_t tile;                      // from a tile to the next

  StridedPixels(const uint8_t* a, size_t tile)
      : StridedPixels(a, a + ATile<V>::row_bytes(tile), ATile<V>::column_bytes(tile), tile) {}
  StridedPixels(const uint8_t* row0, const uint8_t* row1, int32_t channels, int32_t columns)
      : StridedPixels(row0, row1, static_cast<size_t>(channels), static_cast<size_t>(columns) * channels) {}

  void next_tile() {
    row[0] += tile;
    row[1] += tile;
  }

  // To the next channels of all pixels.
  void advance(int32_t bytes) {
    row[0] += bytes;
    row[1] += bytes;
#if defined(__GNUC__)
    // Keeps the compiler from giving every pixel a pointer or an offset of its own, for which there are no registers:
    // these multiples are all that x86 addresses need.
    __asm__("" : "+r"(row[0]), "+r"(row[1]));
#endif
  }
  [[gnu::always_inline]] const uint8_t* at(int r, int c) const {
    constexpr int kFactor[] = {0, 1, 2, 1, 4, 1, 2};
    const size_t unit = c == 3 || c == 6 ? column3 : c == 5 ? column5 : column;
    return row[r] + kFactor[c] * unit;
  }

 private:
  StridedPixels(const uint8_t* row0, const uint8_t* row1, size_t column, size_t tile)
      : row{row0, row1}, column(column), column3(3 * column), column5(5 * column), tile(tile) {}
};

// Vectors that broadcast words can read pixels from where they lie.
template <class V>
using Pixels = std::conditional_t<V::kReadsRows, StridedPixels<V>, TilePixels<V>>;

// What of a product goes to a matrix unit, where V has one: its first blocks of channels.
struct MatrixPart {
  bool present = false;              // the kernel uses the unit, be it not for this product
  int32_t blocks = 0, channels = 0;  // of a block; none: nothing goes there
  int32_t columns = 0;               // of the tiles that go there; 0: all do, as A tiles do not depend on their columns
};

// Products of few channels are not worth the matrix unit: their sums come from there through memory.
template <class V>  // in the name: objects of one instruction set share no functions with others
MatrixPart matrix_part(KShape k, From from, int32_t columns) {
  constexpr int32_t kMost = 64, kLeast = 32, kLeastColumns = 4;
  const int32_t channels = 8 * k.chunks;
  if (channels < (from == From::tensor ? kLeast : 2 * kLeast)) return {true};
  if (from == From::tiles) {
    columns = 0;
  } else if (columns < kLeastColumns) {
    return {true};
  }
  // As many as fit of which none are left over, if possible.
  int32_t block = std::min(channels, kMost);
  while (block > kLeast && channels % block != 0) block -= 8;
  return {true, channels / block, block, columns};
}

// What a product needs of a packed convolution beside the panel.
struct ProductArgs {
  KShape k;
  const uint8_t* extra;  // the convolution's extra steps
  int32_t zero_point, min_q, max_q;
  bool positive;
  bool clamps;  // beyond what packing to bytes does
  MatrixPart matrix;
};

template <class V>
ProductArgs product_args(const Conv& conv, KShape k, const uint8_t* packed, const MatrixPart& matrix = {}) {
  const size_t panels = panel_count<V>(conv.out_channels) * ProductPacking<V>::full_panel_bytes(k);
  return {k,          packed + panels,      conv.output_zero_point, conv.min_q,
          conv.max_q, is_positive<V>(conv), clamps(conv),           matrix};
}

// R x C pixels by a panel of kShape, R <= 2.
template <class V, int R, int C, Shape kShape>
struct Product {
  static constexpr int NV = vectors_of(kShape);
  using Int = typename V::Int;
  using Q = Requantize<V>;
  using A = ATile<V>;
  using Words = Int[R][C][NV];

  // One step of kGroup channels: every pixel's word times the panel's weights.
  template <class From>
  [[gnu::always_inline]] static void step(const From& pixels, size_t at, const uint8_t* w, Words& acc) {
    typename V::Weights weights[NV];
    for (int v = 0; v < NV; ++v) weights[v] = V::load_weights(w + v * V::kWeightBytes);
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        typename V::Pixel pixel = V::broadcast(pixels.at(r, c) + at);
        if constexpr (kShape == kOneAndHalf) pixel = V::whole_and_half(pixel);
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) {
          if constexpr (kShape == kOneAndHalf) {
            if (v == 1) {
              acc[r][c][v] = V::dot_half(acc[r][c][v], pixel, weights[v]);
              continue;
            }
          }
          acc[r][c][v] = V::dot(acc[r][c][v], pixel, weights[v]);
        }
      }
    }
  }

  // kSteps steps on a chunk (or half one) of 8 channels.
  template <int kSteps>
  [[gnu::always_inline]] static void steps(const uint8_t* a, const uint8_t* w, Words& acc) {
    if constexpr (V::kProduct == ProductForm::lanes) {
      typename V::Weights weights[kSteps][NV];
#pragma GCC unroll 4
      for (int i = 0; i < kSteps * NV; ++i) weights[i / NV][i % NV] = V::load_weights(w + i * V::kWeightBytes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const typename V::Pixel pixels = V::load_pixels(a + c * V::kColBytes);
#pragma GCC unroll 2
        for (int s = 0; s < kSteps; ++s) {
#pragma GCC unroll 4
          for (int i = 0; i < R * NV; ++i) {
            Int& words = acc[i / NV][c][i % NV];
            words = V::dot_word(words, pixels, 2 * (i / NV) + s, weights[s][i % NV]);
          }
        }
      }
    } else {
#pragma GCC unroll 4
      for (int s = 0; s < kSteps; ++s) step(TilePixels<V>{a, 0}, 4 * s, w + s * NV * V::kWeightBytes, acc);
    }
  }

  // A step of eight channels: two rows of a column by two outputs at a time.
  using Matrices = Int[C][2 * NV];
  [[gnu::always_inline]] static void matrix_step(const uint8_t* a, const uint8_t* w, Matrices& acc) {
    typename V::Weights weights[2 * NV];
#pragma GCC unroll 4
    for (int i = 0; i < 2 * NV; ++i) weights[i] = V::load_weights(w + i * V::kWeightBytes / 2);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const typename V::Pixel pixels = V::load_pixels(a + c * V::kColBytes);
#pragma GCC unroll 4
      for (int i = 0; i < 2 * NV; ++i) acc[c][i] = V::dot_matrices(acc[c][i], pixels, weights[i]);
    }
  }

  [[gnu::always_inline]] static void accumulate_matrices(const uint8_t* a, const uint8_t* panel,
                                                         const ProductArgs& args, Words& words) {
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    Matrices acc;
#pragma GCC unroll 4
    for (int i = 0; i < 2 * NV; ++i) {
      const Int bias = Q::constant(panel, Q::kBias, i / 2);
      const Int twice = i % 2 == 0 ? V::first_halves(bias, bias) : V::second_halves(bias, bias);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[c][i] = twice;
    }
    const uint8_t* w = panel + Q::kHeaderBytes;
    const uint8_t* block = a;
    for (int32_t chunk = 0; chunk < args.k.chunks; ++chunk, block += A::kBlockBytes, w += NV * V::kWeightBytes) {
      matrix_step(block, w, acc);
    }
    for (int32_t e = 0; e < header->extra_steps; ++e) {
      const uint8_t* extra = args.extra + (header->extra_first + e) * ProductPacking<V>::kExtraBytes;
      matrix_step(a + *reinterpret_cast<const int32_t*>(extra), extra + kAlignment, acc);
    }
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) {
        words[0][c][v] = V::first_halves(acc[c][2 * v], acc[c][2 * v + 1]);
        if (R == 2) words[R - 1][c][v] = V::second_halves(acc[c][2 * v], acc[c][2 * v + 1]);
      }
    }
  }

  [[gnu::always_inline]] static void start(const uint8_t* panel, Words& acc) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      const Int bias = Q::constant(panel, Q::kBias, v);
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) acc[r][c][v] = bias;
      }
    }
  }

  [[gnu::always_inline]] static void accumulate_words(const uint8_t* a, const uint8_t* panel, const ProductArgs& args,
                                                      Words& acc) {
    constexpr int kPerChunk = 8 / V::kGroup, kPerHalf = 4 / V::kGroup, kStep = NV * V::kWeightBytes;
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    start(panel, acc);
    const uint8_t* w = panel + Q::kHeaderBytes;
    const uint8_t* block = a;
    int32_t chunks = args.k.chunks, lane = 0;
    while (chunks > 0) {
      const int32_t end = chunks < V::kLanes ? chunks : V::kLanes;
      for (lane = 0; lane < end; ++lane, w += kPerChunk * kStep) {
        steps<kPerChunk>(block + lane * A::kLaneBytes, w, acc);
      }
      chunks -= end;
      if (lane == V::kLanes) {
        block += A::kBlockBytes;
        lane = 0;
      }
    }
    for (int32_t half = 0; half < args.k.half_chunks; ++half, ++lane, w += kPerHalf * kStep) {
      steps<kPerHalf>(block + lane * A::kLaneBytes, w, acc);
    }
    for (int32_t e = 0; e < header->extra_steps; ++e) {
      const uint8_t* extra = args.extra + (header->extra_first + e) * ProductPacking<V>::kExtraBytes;
      step(TilePixels<V>{a, 0}, *reinterpret_cast<const int32_t*>(extra), extra + kAlignment, acc);
    }
  }

  [[gnu::always_inline]] static void accumulate(const TilePixels<V>& tile, const uint8_t* panel,
                                                const ProductArgs& args, Words& acc) {
    if constexpr (V::kProduct == ProductForm::matrices) {
      accumulate_matrices(tile.a, panel, args, acc);
    } else {
      accumulate_words(tile.a, panel, args, acc);
    }
  }

  [[gnu::always_inline]] static void accumulate(const StridedPixels<V>& first, const uint8_t* panel,
                                                const ProductArgs& args, Words& acc) {
    start(panel, acc);
    accumulate_from(0, first, panel, args, acc);
  }

  // The same, but what args.matrix says on the matrix unit.
  [[gnu::always_inline]] static void accumulate_on_matrix_unit(const StridedPixels<V>& first, const uint8_t* panel,
                                                               const ProductArgs& args, Words& acc) {
    const MatrixPart& m = args.matrix;
    const uint8_t* bias = Q::vector(panel, Q::kBias, 0);
    const uint8_t* weights = panel + Q::kHeaderBytes;
    static_assert(V::Matrix::kWideTilePixels == ATile<V>::kPixels);
    Int sums[2][V::kTileCols][NV];
    if (m.columns == 0) {
      V::Matrix::template multiply_wide<NV>(first.row[0], first.column, bias, weights, m.channels, m.blocks, sums);
    } else {
      V::Matrix::template multiply_narrow<R, NV>(first.row, first.column, bias, weights, m.channels, m.blocks, sums[0],
                                                 sums[1]);
    }
#pragma GCC unroll 32
    for (int i = 0; i < R * C * NV; ++i) {
      acc[i / (C * NV)][i / NV % C][i % NV] = sums[i / (C * NV)][i / NV % C][i % NV];
    }
    accumulate_from(m.blocks * m.channels / 8, first, panel, args, acc);
  }

  // From the chunk `from` on.
  [[gnu::always_inline]] static void accumulate_from(int32_t from, const StridedPixels<V>& first, const uint8_t* panel,
                                                     const ProductArgs& args, Words& acc) {
    constexpr int kStep = NV * V::kWeightBytes;
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    const uint8_t* w = panel + Q::kHeaderBytes + from * 2 * kStep;
    StridedPixels<V> pixels = first;
    pixels.row[0] += 8 * from;
    pixels.row[1] += 8 * from;
    for (int32_t i = from; i < args.k.chunks; ++i, w += 2 * kStep) {
      step(pixels, 0, w, acc);
      pixels.advance(4);
      step(pixels, 0, w + kStep, acc);
      pixels.advance(4);
    }
    for (int32_t half = 0; half < args.k.half_chunks; ++half, w += kStep) {
      step(pixels, 0, w, acc);
      pixels.advance(8);
    }
    for (int32_t e = 0; e < header->extra_steps; ++e) {
      const uint8_t* extra = args.extra + (header->extra_first + e) * ProductPacking<V>::kExtraBytes;
      step(first, *reinterpret_cast<const int32_t*>(extra), extra + kAlignment, acc);
    }
  }
};

// Columns of two rows of a narrow tensor (or of one, twice) as an A tile in plain order.
template <class V>
void fill_a_tile(const uint8_t* row0, const uint8_t* row1, int32_t channels, int32_t columns, uint8_t* a) {
  for (int32_t from = 0; from < channels; from += kPanel<V>, a += ATile<V>::kBlockBytes) {
    const int n = std::min(channels - from, kPanel<V>);
    const uint8_t* p0 = row0 + from;
    const uint8_t* p1 = row1 + from;
    for (int32_t c = 0; c < columns; ++c, p0 += channels, p1 += channels) {
      V::store_column(a + c * V::kColBytes, V::load_rows(p0, p1, n));
    }
  }
}

// A line of `size` columns in tiles of at most `most`, as even as possible, the larger ones first.
struct Split {
  int32_t size, parts;
  Split(int32_t size, int32_t most) : size(size), parts((size + most - 1) / most) {}
  int32_t begin(int32_t i) const { return size / parts * i + std::min(i, size % parts); }
  int32_t count(int32_t i) const { return size / parts + (i < size % parts); }

  // Calls visit(first tile, tiles, columns of each) for the tiles of either size in [from, to).
  template <class Visit>
  void for_each_size(int32_t from, int32_t to, const Visit& visit) const {
    const int32_t large = std::clamp(size % parts, from, to);
    if (from < large) visit(from, large - from, size / parts + 1);
    if (large < to) visit(large, to - large, size / parts);
  }
};

struct Range {
  int32_t begin, end;
};

// What slice `slice` of `slices` does of `count` things.
inline Range slice_range(int32_t count, int32_t slice, int32_t slices) {
  return {static_cast<int32_t>(int64_t{count} * slice / slices),
          static_cast<int32_t>(int64_t{count} * (slice + 1) / slices)};
}

}  // namespace mobilenetv2::qu8

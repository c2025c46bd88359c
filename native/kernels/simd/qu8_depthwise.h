// Depthwise 3x3 of one panel of channels from row pairs into an A tile. Include inside a target region; V is the
// vector type of simd/x86_qu8_*.h.
//
// A row pair holds two consecutive rows: per panel, per column, the pairs of bytes of the panel's channels. Two pairs
// unpacked give a word per channel with four rows, so a column of taps is one 4-byte multiply-accumulate, with weights
// {w0, w1, w2, 0} for the output row that starts at the first of the four rows and {0, w0, w1, w2} for the next one.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/simd/qu8_pack.h"
#include "kernels/simd/qu8_product.h"

namespace mobilenetv2::qu8 {

// Panels of a depthwise convolution: header, constants, then `parts` times (1, or more when weights do not fit s8)
// quad weights [low or high half of the panel][first row 0 or 1][kx].
template <class V>
class DepthwisePacking {
 public:
  static constexpr size_t kPartBytes = size_t{12} * V::kQuadWeightBytes;

  explicit DepthwisePacking(const Conv& conv) : conv_(conv) {}

  size_t bytes() const { return panel_count<V>(conv_.out_channels) * panel_bytes(parts()); }
  static size_t panel_bytes(int parts) { return Requantize<V>::kHeaderBytes + parts * kPartBytes; }

  void pack(uint8_t* packed) const {
    const int32_t channels = conv_.out_channels;
    const int all_parts = parts();
    for (int32_t p = 0; p < panel_count<V>(channels); ++p) {
      uint8_t* panel = packed + p * panel_bytes(all_parts);
      pack_constants<V>(conv_, p, panel_shape<V>(channels, p, false), Use::pairs, panel, [&](int32_t c) {
        WeightSums sums;
        for (int32_t tap = 0; tap < 9; ++tap) sums.add(conv_.weight(int64_t{tap} * channels + c));
        return sums;
      });
      auto* header = reinterpret_cast<PanelHeader*>(panel);
      header->extra_first = all_parts;
      const Shape shape = panel_shape<V>(channels, p, false);
      for (int v = 0; v < vectors_of(shape); ++v) {
        for (int w = 0; w < V::kWords; ++w) {
          const int32_t c = p * kPanel<V> + word_channel<V>(shape, v, w);
          if (c >= channels) continue;
          for (int32_t tap = 0; tap < 9; ++tap) {
            const int32_t weight = conv_.weight(int64_t{tap} * channels + c);
            for (int part = 0; part < all_parts; ++part) {
              const int32_t value = weight_part<V>(weight, part);
              if (part > 0 && value != 0) header->extra_steps |= 1 << (v * 3 + tap % 3);
              for (int first = 0; first < 2; ++first) {
                uint8_t* quad = panel + Requantize<V>::kHeaderBytes + part * kPartBytes +
                                ((v * 2 + first) * 3 + tap % 3) * V::kQuadWeightBytes;
                store_quad_weight(quad, w, tap / 3 + first, value);
              }
            }
          }
        }
      }
    }
  }

 private:
  // Weight of row `row` (of four) in word w. Wide weights: rows 0 and 1 in the first vector, 2 and 3 in the second.
  static void store_quad_weight(uint8_t* quad, int w, int row, int32_t value) {
    if (V::kWideWeights) {
      store_weight<V>(quad + row / 2 * kVectorBytes<V>, w, row % 2, value);
    } else {
      quad[V::quad_byte(w, row)] = static_cast<uint8_t>(value);
    }
  }

  // The same for every panel, so that panels lie at equal distances.
  int parts() const {
    int parts = 1;
    if (weights_are_whole<V>(conv_)) return parts;
    for (int64_t i = 0; i < int64_t{9} * conv_.out_channels; ++i) {
      while (weight_part<V>(conv_.weight(i), parts) != 0) ++parts;
    }
    return parts;
  }

  const Conv& conv_;
};

// Where one row of the tiles comes from: the two row pairs at the first tile's first input column, and which of the
// four rows its first tap reads.
struct DepthwiseSource {
  const uint8_t* old_pair;
  const uint8_t* new_pair;
  int first;
};

// Tiles [tile_begin, tile_end) of a line, tile_bytes apart in A, from one panel of the sources on.
struct DepthwiseArgs {
  DepthwiseSource source[2];  // of the tiles' two rows
  Split tiles;
  int32_t tile_begin, tile_end;
  size_t tile_bytes, column_bytes, row_bytes;  // from a tile, a column and a row to the next
  int32_t zero_point, min_q, max_q;
  bool positive;
  bool clamps;  // beyond what packing to bytes does
};

template <class V>
DepthwiseArgs depthwise_args(const Conv& conv, const DepthwiseSource& row0, const DepthwiseSource& row1,
                             const Split& tiles, int32_t tile_begin, int32_t tile_end, size_t tile_bytes) {
  return {{row0, row1},
          tiles,
          tile_begin,
          tile_end,
          tile_bytes,
          ATile<V>::column_bytes(tile_bytes),
          ATile<V>::row_bytes(tile_bytes),
          conv.output_zero_point,
          conv.min_q,
          conv.max_q,
          is_positive<V>(conv),
          clamps(conv)};
}

// In simd/arm_qu8_depthwise.h.
template <class V, int S, int R>
class FixedDepthwise;

// R rows of outputs at stride S. At stride 1 two rows share their pairs (first = 0 and 1).
template <class V, int S, int R, int NV>
struct Depthwise {
  using Int = typename V::Int;
  using Q = Requantize<V>;
  using Quad = typename V::Quad;
  using QuadWeights = typename V::QuadWeights;
  static constexpr int kSources = S == 1 ? 1 : R;

  [[gnu::always_inline]] static Quad quad(const DepthwiseSource& source, size_t at, int v) {
    const Int old_pair = V::load(source.old_pair + at), new_pair = V::load(source.new_pair + at);
    return v == 0 ? V::quad_low(old_pair, new_pair) : V::quad_high(old_pair, new_pair);
  }

  static const uint8_t* weights(const uint8_t* panel, int part, int v, int first, int kx) {
    using P = DepthwisePacking<V>;
    return panel + Q::kHeaderBytes + part * P::kPartBytes + ((v * 2 + first) * 3 + kx) * V::kQuadWeightBytes;
  }

  // `panel` of the packed weights into block `a` of the A tile.
  static void run(const DepthwiseArgs& args, const uint8_t* panel, uint8_t* a) {
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    if (!header->is_fast() || !args.positive || header->extra_steps) {
      columns<kAny>(args, panel, a);
    } else if constexpr (V::kFixedPoint) {
      FixedDepthwise<V, S, R>::run(args, panel, a);
    } else if (header->is_patched()) {
      columns<kPatched>(args, panel, a);
    } else {
      columns<kPlain>(args, panel, a);
    }
  }

  // plain and patched: fast and positive, without extra steps.
  enum Kind { kPlain, kPatched, kAny };

  template <Kind kKind>
  [[gnu::noinline]] static void columns(const DepthwiseArgs& args, const uint8_t* panel, uint8_t* a) {
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    const int parts = kKind == kAny ? header->extra_first : 1;
    const bool is_fast = header->is_fast() && args.positive;
    const Int low = V::set8(args.min_q), high = V::set8(args.max_q);
    // Stride 1 keeps both halves' weights of both rows, stride 2 one row's: both rows start alike there.
    constexpr int kFirsts = S == 1 ? R : 1;
    QuadWeights w[kFirsts][NV][3];
    for (int r = 0; r < kFirsts; ++r) {
      for (int v = 0; v < NV; ++v) {
        for (int kx = 0; kx < 3; ++kx) {
          w[r][v][kx] = V::load_quad_weights(weights(panel, 0, v, args.source[r].first, kx));
        }
      }
    }
    Int bias[NV];
    typename V::Float scale[NV], offset[NV];
    for (int v = 0; v < NV; ++v) {
      bias[v] = Q::constant(panel, Q::kBias, v);
      scale[v] = Q::float_constant(panel, Q::kScale, v);
      offset[v] = Q::float_constant(panel, Q::kOffset, v);
    }
    Quad q[kSources][NV][3];  // the quads of three columns; at stride 1 two are kept, at stride 2 one
    for (int s = 0; s < kSources; ++s) {
      for (int v = 0; v < NV; ++v) {
        q[s][v][S] = quad(args.source[s], 0, v);
        if (S == 1) q[s][v][2] = quad(args.source[s], kVectorBytes<V>, v);
      }
    }
    size_t at = (S == 1 ? 2 : 1) * kVectorBytes<V>;
    uint8_t* tile = a;
    int32_t t = args.tile_begin, left = args.tiles.count(t);
    const size_t column_bytes = V::kReadsRows ? args.column_bytes : V::kColBytes;
    for (;; a += column_bytes, at += S * kVectorBytes<V>) {
      if (left-- == 0) {
        if (++t == args.tile_end) return;
        left = args.tiles.count(t) - 1;
        a = tile += args.tile_bytes;
      }
      Int y[R][NV];
      for (int s = 0; s < kSources; ++s) {
        for (int v = 0; v < NV; ++v) {
          if (S == 1) {
            q[s][v][0] = q[s][v][1];
            q[s][v][1] = q[s][v][2];
          } else {
            q[s][v][0] = q[s][v][2];
            q[s][v][1] = quad(args.source[s], at, v);
          }
          q[s][v][2] = quad(args.source[s], at + (S - 1) * kVectorBytes<V>, v);
        }
      }
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) {
          const Quad* taps = q[r < kSources ? r : 0][v];
          Int acc = bias[v];
#pragma GCC unroll 3
          for (int kx = 0; kx < 3; ++kx) {
            acc = V::dot_quad(acc, taps[kx], w[r < kFirsts ? r : 0][v][kx]);
            if (kKind != kAny || (header->extra_steps >> (v * 3 + kx) & 1) == 0) continue;
#pragma GCC unroll 1
            for (int part = 1; part < parts; ++part) {
              const uint8_t* more = weights(panel, part, v, args.source[r].first, kx);
              acc = V::dot_quad(acc, taps[kx], V::load_quad_weights(more));
            }
          }
          y[r][v] = acc;
        }
      }
      if (kKind == kAny && !is_fast) {
        Int all[R][NV];  // in memory, for a loop
#pragma GCC unroll 4
        for (int i = 0; i < R * NV; ++i) all[i / NV][i % NV] = y[i / NV][i % NV];
#pragma GCC unroll 1
        for (int i = 0; i < R * NV; ++i) {
          Int& word = all[i / NV][i % NV];
          word = Q::any(panel, i % NV, args.zero_point, args.positive, word);
          if (!args.positive) word = V::add(word, V::set(args.zero_point));
        }
#pragma GCC unroll 4
        for (int i = 0; i < R * NV; ++i) y[i / NV][i % NV] = all[i / NV][i % NV];
      } else {
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) {
          if (kKind != kPlain && Q::meets_patch(panel, v, y[0][v], y[R - 1][v])) {
            for (int r = 0; r < R; ++r) y[r][v] = Q::patched(panel, v, y[r][v]);
          }
#pragma GCC unroll 2
          for (int r = 0; r < R; ++r) y[r][v] = Q::fast_positive(y[r][v], scale[v], offset[v]);
        }
      }
      const Int row0 = V::pack16(y[0][0], NV == 2 ? y[0][NV - 1] : V::zero());
      const Int row1 = R == 2 ? V::pack16(y[R - 1][0], NV == 2 ? y[R - 1][NV - 1] : V::zero()) : row0;
      const Int bytes = V::pack8(row0, row1);
      const Int column = args.clamps ? V::clamp8(bytes, low, high) : bytes;
      if constexpr (V::kReadsRows) {
        V::store_rows(column, a, a + args.row_bytes, kPanel<V>);
      } else {
        V::store_column(a, column);
      }
    }
  }
};

}  // namespace mobilenetv2::qu8

// The common case of Depthwise (qu8_depthwise.h) on ARM: outputs on the positive side, weights that fit. Two columns at
// a time, so that processors that execute in order have something to do while results are on their way. Include inside
// a NEON target region; V is a vector type of simd/arm_qu8_*.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "kernels/simd/qu8_depthwise.h"

namespace mobilenetv2::qu8 {

// A column of four rows of a whole panel.
template <class V, bool kDot = V::kProduct != ProductForm::broadcast>
struct Taps {
  using Int = typename V::Int;
  typename V::Quad low, high;

  static Taps make(Int old_pair, Int new_pair) {
    return {V::quad_low(old_pair, new_pair), V::quad_high(old_pair, new_pair)};
  }
  struct Weights {
    typename V::QuadWeights low, high;
  };
  static Weights load(const uint8_t* low, const uint8_t* high) {
    return {V::load_quad_weights(low), V::load_quad_weights(high)};
  }
  void multiply(const Weights& w, Int (&acc)[2]) const {
    acc[0] = V::dot_quad(acc[0], low, w.low);
    acc[1] = V::dot_quad(acc[1], high, w.high);
  }
};

// Without dot products the pairs stay whole: their upper halves are multiplied where they are.
template <class V>
struct Taps<V, false> {
  using Int = typename V::Int;
  int8x16_t first, second;

  static Taps make(Int old_pair, Int new_pair) {
    return {vreinterpretq_s8_s32(old_pair), vreinterpretq_s8_s32(new_pair)};
  }
  using Weights = Taps;
  static Weights load(const uint8_t* low, const uint8_t* high) {
    const auto a = V::load_quad_weights(low), b = V::load_quad_weights(high);
    return {vcombine_s8(a.first, b.first), vcombine_s8(a.second, b.second)};
  }
  void multiply(const Weights& w, Int (&acc)[2]) const {
    const int16x8_t low = vmull_s8(vget_low_s8(first), vget_low_s8(w.first));
    const int16x8_t high = vmull_s8(vget_high_s8(first), vget_high_s8(w.first));
    acc[0] = vpadalq_s16(acc[0], vmlal_s8(low, vget_low_s8(second), vget_low_s8(w.second)));
    acc[1] = vpadalq_s16(acc[1], vmlal_s8(high, vget_high_s8(second), vget_high_s8(w.second)));
  }
};

// R rows of outputs at stride S.
template <class V, int S, int R>
class FixedDepthwise {
  using Int = typename V::Int;
  using Q = Requantize<V>;
  using T = Taps<V>;
  // At stride 1 two rows share their pairs, at stride 2 their weights. kKept columns serve the next outputs, too.
  static constexpr int kSources = S == 1 ? 1 : R, kFirsts = S == 1 ? R : 1, kKept = 3 - S;

 public:
  [[gnu::noinline]] static void run(const DepthwiseArgs& args, const uint8_t* panel, uint8_t* a) {
    constexpr int kColumns = V::kDepthwiseColumns;
    FixedDepthwise self(args, panel, a);
    int32_t left = args.tiles.begin(args.tile_end) - args.tiles.begin(args.tile_begin);
    for (; left >= kColumns; left -= kColumns) self.template make<kColumns>();
    for (; left > 0; --left) self.template make<1>();
  }

 private:
  [[gnu::always_inline]] FixedDepthwise(const DepthwiseArgs& args, const uint8_t* panel, uint8_t* a)
      : tiles_(args.tiles),
        tile_bytes_(args.tile_bytes),
        tile_number_(args.tile_begin),
        in_tile_(args.tiles.count(args.tile_begin)),
        tile_(a),
        a_(a),
        low_(V::set8(args.min_q)),
        high_(V::set8(args.max_q)) {
    for (int r = 0; r < kFirsts; ++r) {
      for (int kx = 0; kx < 3; ++kx) {
        using D = Depthwise<V, S, R, 2>;
        const int first = args.source[r].first;
        weights_[r][kx] = T::load(D::weights(panel, 0, 0, first, kx), D::weights(panel, 0, 1, first, kx));
      }
    }
    for (int v = 0; v < 2; ++v) {
      bias_[v] = Q::constant(panel, Q::kBias, v);
      multiplier_[v] = Q::constant(panel, Q::kMultiplier, v);
      right_[v] = Q::constant(panel, Q::kRight, v);
    }
    for (int s = 0; s < kSources; ++s) {
      old_[s] = args.source[s].old_pair;
      new_[s] = args.source[s].new_pair;
      for (int k = 0; k < kKept; ++k) kept_[s][k] = next_taps(s);
    }
  }

  [[gnu::always_inline]] T next_taps(int s) {
    const T taps = T::make(V::load(old_[s]), V::load(new_[s]));
    old_[s] += kVectorBytes<V>;
    new_[s] += kVectorBytes<V>;
    return taps;
  }

  [[gnu::always_inline]] uint8_t* next_column() {
    if (in_tile_ == 0) {
      in_tile_ = tiles_.count(++tile_number_);
      a_ = tile_ += tile_bytes_;
    }
    --in_tile_;
    uint8_t* column = a_;
    a_ += V::kColBytes;
    return column;
  }

  // The next kCount columns.
  template <int kCount>
  [[gnu::always_inline]] void make() {
    uint8_t* to[kCount];
    for (int i = 0; i < kCount; ++i) to[i] = next_column();
    constexpr int kTaps = S * (kCount - 1) + 3;
    T taps[kSources][kTaps];
    for (int s = 0; s < kSources; ++s) {
      for (int k = 0; k < kTaps; ++k) taps[s][k] = k < kKept ? kept_[s][k] : next_taps(s);
      for (int k = 0; k < kKept; ++k) kept_[s][k] = taps[s][S * kCount + k];
    }
    Int rows[kCount][R];
#pragma GCC unroll 2
    for (int i = 0; i < kCount; ++i) {
#pragma GCC unroll 2
      for (int r = 0; r < R; ++r) {
        Int acc[2] = {bias_[0], bias_[1]};
#pragma GCC unroll 3
        for (int kx = 0; kx < 3; ++kx) {
          taps[r < kSources ? r : 0][S * i + kx].multiply(weights_[r < kFirsts ? r : 0][kx], acc);
        }
        for (int v = 0; v < 2; ++v) acc[v] = Q::fast_positive(acc[v], multiplier_[v], right_[v]);
        rows[i][r] = V::pack16(acc[0], acc[1]);
      }
    }
    for (int i = 0; i < kCount; ++i) {
      V::store_column(to[i], V::clamp8(V::pack8(rows[i][0], rows[i][R - 1]), low_, high_));
    }
  }

  const Split tiles_;
  const size_t tile_bytes_;
  int32_t tile_number_, in_tile_;
  uint8_t* tile_;
  uint8_t* a_;
  const uint8_t* old_[kSources];
  const uint8_t* new_[kSources];
  T kept_[kSources][kKept];
  typename T::Weights weights_[kFirsts][3];
  Int bias_[2], multiplier_[2], right_[2];
  const Int low_, high_;
};

}  // namespace mobilenetv2::qu8

// Steps of depth of a matrix product tile whose values are multiplied by lanes. Include inside a target region whose
// vectors have fma_lane, which is c + a[lane] * b in one instruction, so that no value is broadcast.
#pragma once

#include <cstddef>

namespace mobilenetv2 {

// kLanes steps at once: a pixel's values, which lie together, are one vector.
template <class Unit, int kUnits, int kRows>
struct F32Lanes {
  using Reg = typename Unit::Reg;
  static constexpr int kLanes = Unit::kLanes;
  static constexpr int kSteps = Unit::kStepsLoaded;  // whose weights are in registers together

  // sum[r][u] += a[r][0] * w[0][u] + a[r][1] * w[1][u] + ..., in this order. Moves w and ahead past these steps.
  template <int kPixel>
  [[gnu::always_inline]] static void add(const float* a, const float*& w, const float*& ahead, size_t prefetch_step,
                                         Reg (&sum)[kRows][kUnits]) {
    Unit::prefetch(ahead);
    Unit::prefetch(ahead + kLanes / 2 * prefetch_step);
    ahead += kLanes * prefetch_step;
    Reg x[kRows];
    load<kPixel>(a, x);
    steps<0>(w, x, sum);
    w += kLanes * kUnits * kLanes;
  }

 private:
  // Two by two, for cores that load two registers at once.
  template <int kDistance, int kCount>
  [[gnu::always_inline]] static void load(const float* from, Reg (&to)[kCount]) {
#pragma GCC unroll 16
    for (int i = 0; i < kCount; i += 2) {
      to[i] = Unit::load(from + i * kDistance);
      if (i + 1 < kCount) to[i + 1] = Unit::load(from + (i + 1) * kDistance);
      i + 1 < kCount ? Unit::in_order(to[i], to[i + 1]) : Unit::in_order(to[i]);
    }
  }

  // The first step's weights are loaded last: then all loads stand before the multiplications, where an in-order core
  // waits once for them and not at every step.
  template <int kFirst>
  [[gnu::always_inline]] static void steps(const float* w, const Reg (&x)[kRows], Reg (&sum)[kRows][kUnits]) {
    if constexpr (kFirst < kLanes) {
      Reg weights[kSteps][kUnits];
#pragma GCC unroll 4
      for (int s = kSteps - 1; s >= 0; --s) load<kLanes>(w + (kFirst + s) * kUnits * kLanes, weights[s]);
      step<kFirst, 0>(x, weights, sum);
      steps<kFirst + kSteps>(w, x, sum);
    }
  }

  template <int kFirst, int kStep>
  [[gnu::always_inline]] static void step(const Reg (&x)[kRows], const Reg (&weights)[kSteps][kUnits],
                                          Reg (&sum)[kRows][kUnits]) {
    if constexpr (kStep < kSteps) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int u = 0; u < kUnits; ++u) {
          sum[r][u] = Unit::template fma_lane<kFirst + kStep>(x[r], weights[kStep][u], sum[r][u]);
          if (kSteps < kLanes) Unit::in_order(sum[r][u]);
        }
      }
      step<kFirst, kStep + 1>(x, weights, sum);
    }
  }
};

}  // namespace mobilenetv2

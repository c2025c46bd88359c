// TFLite's 8-bit softmax in fixed point. An 8-bit logit lies 0 ... 255 below the maximum, so that exp is a table of
// 256 entries made once per model; what is left per class is one multiplication.
#pragma once

#include <algorithm>

#include "core/op.h"
#include "core/quantization.h"

namespace mobilenetv2::fixed_point {

// exp(a) of a <= 0 in Q5.26, as Q0.31 (exp(0) = 2^31 - 1). a = -quarters / 4 + rest with rest in [-1/4, 0): a
// polynomial around -1/8 for the rest, then one factor exp(-2^(bit - 2)) per set bit of the quarters.
inline int32_t exp_on_negative_values(int32_t a) {
  if (a == 0) return kInt32Max;
  constexpr int32_t kOneQuarter = 1 << 24;
  const int32_t rest = (a & (kOneQuarter - 1)) - kOneQuarter;
  const int32_t quarters = rest - a;
  const int32_t x = saturating_shift_left(rest, 5) + (1 << 28);
  const int32_t x2 = srdhm(x, x);
  const int32_t x3 = srdhm(x2, x), x4 = srdhm(x2, x2);
  constexpr int32_t kOneThird = 715827883, kExpMinusEighth = 1895147668;
  const auto quarter_x4 = static_cast<int32_t>(rounding_shift_right(x4, 2));
  const auto tail = static_cast<int32_t>(rounding_shift_right(srdhm(quarter_x4 + x3, kOneThird) + x2, 1));
  int32_t y = kExpMinusEighth + srdhm(kExpMinusEighth, x + tail);
  constexpr int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int bit = 0; bit < 7; ++bit) {
    if (quarters & (1 << (24 + bit))) y = srdhm(y, kFactors[bit]);
  }
  return y;
}

// 1 / (1 + a) of a in [0, 1), both Q0.31: three Newton steps in Q2.29 on d = (1 + a) / 2.
inline int32_t one_over_one_plus_x(int32_t a) {
  const auto d = static_cast<int32_t>((int64_t{a} + (int64_t{1} << 31)) >> 1);
  constexpr int32_t k48Over17 = 1515870810, kMinus32Over17 = -1010580540;
  int32_t x = k48Over17 + srdhm(d, kMinus32Over17);
  for (int i = 0; i < 3; ++i) x += saturating_shift_left(srdhm(x, (1 << 29) - srdhm(d, x)), 2);
  return saturating_shift_left(x, 1);
}

// table[d] for a logit d below the maximum: exp in Q0.31, or -1 where it counts as nothing.
inline void make_exp_table(const Softmax& softmax, int32_t* table) {
  for (int32_t d = 0; d < 256; ++d) {
    const bool live = -d >= softmax.diff_min;
    const int64_t scaled = static_cast<int64_t>(-d) * (int64_t{1} << softmax.shift);
    table[d] = live ? exp_on_negative_values(srdhm(saturate_int32(scaled), softmax.multiplier)) : -1;
  }
}

// What every class shares: code = clamp(rounding_shift_right(srdhm(inverse, exp), shift)). From the sum of the live
// exps, each rounded to Q12.19 first. Beyond 4095 equal maxima the sum leaves 32 bits and every code is 0.
struct Normaliser {
  int32_t inverse = 0;
  int32_t shift = 0;

  uint8_t code(int32_t exp) const {
    if (exp < 0) return 0;
    return static_cast<uint8_t>(std::clamp<int64_t>(rounding_shift_right(srdhm(inverse, exp), shift), 0, 255));
  }
};

inline Normaliser normaliser(int64_t sum) {
  if (sum > kInt32Max) return {};
  int32_t zeros = 0;
  while ((sum & (int64_t{1} << (31 - zeros))) == 0) ++zeros;
  const auto fraction = static_cast<int32_t>((sum << zeros) - (int64_t{1} << 31));
  return {one_over_one_plus_x(fraction), 12 - zeros + 31 - 8};
}

}  // namespace mobilenetv2::fixed_point

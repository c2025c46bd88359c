#include "core/quantization.h"

#include <cmath>
#include <limits>

#include "harness.h"

namespace mobilenetv2::test {

TEST(first_rounding_takes_halves_upwards) {
  CHECK_EQ(srdhm(1, 1 << 30), 1);    // 0.5
  CHECK_EQ(srdhm(-1, 1 << 30), 0);   // -0.5
  CHECK_EQ(srdhm(3, 1 << 30), 2);    // 1.5
  CHECK_EQ(srdhm(-3, 1 << 30), -1);  // -1.5
  CHECK_EQ(srdhm(kInt32Min, kInt32Min), kInt32Max);
}

TEST(second_rounding_takes_halves_away_from_zero) {
  CHECK_EQ(rounding_shift_right(5, 1), 3);
  CHECK_EQ(rounding_shift_right(-5, 1), -3);
  CHECK_EQ(rounding_shift_right(4, 3), 1);
  CHECK_EQ(rounding_shift_right(-4, 3), -1);
  CHECK_EQ(rounding_shift_right(-3, 3), 0);
  CHECK_EQ(rounding_shift_right(7, 0), 7);
}

TEST(left_shifts_saturate) {
  CHECK_EQ(saturating_shift_left(1 << 20, 5), 1 << 25);
  CHECK_EQ(saturating_shift_left(1 << 28, 5), kInt32Max);
  CHECK_EQ(saturating_shift_left(-(1 << 28), 5), kInt32Min);
  CHECK_EQ(mbqm(1 << 30, 1 << 30, 3), 1 << 30);  // saturates to 2^31 - 1, then is halved
}

// Both roundings together never stray more than one from the real product.
TEST(mbqm_is_the_product_to_nearest) {
  Random random(seed());
  for (int i = 0; i < 200000 * sweep(); ++i) {
    const int32_t x = random.integer(-(1 << 24), 1 << 24);
    const int32_t m = random.integer(1 << 30, kInt32Max);
    const int32_t shift = random.integer(-31, 4);
    const double real = static_cast<double>(x) * m * std::ldexp(1.0, shift - 31);
    CHECK(std::fabs(mbqm(x, m, shift) - real) <= 1.0);
  }
}

// The definition: the fraction of frexp in 31 bits to nearest, halves up.
FixedPoint defined(double real) {
  int32_t shift = 0;
  auto multiplier = static_cast<int64_t>(std::floor(std::ldexp(std::frexp(real, &shift), 31) + 0.5));
  if (multiplier == int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  return {static_cast<int32_t>(multiplier), shift};
}

void check_factor(double real, FixedPoint want) {
  CHECK_EQ(to_fixed_point(real).multiplier, want.multiplier);
  CHECK_EQ(to_fixed_point(real).shift, want.shift);
}

TEST(factors_become_fixed_point) {
  check_factor(0, {0, 0});
  check_factor(0.5, {1 << 30, 0});
  check_factor(1, {1 << 30, 1});
  check_factor(0.75, {1610612736, 0});
  check_factor(0.1, {1717986918, -3});  // 0.8 * 2^31 = 1717986918.4
  check_factor(3, {1610612736, 2});
  check_factor(1 << 20, {1 << 30, 21});
  check_factor(std::ldexp(1, -32), {1 << 30, -31});  // the smallest power of two that is not zero
  check_factor(std::ldexp(1, -33), {0, 0});
  check_factor(std::ldexp(0.9999, -32), {0, 0});
  check_factor(std::numeric_limits<double>::denorm_min(), {0, 0});
  check_factor(std::ldexp(1, 62), {1 << 30, 63});
  // Less than a power of two by less than half a step: up to 2^31, which is 2^30 one place further.
  check_factor(1 - std::ldexp(1, -33), {1 << 30, 1});
  check_factor(1 - std::ldexp(1, -32), {1 << 30, 1});  // exactly half a step
  check_factor(1 - std::ldexp(1, -31), {kInt32Max, 0});
  // ... and where that decides between zero and not.
  check_factor(std::ldexp(1 - std::ldexp(1, -33), -32), {1 << 30, -31});
}

TEST(factors_are_rounded_as_defined) {
  Random random(seed());
  for (int i = 0; i < 20000 * sweep(); ++i) {
    const double digits = 0.5 + random.integer(0, kInt32Max) * 0x1p-32 + random.integer(0, kInt32Max) * 0x1p-53;
    const double real = std::ldexp(digits, random.integer(-45, 45));
    check_factor(real, defined(real));
  }
  for (int e = -40; e <= 40; ++e) {
    for (const double mantissa : {1 - 0x1p-53, 1.0, 1 + 0x1p-52}) {
      check_factor(std::ldexp(mantissa, e), defined(std::ldexp(mantissa, e)));
    }
  }
}

// What no multiplier can be is left to check_op, which refuses such shifts.
TEST(factors_that_are_none_have_shifts_out_of_range) {
  for (const double real : {-1.0, -0x1p-60, HUGE_VAL, -HUGE_VAL, std::nan("")})
    CHECK(to_fixed_point(real).shift > 1000);
}

}  // namespace mobilenetv2::test

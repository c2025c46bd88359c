#include "core/quantization.h"

#include <cmath>

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

}  // namespace mobilenetv2::test

#include "core/first_outside.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "harness.h"

namespace mobilenetv2::test {

TEST(first_outside_finds_the_first_that_is_not_between) {
  for (const size_t count : {1, 7, 1024, 1025, 3000}) {
    std::vector<float> values(count, 1.0f);
    CHECK_EQ(first_outside(values.data(), count, 0, 2), -1);
    for (const float wrong : {0.0f, -1.0f, 2.0f, HUGE_VALF, -HUGE_VALF, std::nanf("")}) {
      for (size_t at = 0; at < count; at += 1 + count / 50) {
        values[at] = values.back() = wrong;
        CHECK_EQ(first_outside(values.data(), count, 0, 2), static_cast<int64_t>(at));
        values[at] = values.back() = 1;
      }
    }
  }
  CHECK_EQ(first_outside(nullptr, 0, 0, 1), -1);
}

TEST(first_outside_of_infinite_bounds_finds_what_is_not_finite) {
  const float values[] = {-3e38f, 0, 1e-44f, 3e38f, -HUGE_VALF};
  CHECK_EQ(first_outside(values, 4, -HUGE_VALF, HUGE_VALF), -1);
  CHECK_EQ(first_outside(values, 5, -HUGE_VALF, HUGE_VALF), 4);
}

}  // namespace mobilenetv2::test

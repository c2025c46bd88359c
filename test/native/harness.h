// A small test runner: tests register themselves, checks count, a closing line is for machines.
#pragma once

#include <cstdint>
#include <string>

namespace mobilenetv2::test {

// Registers a test. `body` reports through CHECK, CHECK_EQ or skip().
struct Registration {
  Registration(const char* name, void (*body)());
};

// Marks the running test as failed; prints the first few reasons.
void fail(const char* file, int line, const std::string& what);

// Marks the running test as skipped, for a reason that is printed.
void skip(const std::string& reason);

// Seed of the running test's random numbers: MOBILENETV2_TEST_SEED, or a fixed one. Printed with a failure.
uint64_t seed();

// MOBILENETV2_TEST_SWEEP multiplies how many random cases a test tries (default 1).
int sweep();

// SplitMix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // low ... high, both included
  int32_t integer(int32_t low, int32_t high) {
    // Not by a remainder, for which 32-bit processors have no instruction.
    return low + static_cast<int32_t>((next() >> 32) * (static_cast<uint64_t>(int64_t{high} - low) + 1) >> 32);
  }
  bool chance(int percent) { return integer(1, 100) <= percent; }
  float real(float low, float high) { return low + (high - low) * (static_cast<float>(next() >> 40) / (1 << 24)); }

 private:
  uint64_t state_;
};

}  // namespace mobilenetv2::test

#define TEST(name)                                                                        \
  static void test_##name();                                                              \
  static const ::mobilenetv2::test::Registration registration_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                                         \
  do {                                                                           \
    if (!(condition)) ::mobilenetv2::test::fail(__FILE__, __LINE__, #condition); \
  } while (false)

#define CHECK_EQ(got, want)                                                                                   \
  do {                                                                                                        \
    const auto got_value = (got);                                                                             \
    const auto want_value = (want);                                                                           \
    if (!(got_value == want_value))                                                                           \
      ::mobilenetv2::test::fail(                                                                              \
          __FILE__, __LINE__,                                                                                 \
          std::string(#got " is ") + std::to_string(got_value) + ", expected " + std::to_string(want_value)); \
  } while (false)

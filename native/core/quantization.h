// Fixed-point arithmetic of TFLite's reference kernels (double rounding), for non-performance-critical code and as the
// definition that fast forms are proved against.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

namespace mobilenetv2 {

constexpr int32_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int32_t kInt32Min = std::numeric_limits<int32_t>::min();

inline int32_t saturate_int32(int64_t x) { return static_cast<int32_t>(std::clamp<int64_t>(x, kInt32Min, kInt32Max)); }

// First rounding ("saturating rounding doubling high multiply"): floor((a * b + 2^30) / 2^31), that is a * b / 2^31
// to nearest with exact halves upwards. Saturates only for a = b = -2^31. ARM's SQRDMULH.
inline int32_t srdhm(int32_t a, int32_t b) {
  return saturate_int32((static_cast<int64_t>(a) * b + (int64_t{1} << 30)) >> 31);
}

// Second rounding: x / 2^exponent to nearest, exact halves away from zero. 0 <= exponent <= 62.
inline int64_t rounding_shift_right(int64_t x, int32_t exponent) {
  if (exponent == 0) return x;
  const int64_t half = int64_t{1} << (exponent - 1);
  return (x + half - (x < 0 ? 1 : 0)) >> exponent;
}

// x * 2^exponent, saturating; the low threshold is one off from the obvious one, as in gemmlowp.
inline int32_t saturating_shift_left(int32_t x, int32_t exponent) {
  const int32_t limit = static_cast<int32_t>((int64_t{1} << (31 - exponent)) - 1);
  if (x > limit) return kInt32Max;
  if (x < -limit) return kInt32Min;
  return static_cast<int32_t>(x * (int64_t{1} << exponent));
}

// "Multiply by quantized multiplier": x * multiplier * 2^(shift - 31) with the two roundings above, one after the
// other. shift > 0 is to the left (there x * 2^shift saturates, where TFLite would wrap), shift >= -62.
inline int32_t mbqm(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t shifted = shift > 0 ? saturate_int32(x * (int64_t{1} << shift)) : x;
  const int32_t product = srdhm(shifted, multiplier);
  return static_cast<int32_t>(rounding_shift_right(product, shift < 0 ? -shift : 0));
}

// A real factor as multiplier * 2^(shift - 31).
struct FixedPoint {
  int32_t multiplier, shift;
};

// TFLite's QuantizeMultiplier: a 31-bit mantissa, rounded to nearest with halves up. Factors below 2^-32 become zero;
// what is negative or not finite gets a shift beyond 1000. By the bits of the double: a network has thousands of
// channels.
inline FixedPoint to_fixed_point(double real) {
  uint64_t bits;
  std::memcpy(&bits, &real, sizeof(bits));
  // real = mantissa * 2^(shift - 53) with 2^52 <= mantissa < 2^53; denormals are zero here anyway.
  auto shift = static_cast<int32_t>(bits >> 52) - 1022;
  const uint64_t mantissa = (bits & ((uint64_t{1} << 52) - 1)) | uint64_t{1} << 52;
  uint64_t multiplier = (mantissa + (uint64_t{1} << 21)) >> 22;
  if (multiplier == uint64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  return {static_cast<int32_t>(multiplier), shift};
}

}  // namespace mobilenetv2

// The skip of a quantised block: y = clamp(mbqm(a' + b')), where a' and b' are the inputs on a common scale. Include
// inside a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/op.h"
#include "core/quantization.h"

namespace mobilenetv2::qu8 {

// y as a function of two bytes: exact from two tables of what each input adds; fast as a weighted sum in float, used
// only when pack time found it equal for all 65536 pairs.
struct ResidualPacked {
  int32_t exact;
  float a_scale, b_scale, offset;
  int32_t reserved[12];
  int32_t a_part[256], b_part[256];
};

constexpr int32_t kResidualBits = 20;  // TFLite's headroom for 8-bit ADD

inline int32_t residual_part(int32_t q, int32_t zero_point, int32_t multiplier, int32_t shift) {
  return mbqm((q - zero_point) * (1 << kResidualBits), multiplier, shift);
}

inline uint8_t residual_exact(const Residual& r, int32_t a_part, int32_t b_part) {
  const int32_t sum = saturate_int32(int64_t{a_part} + b_part);
  const int64_t q = int64_t{mbqm(sum, r.output_multiplier, r.output_shift)} + r.output_zero_point;
  return static_cast<uint8_t>(std::clamp<int64_t>(q, r.min_q, r.max_q));
}

// Before the output's zero point, as words.
template <class V>
typename V::Int residual_sum(const ResidualPacked& packed, typename V::Int a, typename V::Int b) {
  const auto part = V::fma(V::to_float(b), V::set_float(packed.b_scale), V::set_float(packed.offset));
  return V::to_int(V::fma(V::to_float(a), V::set_float(packed.a_scale), part));
}

// Four vectors of outputs as bytes; n < 4 * kWords: only the first n.
template <class V>
[[gnu::always_inline]] inline void residual_bytes(const Residual& r, const ResidualPacked& packed, const uint8_t* a,
                                                  uint8_t* b, int n) {
  typename V::Int sum[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int rest = std::max(n - i * V::kWords, 0);
    sum[i] = residual_sum<V>(packed, V::load_bytes(a + i * V::kWords, rest), V::load_bytes(b + i * V::kWords, rest));
  }
  const auto zero_point = V::set16(r.output_zero_point);
  const auto low = V::add16(V::pack16(sum[0], sum[1]), zero_point);
  const auto high = V::add16(V::pack16(sum[2], sum[3]), zero_point);
  V::store_packed(b, V::clamp8(V::pack8(low, high), V::set8(r.min_q), V::set8(r.max_q)), n);
}

template <class V>
bool residual_is_equal(const Residual& r, const ResidualPacked& packed, const uint8_t* expected) {
  for (int a = 0; a < 256; ++a) {
    uint8_t first[256], second[256];  // the second becomes the output
    std::memset(first, a, sizeof(first));
    for (int b = 0; b < 256; ++b) second[b] = static_cast<uint8_t>(b);
    for (int b = 0; b < 256; b += 4 * V::kWords) residual_bytes<V>(r, packed, first + b, second + b, 4 * V::kWords);
    if (std::memcmp(second, expected + 256 * a, sizeof(second)) != 0) return false;
  }
  return true;
}

template <class V>
void pack_residual(const Residual& r, ResidualPacked* packed) {
  for (int q = 0; q < 256; ++q) {
    packed->a_part[q] = residual_part(q, r.a_zero_point, r.a_multiplier, r.a_shift);
    packed->b_part[q] = residual_part(q, r.b_zero_point, r.b_multiplier, r.b_shift);
  }
  uint8_t expected[256 * 256];
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      expected[256 * a + b] = residual_exact(r, packed->a_part[a], packed->b_part[b]);
    }
  }
  const auto real = [](int32_t multiplier, int32_t shift) {
    return std::ldexp(static_cast<double>(multiplier), shift - 31);
  };
  const double out = real(r.output_multiplier, r.output_shift) * (1 << 20);
  const double a_scale = real(r.a_multiplier, r.a_shift) * out, b_scale = real(r.b_multiplier, r.b_shift) * out;
  // Sums near a half come out right for some neighbours of the scales. Larger ones first: they send exact halves away
  // from zero, as the fixed point does.
  packed->exact = 0;
  constexpr int kUlps[] = {1, 0, 2, -1, 3, -2, 4, -3};
  for (int i : kUlps) {
    for (int j : kUlps) {
      const auto moved = [](double x, int ulps) { return static_cast<float>(x * (1 + ulps * std::ldexp(1.0, -24))); };
      packed->a_scale = moved(a_scale, i);
      packed->b_scale = moved(b_scale, j);
      packed->offset = -static_cast<float>(r.a_zero_point * static_cast<double>(packed->a_scale) +
                                           r.b_zero_point * static_cast<double>(packed->b_scale));
      if (residual_is_equal<V>(r, *packed, expected)) return;
    }
  }
  packed->exact = 1;
}

template <class V>
void float_residual_row(const Residual& r, const ResidualPacked& packed, const uint8_t* a, uint8_t* b, int32_t count) {
  if (packed.exact) {
    for (int32_t i = 0; i < count; ++i) b[i] = residual_exact(r, packed.a_part[a[i]], packed.b_part[b[i]]);
    return;
  }
  constexpr int32_t kStep = 4 * V::kWords;
  int32_t i = 0;
  for (; i + kStep <= count; i += kStep) residual_bytes<V>(r, packed, a + i, b + i, kStep);
  if (i < count) residual_bytes<V>(r, packed, a + i, b + i, count - i);
}

// In simd/arm_qu8_residual.h, for processors whose instructions round as the fixed point does: nothing is packed.
template <class V>
void fixed_residual_row(const Residual& r, const uint8_t* a, uint8_t* b, int32_t count);

// y = skip of `count` values, in place in b.
template <class V>
void residual_row(const Residual& r, const uint8_t* packed, const uint8_t* a, uint8_t* b, int32_t count) {
  if constexpr (V::kFixedPoint) {
    fixed_residual_row<V>(r, a, b, count);
  } else {
    float_residual_row<V>(r, *reinterpret_cast<const ResidualPacked*>(packed), a, b, count);
  }
}

}  // namespace mobilenetv2::qu8

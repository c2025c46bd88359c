// The skip of a quantised block: y = clamp(mbqm(a' + b')), where a' and b' are the inputs on a common scale. Include
// inside a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/op.h"
#include "core/quantization.h"

namespace mobilenetv2::qu8 {

// y as a function of two bytes: exact from two tables of what each input adds; fast as a (scale) + b (scale) + offset
// in float, used only when pack time found it equal for all 65536 pairs.
struct ResidualPacked {
  int32_t exact;
  float a_scale, b_scale, offset;
  float first_rounding;
  int32_t reserved[11];
  int32_t a_part[256], b_part[256];
};

inline int32_t residual_part(int32_t q, int32_t zero_point, int32_t multiplier, int32_t shift) {
  constexpr int32_t kLeftShift = 20;  // TFLite's headroom for 8-bit ADD
  return mbqm((q - zero_point) * (1 << kLeftShift), multiplier, shift);
}

inline uint8_t residual_exact(const Residual& r, int32_t a_part, int32_t b_part) {
  const int32_t sum = saturate_int32(int64_t{a_part} + b_part);
  const int64_t q = int64_t{mbqm(sum, r.output_multiplier, r.output_shift)} + r.output_zero_point;
  return static_cast<uint8_t>(std::clamp<int64_t>(q, r.min_q, r.max_q));
}

// One vector of outputs as words.
template <class V>
typename V::Int residual_fast(const Residual& r, const ResidualPacked& packed, typename V::Int a, typename V::Int b) {
  using Float = typename V::Float;
  const Float part = V::fma(V::to_float(a), V::set_float(packed.a_scale), V::set_float(packed.offset));
  const Float sum = V::fma(V::to_float(b), V::set_float(packed.b_scale), part);
  const Float away = V::add(sum, V::with_sign(V::set_float(packed.first_rounding), V::as_int(sum)));
  const auto y = V::add(V::to_int(away), V::set(r.output_zero_point));
  return V::min(V::max(y, V::set(r.min_q)), V::set(r.max_q));
}

template <class V>
bool residual_is_equal(const Residual& r, const ResidualPacked& packed, const uint8_t* expected) {
  alignas(64) int32_t ramp[V::kWords];
  for (int i = 0; i < V::kWords; ++i) ramp[i] = i;
  auto wrong = V::zero();
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; b += V::kWords) {
      const auto y = residual_fast<V>(r, packed, V::set(a), V::add(V::load(ramp), V::set(b)));
      const auto same = V::equal(y, V::load_bytes(expected + 256 * a + b, V::kWords));
      wrong = V::select(same, wrong, V::set(-1));
    }
    if (V::any(wrong)) return false;
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
  const auto real = [](int32_t multiplier, int32_t shift) { return std::ldexp(static_cast<double>(multiplier), shift - 31); };
  const double out = real(r.output_multiplier, r.output_shift) * (1 << 20);
  const double a_scale = real(r.a_multiplier, r.a_shift) * out, b_scale = real(r.b_multiplier, r.b_shift) * out;
  packed->first_rounding = r.output_shift < 0 ? static_cast<float>(std::ldexp(1.0, r.output_shift - 1)) : 0;
  packed->exact = 1;
  constexpr int kUlps[] = {0, 1, -1, 2, -2};
  for (int i : kUlps) {
    for (int j : kUlps) {
      const auto moved = [](double x, int ulps) { return static_cast<float>(x * (1 + ulps * std::ldexp(1.0, -24))); };
      packed->a_scale = moved(a_scale, i);
      packed->b_scale = moved(b_scale, j);
      // The error of the scales cancels at the middle of the range.
      packed->offset = static_cast<float>(-r.a_zero_point * a_scale - r.b_zero_point * b_scale +
                                          128 * (a_scale - packed->a_scale) + 128 * (b_scale - packed->b_scale));
      if (residual_is_equal<V>(r, *packed, expected)) {
        packed->exact = 0;
        return;
      }
    }
  }
}

// y = skip of `count` values, in place in b.
template <class V>
void residual_row(const Residual& r, const ResidualPacked& packed, const uint8_t* a, uint8_t* b, int32_t count) {
  if (packed.exact) {
    for (int32_t i = 0; i < count; ++i) b[i] = residual_exact(r, packed.a_part[a[i]], packed.b_part[b[i]]);
    return;
  }
  for (int32_t i = 0; i < count; i += V::kWords) {
    const int n = std::min(count - i, static_cast<int32_t>(V::kWords));
    V::store_bytes(b + i, residual_fast<V>(r, packed, V::load_bytes(a + i, n), V::load_bytes(b + i, n)), n);
  }
}

}  // namespace mobilenetv2::qu8

// Vectors of the two-tap resizes on AVX2. Include inside an AVX2 target region only.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace mobilenetv2::avx2 {

// The end of both: doubles.
struct ScaledDoubles {
  using Doubles = __m256d;
  static Doubles doubles(double a, double b, double c, double d) { return _mm256_setr_pd(a, b, c, d); }
  static Doubles scale(Doubles x, Doubles mul, Doubles add) { return _mm256_add_pd(_mm256_mul_pd(x, mul), add); }
  static void store(Doubles x, float* to) { _mm_storeu_ps(to, _mm256_cvtpd_ps(x)); }
  static uint32_t bytes(Doubles x, double low, double high) {
    x = _mm256_min_pd(_mm256_max_pd(_mm256_floor_pd(x), _mm256_set1_pd(low)), _mm256_set1_pd(high));
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_shuffle_epi8(_mm256_cvttpd_epi32(x), order)));
  }
  static __m128i words(uint32_t bytes) { return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(static_cast<int32_t>(bytes))); }
};

struct Float4 : ScaledDoubles {
  using Real = float;
  using Reg = __m128;
  static Reg from_bytes(uint32_t word) { return _mm_cvtepi32_ps(words(word)); }
  static Reg broadcast(float v) { return _mm_set1_ps(v); }
  static Reg lerp(Reg a, Reg b, Reg fraction) { return _mm_add_ps(a, _mm_mul_ps(_mm_sub_ps(b, a), fraction)); }
  static Doubles to_double(Reg v) { return _mm256_cvtps_pd(v); }
};

struct Double4 : ScaledDoubles {
  using Real = double;
  using Reg = __m256d;
  static Reg from_bytes(uint32_t word) { return _mm256_cvtepi32_pd(words(word)); }
  static Reg broadcast(double v) { return _mm256_set1_pd(v); }
  static Reg lerp(Reg a, Reg b, Reg fraction) { return _mm256_add_pd(a, _mm256_mul_pd(_mm256_sub_pd(b, a), fraction)); }
  static Doubles to_double(Reg v) { return v; }
};

}  // namespace mobilenetv2::avx2

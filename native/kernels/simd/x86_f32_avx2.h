// Float vectors of AVX2 + FMA for the shared float drivers. Include inside an AVX2 + FMA target region only.
#pragma once

#include <immintrin.h>

namespace mobilenetv2::avx2 {

struct F32x8 {
  using Reg = __m256;
  static constexpr int kLanes = 8;
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  // The first n lanes (n >= 0) from memory, zero in the others; nothing else is read.
  static Reg load_first(const float* p, int n) { return _mm256_maskload_ps(p, first(n)); }
  static void store(float* p, Reg x) { _mm256_storeu_ps(p, x); }
  // AMD's masked stores take some twenty times as long as plain ones.
  static void store_first(float* p, Reg x, int n) { n >= 8 ? store(p, x) : _mm256_maskstore_ps(p, first(n), x); }
  static Reg broadcast(float x) { return _mm256_set1_ps(x); }
  // The same value, in a register: g++ would rather load it again for each of its uses, and run out of load slots.
  static Reg in_register(Reg x) {
#if defined(__GNUC__)
    __asm__("" : "+x"(x));
#endif
    return x;
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }
  static Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static Reg round(Reg x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // 2^n of whole numbers n in -126 ... 127.
  static Reg exp2_whole(Reg n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  static float max_of(Reg x) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
  }
  static float sum_of(Reg x) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
};

struct Simd {
  using Vec = F32x8;
  using Half = F32x8;                       // no half vectors: 8 channels are one vector
  static constexpr int kSums = 12;          // of a tile: 12 of 16 registers
  static constexpr int kDepthwiseRows = 1;  // made together
  static constexpr bool kLaneFma = false;   // fma_lane
  static constexpr bool kDeferStores = false;
};

}  // namespace mobilenetv2::avx2

// Float vectors of AVX-512 for the shared float drivers. Include inside an AVX-512 target region only.
#pragma once

#include <immintrin.h>

namespace mobilenetv2::avx512 {

// Loads and stores stay on the side of it where they were written.
inline void compiler_fence() {
#if defined(__GNUC__)
  __asm__ volatile("" : : : "memory");
#endif
}

// 8 lanes: the half vector that ends a panel of 8 or 24 channels.
struct F32x8 {
  using Reg = __m256;
  static constexpr int kLanes = 8;
  static __mmask8 first(int n) { return static_cast<__mmask8>(n >= 8 ? 0xff : (1u << n) - 1); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load_first(const float* p, int n) { return _mm256_maskz_loadu_ps(first(n), p); }
  static void store(float* p, Reg x) { _mm256_storeu_ps(p, x); }
  static void store_first(float* p, Reg x, int n) { _mm256_mask_storeu_ps(p, first(n), x); }
  static void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static Reg broadcast(float x) { return _mm256_set1_ps(x); }
  // The same value, in a register: g++ would rather load it again for each of its uses, and run out of load slots.
  static Reg in_register(Reg x) {
#if defined(__GNUC__)
    __asm__("" : "+v"(x));
#endif
    return x;
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }
  static Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  // *a in all lanes * b + c, with *a an operand in memory: g++ would load it to a register if it is used twice.
  static Reg fma_broadcast(const float* a, Reg b, Reg c) {
#if defined(__GNUC__)
    __asm__("vfmadd231ps %2%{1to8%}, %1, %0" : "+v"(c) : "v"(b), "m"(*a));
    return c;
#else
    return fma(broadcast(*a), b, c);
#endif
  }
  static void keep_order() { compiler_fence(); }
};

struct F32x16 {
  using Reg = __m512;
  static constexpr int kLanes = 16;
  static __mmask16 first(int n) { return static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  // The first n lanes (n >= 0) from memory, zero in the others; nothing else is read.
  static Reg load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store(float* p, Reg x) { _mm512_storeu_ps(p, x); }
  static void store_first(float* p, Reg x, int n) { _mm512_mask_storeu_ps(p, first(n), x); }
  // Of the first half, zero in the other; and the first half.
  static Reg load_half(const float* p) { return _mm512_zextps256_ps512(_mm256_loadu_ps(p)); }
  static void store_half(float* p, Reg x) { _mm256_storeu_ps(p, _mm512_castps512_ps256(x)); }
  static Reg broadcast(float x) { return _mm512_set1_ps(x); }
  // The same value, in a register: g++ would rather load it again for each of its uses, and run out of load slots.
  static Reg in_register(Reg x) {
#if defined(__GNUC__)
    __asm__("" : "+v"(x));
#endif
    return x;
  }
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm512_min_ps(a, b); }
  static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg fma_broadcast(const float* a, Reg b, Reg c) {
#if defined(__GNUC__)
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(b), "m"(*a));
    return c;
#else
    return fma(broadcast(*a), b, c);
#endif
  }
  static void keep_order() { compiler_fence(); }
  static void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }
  static Reg round(Reg x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // 2^n of whole numbers n in -126 ... 127.
  static Reg exp2_whole(Reg n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }
  static float max_of(Reg x) { return _mm512_reduce_max_ps(x); }
  static float sum_of(Reg x) { return _mm512_reduce_add_ps(x); }
};

struct Simd {
  using Vec = F32x16;
  using Half = F32x8;
  static constexpr int kSums = 28;          // of a tile: 28 of 32 registers
  static constexpr int kDepthwiseRows = 2;  // made together, so that less comes from the second-level cache
  static constexpr bool kLaneFma = false;   // fma_lane
  static constexpr bool kDeferStores = true;
};

}  // namespace mobilenetv2::avx512

// What the 256-bit quantised kernels share. Include inside a target region with AVX2 and FMA only; Tag keeps the
// instantiations of different instruction sets apart.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd/qu8_product_form.h"

namespace mobilenetv2 {

// See avx512vnni::Qu8 for what each of these means.
template <class Tag>
struct Qu8Ymm {
  using Int = __m256i;
  using Float = __m256;
  static constexpr int kLanes = 2, kWords = 8;
  static constexpr int kTileCols = 3;  // 2 x 3 pixels x 2 vectors = 12 of 16 registers
  static constexpr bool kHasHalf = false, kWholePanels = false, kFixedPoint = false;
  static constexpr uint8_t kFlip = 0;
  static constexpr ProductForm kProduct = ProductForm::broadcast;
  static constexpr int kLeastWeight = -128;
  static constexpr int kWeightBytes = 32;
  static constexpr bool kHasPatchPairs = false;
  static constexpr bool kReadsRows = false;
  static constexpr bool kHasMatrixUnit = false;

  static Int load(const void* p) { return _mm256_load_si256(static_cast<const __m256i*>(p)); }
  static void store(void* p, Int x) { _mm256_store_si256(static_cast<__m256i*>(p), x); }
  static Float load_float(const void* p) { return _mm256_load_ps(static_cast<const float*>(p)); }
  static void store_float(void* p, Float x) { _mm256_store_ps(static_cast<float*>(p), x); }
  static Int zero() { return _mm256_setzero_si256(); }
  static Int set(int32_t x) { return _mm256_set1_epi32(x); }
  static Int set8(int x) { return _mm256_set1_epi8(static_cast<char>(x)); }
  static Int set16(int x) { return _mm256_set1_epi16(static_cast<int16_t>(x)); }
  static Int set64(int64_t x) { return _mm256_set1_epi64x(x); }
  static Float set_float(float x) { return _mm256_set1_ps(x); }
  using Pixel = Int;
  using Weights = Int;
  static Weights load_weights(const uint8_t* p) { return load(p); }
  static constexpr int weight_byte(int w, int i) { return 4 * w + i; }
  static constexpr int quad_byte(int w, int row) { return 4 * w + row; }
  static Int broadcast(const uint8_t* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof(x));
    return _mm256_set1_epi32(x);
  }

  static Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
  static Int sub(Int a, Int b) { return _mm256_sub_epi32(a, b); }
  static Int bit_and(Int a, Int b) { return _mm256_and_si256(a, b); }
  static Int shift_left(Int x, Int bits) { return _mm256_sllv_epi32(x, bits); }
  static Int shift_right(Int x, Int bits) { return _mm256_srav_epi32(x, bits); }
  static Int sign_mask(Int x) { return _mm256_srai_epi32(x, 31); }
  static Int max(Int a, Int b) { return _mm256_max_epi32(a, b); }
  static Int min(Int a, Int b) { return _mm256_min_epi32(a, b); }
  static Int greater(Int a, Int b) { return _mm256_cmpgt_epi32(a, b); }
  static Int equal(Int a, Int b) { return _mm256_cmpeq_epi32(a, b); }
  static Int select(Int mask, Int a, Int b) { return _mm256_blendv_epi8(b, a, mask); }
  template <class... Others>
  static bool any_equal(Int x, Others... others) {
    Int all = zero();
    ((all = _mm256_or_si256(all, equal(others, x))), ...);
    return _mm256_movemask_epi8(all) != 0;
  }

  static Float to_float(Int x) { return _mm256_cvtepi32_ps(x); }
  static Float as_float(Int x) { return _mm256_castsi256_ps(x); }
  static Int as_int(Float x) { return _mm256_castps_si256(x); }
  static Int to_int(Float x) { return _mm256_cvtps_epi32(x); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float with_sign(Float magnitude, Int x) {
    return as_float(_mm256_or_si256(as_int(magnitude), _mm256_and_si256(x, set(INT32_MIN))));
  }

  static Int high_multiply(Int a, Int b, Int odd_b, Int round_even, Int round_odd) {
    const Int even = _mm256_add_epi64(_mm256_mul_epi32(a, b), round_even);
    const Int odd = _mm256_add_epi64(_mm256_mul_epi32(odd_words(a), odd_b), round_odd);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
  }
  static Int odd_words(Int x) { return _mm256_srli_epi64(x, 32); }

  static Int pack16(Int a, Int b) { return _mm256_packs_epi32(a, b); }
  static Int pack8(Int a, Int b) { return _mm256_packus_epi16(a, b); }
  static Int add16(Int a, Int b) { return _mm256_adds_epi16(a, b); }
  static Int clamp8(Int x, Int low, Int high) { return _mm256_min_epu8(_mm256_max_epu8(x, low), high); }

  static Int interleave(Int x) {
    return _mm256_shuffle_epi8(
        x, _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)));
  }
  static Int merge_row(Int old, Int x, int row) { return _mm256_blendv_epi8(old, x, set16(row == 0 ? 0xff : 0xff00)); }

  static Int load_rows(const uint8_t* row0, const uint8_t* row1, int n) {
    const __m128i a = load_first(row0, n), b = load_first(row1, n);
    return _mm256_setr_m128i(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
  }
  static Int load_half_rows(const uint8_t* row0, const uint8_t* row1, int n) {
    const __m128i a = _mm_unpacklo_epi32(load_first(row0, n), _mm_setzero_si128());
    const __m128i b = _mm_unpacklo_epi32(load_first(row1, n), _mm_setzero_si128());
    return _mm256_setr_m128i(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
  }
  static void store_rows(Int x, uint8_t* row0, uint8_t* row1, int n) {
    const Int rows = _mm256_permute4x64_epi64(x, _MM_SHUFFLE(3, 1, 2, 0));
    store_first(row1, _mm256_extracti128_si256(rows, 1), n);
    store_first(row0, _mm256_castsi256_si128(rows), n);
  }
  static void store_half_rows(Int x, uint8_t* row0, uint8_t* row1, int n) {
    const Int rows = _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 0, 4, 2, 6, 2, 6));
    store_first(row1, _mm256_extracti128_si256(rows, 1), n);
    store_first(row0, _mm256_castsi256_si128(rows), n);
  }
  static Int load_bytes(const uint8_t* p, int n) {
    if (n >= kWords) return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    return _mm256_cvtepu8_epi32(load_first(p, n));
  }
  static void store_packed(uint8_t* p, Int x, int n) {
    const Int bytes = _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    if (n >= 32) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
    alignas(32) uint8_t all[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(all), bytes);
    std::memcpy(p, all, static_cast<size_t>(n));
  }

 private:
  // The first n <= 16 bytes, the rest zero; nothing else is read or written.
  static __m128i load_first(const uint8_t* p, int n) {
    if (n >= 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    if (n == 8) return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    alignas(16) uint8_t all[16] = {};
    std::memcpy(all, p, static_cast<size_t>(n));
    return _mm_load_si128(reinterpret_cast<const __m128i*>(all));
  }
  static void store_first(uint8_t* p, __m128i x, int n) {
    if (n >= 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), x);
    if (n == 8) return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), x);
    alignas(16) uint8_t all[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(all), x);
    std::memcpy(p, all, static_cast<size_t>(n));
  }
};

}  // namespace mobilenetv2

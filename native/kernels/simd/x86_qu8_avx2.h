// Vectors of the quantised kernels on AVX2: activations and weights widened to 16 bits, whose products and sums of two
// are exact (the 8-bit instruction saturates). Include inside an AVX2 target region only.
#pragma once

#include "kernels/simd/x86_qu8_ymm.h"

namespace mobilenetv2::avx2 {

struct Tag;

struct Qu8 : Qu8Ymm<Tag> {
  static constexpr int kGroup = 2;  // channels one multiply-accumulate sums into a word
  static constexpr int kColBytes = 64;
  static constexpr bool kWideWeights = true;

  static Int dot(Int acc, Int a, Int weights) {
    Int sum = _mm256_add_epi32(acc, _mm256_madd_epi16(a, weights));
#if defined(__GNUC__)
    // Keeps g++ from summing the products of several steps first, for which there are no registers (twice the time).
    __asm__("" : "+x"(sum));
#endif
    return sum;
  }

  // Rows 0 and 1, and rows 2 and 3.
  struct Quad {
    Int first, second;
  };
  static Quad quad_low(Int old_pair, Int new_pair) {
    return {_mm256_unpacklo_epi8(old_pair, zero()), _mm256_unpacklo_epi8(new_pair, zero())};
  }
  static Quad quad_high(Int old_pair, Int new_pair) {
    return {_mm256_unpackhi_epi8(old_pair, zero()), _mm256_unpackhi_epi8(new_pair, zero())};
  }
  using QuadWeights = Quad;
  static constexpr int kQuadWeightBytes = 64;
  static QuadWeights load_quad_weights(const uint8_t* p) { return {load(p), load(p + 32)}; }
  static Int dot_quad(Int acc, Quad a, QuadWeights weights) {
    return dot(dot(acc, a.first, weights.first), a.second, weights.second);
  }

  static void store_column(uint8_t* a, Int bytes) {
    store(a, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(bytes)));
    store(a + 32, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(bytes, 1)));
  }
  static void store_chunk(uint8_t* a, uint64_t bytes) {
    const __m128i wide = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
    _mm_store_si128(reinterpret_cast<__m128i*>(a), wide);
  }
};

}  // namespace mobilenetv2::avx2

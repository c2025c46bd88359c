// Vectors of the quantised kernels on AVX-VNNI. Include inside an AVX-VNNI target region only.
#pragma once

#include "kernels/simd/x86_qu8_ymm.h"

namespace mobilenetv2::avxvnni {

struct Tag;

struct Qu8 : Qu8Ymm<Tag> {
  static constexpr int kGroup = 4;
  static constexpr int kColBytes = 32;
  static constexpr bool kWideWeights = false;

  static Int dot(Int acc, Int a, Int weights) { return _mm256_dpbusd_avx_epi32(acc, a, weights); }

  using Quad = Int;
  static Quad quad_low(Int old_pair, Int new_pair) { return _mm256_unpacklo_epi16(old_pair, new_pair); }
  static Quad quad_high(Int old_pair, Int new_pair) { return _mm256_unpackhi_epi16(old_pair, new_pair); }
  using QuadWeights = Int;
  static constexpr int kQuadWeightBytes = 32;
  static QuadWeights load_quad_weights(const uint8_t* p) { return load(p); }
  static Int dot_quad(Int acc, Quad a, QuadWeights weights) { return dot(acc, a, weights); }

  static void store_column(uint8_t* a, Int bytes) { store(a, bytes); }
  static void store_chunk(uint8_t* a, uint64_t bytes) { std::memcpy(a, &bytes, sizeof(bytes)); }
};

}  // namespace mobilenetv2::avxvnni

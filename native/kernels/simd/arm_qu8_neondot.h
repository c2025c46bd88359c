// Vectors of the quantised kernels on NEON with dot products. Include inside a dotprod target region only.
#pragma once

#include "kernels/simd/arm_qu8_vectors.h"

namespace mobilenetv2::neondot {

struct Tag;

struct Qu8 : Qu8Arm<Tag, 0x80> {
  static constexpr int kGroup = 4;
  static constexpr int kTileCols = 6;  // 2 x 6 pixels x 2 vectors = 24 accumulators
  static constexpr ProductForm kProduct = ProductForm::lanes;
  static constexpr int kLeastWeight = -128;
  static constexpr int kWeightBytes = 16;

  using Pixel = int8x16_t;
  static Pixel broadcast(const uint8_t* p) {
    return vreinterpretq_s8_s32(vld1q_dup_s32(reinterpret_cast<const int32_t*>(p)));
  }
  static Pixel load_pixels(const uint8_t* p) { return vld1q_s8(reinterpret_cast<const int8_t*>(p)); }
  using Weights = int8x16_t;
  static Weights load_weights(const uint8_t* p) { return vld1q_s8(reinterpret_cast<const int8_t*>(p)); }
  static Int dot(Int acc, Pixel a, Weights weights) { return vdotq_s32(acc, a, weights); }
  // `word` of the pixels' four words.
  static Int dot_word(Int acc, Pixel a, int word, Weights weights) {
    switch (word) {
      case 0:
        return vdotq_laneq_s32(acc, weights, a, 0);
      case 1:
        return vdotq_laneq_s32(acc, weights, a, 1);
      case 2:
        return vdotq_laneq_s32(acc, weights, a, 2);
      default:
        return vdotq_laneq_s32(acc, weights, a, 3);
    }
  }
  static constexpr int weight_byte(int w, int i) { return 4 * w + i; }

  using Quad = int8x16_t;
  static Quad quad_low(Int old_pair, Int new_pair) {
    return vreinterpretq_s8_s16(vzip1q_s16(vreinterpretq_s16_s32(old_pair), vreinterpretq_s16_s32(new_pair)));
  }
  static Quad quad_high(Int old_pair, Int new_pair) {
    return vreinterpretq_s8_s16(vzip2q_s16(vreinterpretq_s16_s32(old_pair), vreinterpretq_s16_s32(new_pair)));
  }
  using QuadWeights = int8x16_t;
  static constexpr int kQuadWeightBytes = 16;
  static constexpr int quad_byte(int w, int row) { return 4 * w + row; }
  static QuadWeights load_quad_weights(const uint8_t* p) { return load_weights(p); }
  static Int dot_quad(Int acc, Quad a, QuadWeights weights) { return vdotq_s32(acc, a, weights); }
};

}  // namespace mobilenetv2::neondot

// Vectors of the quantised kernels on NEON with 8-bit matrix products. Include inside an i8mm target region only.
//
// A column of an A tile, eight channels of two rows, is the left matrix of an instruction as it is. The right one holds
// eight channels of two outputs, the product two rows by two outputs: 32 products, twice those of a dot product.
#pragma once

#include "kernels/simd/arm_qu8_vectors.h"

namespace mobilenetv2::i8mm {

struct Tag;

struct Qu8 : Qu8Arm<Tag, 0> {
  static constexpr int kGroup = 8;
  static constexpr int kTileCols = 6;  // 6 columns x 4 pairs of outputs = 24 accumulators
  static constexpr ProductForm kProduct = ProductForm::matrices;
  static constexpr int kLeastWeight = -128;
  static constexpr int kWeightBytes = 32;  // four outputs

  using Pixel = uint8x16_t;
  static Pixel load_pixels(const uint8_t* p) { return vld1q_u8(p); }
  using Weights = int8x16_t;
  static Weights load_weights(const uint8_t* p) { return vld1q_s8(reinterpret_cast<const int8_t*>(p)); }
  static Int dot_matrices(Int acc, Pixel a, Weights weights) { return vusmmlaq_s32(acc, a, weights); }
  static constexpr int weight_byte(int w, int i) { return 8 * w + i; }

  // Words 0 and 1, and words 2 and 3, of both.
  static Int first_halves(Int a, Int b) {
    return vreinterpretq_s32_s64(vzip1q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)));
  }
  static Int second_halves(Int a, Int b) {
    return vreinterpretq_s32_s64(vzip2q_s64(vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b)));
  }

  using Quad = uint8x16_t;
  static Quad quad_low(Int old_pair, Int new_pair) {
    return vreinterpretq_u8_s16(vzip1q_s16(vreinterpretq_s16_s32(old_pair), vreinterpretq_s16_s32(new_pair)));
  }
  static Quad quad_high(Int old_pair, Int new_pair) {
    return vreinterpretq_u8_s16(vzip2q_s16(vreinterpretq_s16_s32(old_pair), vreinterpretq_s16_s32(new_pair)));
  }
  using QuadWeights = int8x16_t;
  static constexpr int kQuadWeightBytes = 16;
  static constexpr int quad_byte(int w, int row) { return 4 * w + row; }
  static QuadWeights load_quad_weights(const uint8_t* p) { return load_weights(p); }
  static Int dot_quad(Int acc, Quad a, QuadWeights weights) { return vusdotq_s32(acc, a, weights); }
};

}  // namespace mobilenetv2::i8mm

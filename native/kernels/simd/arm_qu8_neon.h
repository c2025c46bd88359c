// Vectors of the quantised kernels on NEON without dot products. Include inside a NEON target region only.
//
// The sums of two products of s8 fit 16 bits when one factor is never -128, so four channels of a word cost three
// instructions: a multiplication of 8 + 8 bytes into 16 bits, one that adds, and a pairwise addition to the words.
// That is 16 products in three instructions; multiplying 16-bit words by a lane, the other way, takes four.
#pragma once

#include "kernels/simd/arm_qu8_vectors.h"

namespace mobilenetv2::neon {

struct Tag;

struct Qu8 : Qu8Arm<Tag, 0x80> {
  static constexpr int kGroup = 4;
#if defined(__aarch64__)
  static constexpr int kTileCols = 4;  // 2 x 4 pixels x 2 vectors = 16 accumulators
#else
  static constexpr int kTileCols = 2;  // 8 of 16 registers
#endif
  static constexpr ProductForm kProduct = ProductForm::broadcast;
  static constexpr int kLeastWeight = -127;
  static constexpr int kWeightBytes = 16;

  // Channels 0 and 1, or 2 and 3, of the group.
  struct Halves {
    int8x8_t first, second;
  };

  // The activations of either pair of channels, four times; the weights of four outputs.
  using Pixel = Halves;
  static Pixel broadcast(const uint8_t* p) {
    const auto* pairs = reinterpret_cast<const int16_t*>(p);
    return {vreinterpret_s8_s16(vld1_dup_s16(pairs)), vreinterpret_s8_s16(vld1_dup_s16(pairs + 1))};
  }
  using Weights = Halves;
  static Weights load_weights(const uint8_t* p) {
    const auto* halves = reinterpret_cast<const int8_t*>(p);
    return {vld1_s8(halves), vld1_s8(halves + 8)};
  }
  static Int dot(Int acc, Halves a, Halves weights) {
    const int16x8_t sums = vmlal_s8(vmull_s8(a.first, weights.first), a.second, weights.second);
    return vpadalq_s16(acc, sums);
  }
  static constexpr int weight_byte(int w, int i) { return i / 2 * 8 + 2 * w + i % 2; }

  // Rows 0 and 1, and rows 2 and 3, of four channels: halves of the pairs as they are.
  using Quad = Halves;
  static Quad quad_low(Int old_pair, Int new_pair) {
    return {vget_low_s8(vreinterpretq_s8_s32(old_pair)), vget_low_s8(vreinterpretq_s8_s32(new_pair))};
  }
  static Quad quad_high(Int old_pair, Int new_pair) {
    return {vget_high_s8(vreinterpretq_s8_s32(old_pair)), vget_high_s8(vreinterpretq_s8_s32(new_pair))};
  }
  using QuadWeights = Halves;
  static constexpr int kQuadWeightBytes = 16;
  static constexpr int quad_byte(int w, int row) { return weight_byte(w, row); }
  static QuadWeights load_quad_weights(const uint8_t* p) { return load_weights(p); }
  static Int dot_quad(Int acc, Quad a, QuadWeights weights) { return dot(acc, a, weights); }
};

}  // namespace mobilenetv2::neon

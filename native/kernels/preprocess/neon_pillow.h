// The two filters of Pillow's resize on NEON. Include inside a NEON target region only.
//
// A weight of 22 fractional bits is split into hi * 2^11 + lo, so that both parts and the bytes, widened to 16 bits,
// have products of 32 bits: four of them added per instruction. Sums of hi and lo are kept apart until the end; the
// whole sum fits 32 bits.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/preprocess/pillow_driver.h"
#include "kernels/preprocess/two_part_weights.h"

namespace mobilenetv2::neon {

struct PillowFilter : TwoPartWeights<PillowFilter, uint16_t> {
  static constexpr int32_t kStrip = 4;
  static constexpr int32_t column_step(int32_t channels) { return channels == 1 ? 8 : 4; }
  static constexpr int32_t kRowStep = 1;
  static constexpr size_t kRowBlock = 16;

  // Sums of products with both parts of the weights.
  struct Sums {
    uint32x4_t hi, lo;

    // Written out: g++ would make an implicit one at the end of the file, outside the target region.
    Sums() : hi(vdupq_n_u32(0)), lo(vdupq_n_u32(0)) {}

    void add(uint16x4_t values, uint16x4_t weights_hi, uint16x4_t weights_lo) {
      hi = vmlal_u16(hi, values, weights_hi);
      lo = vmlal_u16(lo, values, weights_lo);
    }
    template <int kLane>
    void add_lane(uint16x4_t values, uint16x4_t weights_hi, uint16x4_t weights_lo) {
      hi = vmlal_lane_u16(hi, values, weights_hi, kLane);
      lo = vmlal_lane_u16(lo, values, weights_lo, kLane);
    }
    uint32x4_t whole() const { return vaddq_u32(vshlq_n_u32(hi, kLowBits), lo); }
    // Half up; more than 255 is clamped later.
    uint16x4_t rounded() const { return rounded(whole()); }
    static uint16x4_t rounded(uint32x4_t sums) { return vqmovn_u32(vrshrq_n_u32(sums, kWeightBits)); }
  };

  // One pixel's channels; what lies in the fourth does not matter. Reads 8 bytes.
  static uint16x4_t pixel(const uint8_t* p) { return vget_low_u16(vmovl_u8(vld1_u8(p))); }

  template <int kChannels>
  static void colour_column(const FilterColumn& column, const uint8_t* const* in, uint8_t* const* out) {
    const Weights weights(column.weights, column.padded);
    Sums sums[kStrip];
    size_t at = column.begin;
    for (int32_t i = 0; i < column.taps; i += 4, at += 4 * kChannels) {
      const uint16x4_t weights_hi = vld1_u16(weights.hi + i), weights_lo = vld1_u16(weights.lo + i);
#pragma GCC unroll 4
      for (int r = 0; r < kStrip; ++r) {
        const uint8_t* p = in[r] + at;
        sums[r].add_lane<0>(pixel(p), weights_hi, weights_lo);
        sums[r].add_lane<1>(pixel(p + kChannels), weights_hi, weights_lo);
        sums[r].add_lane<2>(pixel(p + 2 * kChannels), weights_hi, weights_lo);
        sums[r].add_lane<3>(pixel(p + 3 * kChannels), weights_hi, weights_lo);
      }
    }
    // Four bytes per pixel are stored: the next pixel, or the padding of the row, takes the fourth.
    store_two(sums[0], sums[1], out[0] + column.to, out[1] + column.to);
    store_two(sums[2], sums[3], out[2] + column.to, out[3] + column.to);
  }

  static void store_two(const Sums& a, const Sums& b, uint8_t* to_a, uint8_t* to_b) {
    const uint32x2_t words = vreinterpret_u32_u8(vqmovn_u16(vcombine_u16(a.rounded(), b.rounded())));
    const uint32_t word_a = vget_lane_u32(words, 0), word_b = vget_lane_u32(words, 1);
    std::memcpy(to_a, &word_a, sizeof word_a);
    std::memcpy(to_b, &word_b, sizeof word_b);
  }

  static void grey_column(const FilterColumn& column, const uint8_t* const* in, uint8_t* const* out) {
    const Weights weights(column.weights, column.padded);
    Sums sums[kStrip];
    for (int32_t i = 0; i < column.taps; i += 8) {
      const uint16x8_t weights_hi = vld1q_u16(weights.hi + i), weights_lo = vld1q_u16(weights.lo + i);
#pragma GCC unroll 4
      for (int r = 0; r < kStrip; ++r) {
        const uint16x8_t values = vmovl_u8(vld1_u8(in[r] + column.begin + i));
        sums[r].add(vget_low_u16(values), vget_low_u16(weights_hi), vget_low_u16(weights_lo));
        sums[r].add(vget_high_u16(values), vget_high_u16(weights_hi), vget_high_u16(weights_lo));
      }
    }
    const uint32x4_t all =
        vcombine_u32(vpadd_u32(two_sums(sums[0]), two_sums(sums[1])), vpadd_u32(two_sums(sums[2]), two_sums(sums[3])));
    const uint16x4_t rounded = Sums::rounded(all);
    const uint8x8_t bytes = vqmovn_u16(vcombine_u16(rounded, rounded));
    out[0][column.to] = vget_lane_u8(bytes, 0);
    out[1][column.to] = vget_lane_u8(bytes, 1);
    out[2][column.to] = vget_lane_u8(bytes, 2);
    out[3][column.to] = vget_lane_u8(bytes, 3);
  }

  static uint32x2_t two_sums(const Sums& sums) {
    const uint32x4_t whole = sums.whole();
    return vadd_u32(vget_low_u32(whole), vget_high_u32(whole));
  }

  // Blocks of 16 bytes, the last one overlapping the one before.
  static void rows(const uint8_t* weights, int32_t taps, const uint8_t* const* rows, size_t offset, size_t bytes,
                   uint8_t* out) {
    const Weights split(weights, taps);
    for (size_t at = 0; at < bytes; at += kRowBlock) {
      if (at + kRowBlock > bytes) at = bytes - kRowBlock;
      Sums sums[4];
      for (int32_t i = 0; i < taps; ++i) {
        const uint16x4_t weights_hi = vdup_n_u16(split.hi[i]), weights_lo = vdup_n_u16(split.lo[i]);
        const uint8x16_t block = vld1q_u8(rows[i] + offset + at);
        const uint16x8_t low = vmovl_u8(vget_low_u8(block)), high = vmovl_u8(vget_high_u8(block));
        sums[0].add(vget_low_u16(low), weights_hi, weights_lo);
        sums[1].add(vget_high_u16(low), weights_hi, weights_lo);
        sums[2].add(vget_low_u16(high), weights_hi, weights_lo);
        sums[3].add(vget_high_u16(high), weights_hi, weights_lo);
      }
      vst1q_u8(out + at, vcombine_u8(vqmovn_u16(vcombine_u16(sums[0].rounded(), sums[1].rounded())),
                                     vqmovn_u16(vcombine_u16(sums[2].rounded(), sums[3].rounded()))));
    }
  }
};

}  // namespace mobilenetv2::neon

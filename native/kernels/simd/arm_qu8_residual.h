// The skip of a quantised block in fixed point (see inverted_residual/qu8_residual.h). Include inside a NEON target
// region; V is a vector type of simd/arm_qu8_*.h.
#pragma once

#include <arm_neon.h>

#include <algorithm>

#include "kernels/inverted_residual/qu8_residual.h"

namespace mobilenetv2::qu8 {

template <class V>
class FixedResidual {
 public:
  explicit FixedResidual(const Residual& r)
      : a_(r.a_multiplier, kResidualBits, r.a_shift),
        b_(r.b_multiplier, kResidualBits, r.b_shift),
        sum_(r.output_multiplier, 0, r.output_shift),
        a_zero_point_(vdup_n_u8(static_cast<uint8_t>(r.a_zero_point))),
        b_zero_point_(vdup_n_u8(static_cast<uint8_t>(r.b_zero_point))),
        zero_point_(vdupq_n_s16(static_cast<int16_t>(r.output_zero_point))),
        low_(vdup_n_u8(static_cast<uint8_t>(r.min_q))),
        high_(vdup_n_u8(static_cast<uint8_t>(r.max_q))) {}

  [[gnu::always_inline]] uint8x8_t operator()(uint8x8_t a, uint8x8_t b) const {
    const int16x8_t a_less = vreinterpretq_s16_u16(vsubl_u8(a, a_zero_point_));
    const int16x8_t b_less = vreinterpretq_s16_u16(vsubl_u8(b, b_zero_point_));
    const int16x4_t low = vqmovn_s32(sum(vget_low_s16(a_less), vget_low_s16(b_less)));
    const int16x4_t high = vqmovn_s32(sum(vget_high_s16(a_less), vget_high_s16(b_less)));
    const uint8x8_t y = vqmovun_s16(vqaddq_s16(vcombine_s16(low, high), zero_point_));
    return vmin_u8(vmax_u8(y, low_), high_);
  }

 private:
  // mbqm of x * 2^bits.
  struct Scale {
    int32x4_t left, multiplier, right;
    Scale(int32_t multiplier, int32_t bits, int32_t shift)
        : left(vdupq_n_s32(bits + std::max(shift, 0))),
          multiplier(vdupq_n_s32(multiplier)),
          right(vdupq_n_s32(std::min(shift, 0))) {}
    [[gnu::always_inline]] int32x4_t operator()(int32x4_t x) const {
      return Requantize<V>::full(x, multiplier, left, right);
    }
  };

  [[gnu::always_inline]] int32x4_t sum(int16x4_t a, int16x4_t b) const {
    return sum_(vqaddq_s32(a_(vmovl_s16(a)), b_(vmovl_s16(b))));
  }

  const Scale a_, b_, sum_;
  const uint8x8_t a_zero_point_, b_zero_point_;
  const int16x8_t zero_point_;
  const uint8x8_t low_, high_;
};

template <class V>
void fixed_residual_row(const Residual& r, const uint8_t* __restrict a, uint8_t* __restrict b, int32_t count) {
  const FixedResidual<V> skip(r);
  int32_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const uint8x8_t first = skip(vld1_u8(a + i), vld1_u8(b + i));
    const uint8x8_t second = skip(vld1_u8(a + i + 8), vld1_u8(b + i + 8));
    vst1_u8(b + i, first);
    vst1_u8(b + i + 8, second);
  }
  for (; i < count; i += 8) {
    const int n = std::min(count - i, 8);
    V::store_first(b + i, skip(V::load_first(a + i, n), V::load_first(b + i, n)), n);
  }
}

}  // namespace mobilenetv2::qu8

// Float vectors of NEON for the shared float drivers. Include inside a NEON target region only.
#pragma once

#include <arm_neon.h>

namespace mobilenetv2::neon {

struct F32x4 {
  using Reg = float32x4_t;
  static constexpr int kLanes = 4;
  static Reg load(const float* p) { return vld1q_f32(p); }
  // The first n lanes from memory, zero in the others; nothing else is read. n may be anything.
  static Reg load_first(const float* p, int n) {
    if (n >= 4) return load(p);
    Reg x = zero();
    if (n >= 1) x = vld1q_lane_f32(p, x, 0);
    if (n >= 2) x = vld1q_lane_f32(p + 1, x, 1);
    if (n >= 3) x = vld1q_lane_f32(p + 2, x, 2);
    return x;
  }
  static void store(float* p, Reg x) { vst1q_f32(p, x); }
  static void store_first(float* p, Reg x, int n) {
    if (n >= 4) return store(p, x);
    if (n >= 1) vst1q_lane_f32(p, x, 0);
    if (n >= 2) vst1q_lane_f32(p + 1, x, 1);
    if (n >= 3) vst1q_lane_f32(p + 2, x, 2);
  }
  static Reg broadcast(float x) { return vdupq_n_f32(x); }
  // The same value, in a register: nothing is gained by having the compiler load it again for each of its uses.
  static Reg in_register(Reg x) {
    __asm__("" : "+w"(x));
    return x;
  }
  static Reg zero() { return vdupq_n_f32(0); }
  static Reg add(Reg a, Reg b) { return vaddq_f32(a, b); }
  static Reg sub(Reg a, Reg b) { return vsubq_f32(a, b); }
  static Reg mul(Reg a, Reg b) { return vmulq_f32(a, b); }
  static Reg min(Reg a, Reg b) { return vminq_f32(a, b); }
  static Reg max(Reg a, Reg b) { return vmaxq_f32(a, b); }
  static void prefetch(const float* p) { __builtin_prefetch(p); }
  // Computed, or loaded, after what was put in order before: clang's scheduler would mix loads and multiplications.
  static void in_order(Reg& x) { __asm__ volatile("" : "+w"(x) : : "memory"); }
  static void in_order(Reg& x, Reg& y) { __asm__ volatile("" : "+w"(x), "+w"(y) : : "memory"); }
#if defined(__aarch64__)
  static constexpr int kStepsLoaded = 4;
  static Reg fma(Reg a, Reg b, Reg c) { return vfmaq_f32(c, a, b); }
  // c + a[lane] * b: the broadcast is part of the instruction.
  template <int kLane>
  static Reg fma_lane(Reg a, Reg b, Reg c) {
    return vfmaq_laneq_f32(c, b, a, kLane);
  }
  static Reg round(Reg x) { return vrndnq_f32(x); }
  static float max_of(Reg x) { return vmaxvq_f32(x); }
  static float sum_of(Reg x) { return vaddvq_f32(x); }
#else
  static constexpr int kStepsLoaded = 1;  // there are not the registers for more
  // Not fused: VFPv4, which can, came after NEON.
  static Reg fma(Reg a, Reg b, Reg c) { return vmlaq_f32(c, a, b); }
  template <int kLane>
  static Reg fma_lane(Reg a, Reg b, Reg c) {
    return vmlaq_lane_f32(c, b, kLane < 2 ? vget_low_f32(a) : vget_high_f32(a), kLane % 2);
  }
  // Of |x| < 2^22: no digit behind the point is left beside 3 * 2^22.
  static Reg round(Reg x) {
    const Reg shift = broadcast(12582912.0f);
    return sub(add(x, shift), shift);
  }
  static float max_of(Reg x) {
    const float32x2_t m = vmax_f32(vget_low_f32(x), vget_high_f32(x));
    return vget_lane_f32(vpmax_f32(m, m), 0);
  }
  static float sum_of(Reg x) {
    const float32x2_t s = vadd_f32(vget_low_f32(x), vget_high_f32(x));
    return vget_lane_f32(vpadd_f32(s, s), 0);
  }
#endif
  // 2^n of whole numbers n in -126 ... 127.
  static Reg exp2_whole(Reg n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
  }
};

struct Simd {
  using Vec = F32x4;
  using Half = F32x4;  // no half vectors: 4 channels are one vector
#if defined(__aarch64__)
  static constexpr int kSums = 14;  // of a tile, of 32 registers: 7 pixels, which divide a row of 112, 56, ... 7
  static constexpr int kDepthwiseRows = 2;  // twice as many chains of additions for in-order cores
#else
  static constexpr int kSums = 8;  // of 16 registers
  static constexpr int kDepthwiseRows = 1;
#endif
  static constexpr bool kLaneFma = true;
  static constexpr bool kDeferStores = false;
};

}  // namespace mobilenetv2::neon

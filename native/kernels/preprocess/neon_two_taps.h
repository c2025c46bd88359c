// Vectors of the two-tap resizes on NEON. On ARM64 only: ARMv7's has no doubles. Include inside a NEON target region.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace mobilenetv2::neon {

struct Doubles4 {
  float64x2_t low, high;
};

// The end of both: doubles.
struct ScaledDoubles {
  using Doubles = Doubles4;
  static Doubles doubles(double a, double b, double c, double d) {
    return {vsetq_lane_f64(b, vdupq_n_f64(a), 1), vsetq_lane_f64(d, vdupq_n_f64(c), 1)};
  }
  static Doubles scale(Doubles x, Doubles mul, Doubles add) {
    return {vaddq_f64(vmulq_f64(x.low, mul.low), add.low), vaddq_f64(vmulq_f64(x.high, mul.high), add.high)};
  }
  static void store(Doubles x, float* to) { vst1q_f32(to, vcvt_high_f32_f64(vcvt_f32_f64(x.low), x.high)); }
  static uint32_t bytes(Doubles x, double low, double high) {
    const int64x2_t a = whole(x.low, low, high), b = whole(x.high, low, high);
    const int16x4_t shorts = vmovn_s32(vmovn_high_s64(vmovn_s64(a), b));
    return vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(shorts, shorts))), 0);
  }

 private:
  static int64x2_t whole(float64x2_t x, double low, double high) {
    return vcvtq_s64_f64(vminq_f64(vmaxq_f64(vrndmq_f64(x), vdupq_n_f64(low)), vdupq_n_f64(high)));
  }
};

inline uint32x4_t words(uint32_t bytes) { return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes)))); }

struct Float4 : ScaledDoubles {
  using Real = float;
  using Reg = float32x4_t;
  static Reg from_bytes(uint32_t word) { return vcvtq_f32_u32(words(word)); }
  static Reg broadcast(float v) { return vdupq_n_f32(v); }
  static Reg lerp(Reg a, Reg b, Reg fraction) { return vaddq_f32(a, vmulq_f32(vsubq_f32(b, a), fraction)); }
  static Doubles to_double(Reg v) { return {vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)}; }
};

struct Double4 : ScaledDoubles {
  using Real = double;
  using Reg = Doubles4;
  static Reg from_bytes(uint32_t word) { return Float4::to_double(Float4::from_bytes(word)); }
  static Reg broadcast(double v) { return {vdupq_n_f64(v), vdupq_n_f64(v)}; }
  static Reg lerp(Reg a, Reg b, Reg fraction) {
    return {lerp(a.low, b.low, fraction.low), lerp(a.high, b.high, fraction.high)};
  }
  static Doubles to_double(Reg v) { return v; }

 private:
  static float64x2_t lerp(float64x2_t a, float64x2_t b, float64x2_t fraction) {
    return vaddq_f64(a, vmulq_f64(vsubq_f64(b, a), fraction));
  }
};

}  // namespace mobilenetv2::neon

#include "kernels/peak/peak.h"

#if defined(MOBILENETV2_NEON)

#include <cstring>

#include "kernels/simd/arm_neon_begin.h"

#include <arm_neon.h>

#include "kernels/peak/accumulators.h"

namespace mobilenetv2 {
namespace {

struct NeonFloatStep {
  using Vector = float32x4_t;
  static Vector start(int i) { return vdupq_n_f32(static_cast<float>(i + 1)); }
  static Vector accumulate(Vector acc) {
#if defined(__aarch64__)
    return vfmaq_f32(acc, vdupq_n_f32(0.5f), vdupq_n_f32(0.25f));
#else
    // Not fused: with constants alone the product would be moved out of the loop.
    return vmlaq_f32(acc, acc, vdupq_n_f32(-1.5f));
#endif
  }
  static Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
};

// 8-bit values widened to 16: the exact product on a CPU without dot products. The accumulator is its own factor, so
// that no product can be moved out of the loop.
struct NeonWidenedStep {
  using Vector = int32x4_t;
  static Vector start(int i) { return vdupq_n_s32(i + 1); }
  static Vector accumulate(Vector acc) {
    return vmlal_s16(acc, vget_low_s16(vreinterpretq_s16_s32(acc)), vdup_n_s16(3));
  }
  static Vector add(Vector a, Vector b) { return vaddq_s32(a, b); }
};

}  // namespace

const PeakLoop peak_f32__neon = {Isa::neon, Dtype::f32, kChains * 4, accumulate_turns<NeonFloatStep>};
const PeakLoop peak_qu8__neon = {Isa::neon, Dtype::qu8, kChains * 4, accumulate_turns<NeonWidenedStep>};

}  // namespace mobilenetv2

#include "kernels/simd/target_end.h"

#endif

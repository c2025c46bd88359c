#include "kernels/peak/peak.h"

#if defined(MOBILENETV2_NEON) && defined(__aarch64__)

#include <cstring>

#include "kernels/simd/arm_neondot_begin.h"

#include <arm_neon.h>

#include "kernels/peak/accumulators.h"

namespace mobilenetv2 {
namespace {

struct NeondotStep {
  using Vector = int32x4_t;
  static Vector start(int i) { return vdupq_n_s32(i); }
  static Vector accumulate(Vector acc) { return vdotq_s32(acc, vdupq_n_s8(3), vdupq_n_s8(5)); }
  static Vector add(Vector a, Vector b) { return vaddq_s32(a, b); }
};

}  // namespace

const PeakLoop peak_qu8__neondot = {Isa::neondot, Dtype::qu8, kChains * 16, accumulate_turns<NeondotStep>};

}  // namespace mobilenetv2

#include "kernels/simd/target_end.h"

#endif

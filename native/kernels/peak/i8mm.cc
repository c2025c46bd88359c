#include "kernels/peak/peak.h"

#if defined(MOBILENETV2_NEON) && defined(__aarch64__)

#include <cstring>

#include "kernels/simd/arm_i8mm_begin.h"

#include <arm_neon.h>

#include "kernels/peak/accumulators.h"

namespace mobilenetv2 {
namespace {

struct I8mmStep {
  using Vector = int32x4_t;
  static Vector start(int i) { return vdupq_n_s32(i); }
  static Vector accumulate(Vector acc) { return vmmlaq_s32(acc, vdupq_n_s8(3), vdupq_n_s8(5)); }
  static Vector add(Vector a, Vector b) { return vaddq_s32(a, b); }
};

}  // namespace

const PeakLoop peak_qu8__i8mm = {Isa::i8mm, Dtype::qu8, kChains * 32, accumulate_turns<I8mmStep>};

}  // namespace mobilenetv2

#include "kernels/simd/target_end.h"

#endif

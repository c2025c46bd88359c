#include "kernels/peak/peak.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include <cstring>

#include "kernels/simd/x86_avx512_begin.h"

#include "kernels/peak/accumulators.h"

namespace mobilenetv2 {
namespace {

struct FloatStep {
  using Vector = __m512;
  static Vector start(int i) { return _mm512_set1_ps(static_cast<float>(i)); }
  static Vector accumulate(Vector acc) { return _mm512_fmadd_ps(acc, _mm512_set1_ps(0.5f), _mm512_set1_ps(0.25f)); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
};

// 8-bit values widened to 16: the exact product on a CPU without VNNI. The accumulator is its own factor, so that no
// product can be moved out of the loop.
struct WidenedStep {
  using Vector = __m512i;
  static Vector start(int i) { return _mm512_set1_epi16(static_cast<short>(i + 1)); }
  static Vector accumulate(Vector acc) { return _mm512_add_epi32(acc, _mm512_madd_epi16(acc, _mm512_set1_epi16(3))); }
  static Vector add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
};

}  // namespace

const PeakLoop peak_f32__avx512 = {Isa::avx512, Dtype::f32, kChains * 16, accumulate_turns<FloatStep>};
const PeakLoop peak_qu8__avx512 = {Isa::avx512, Dtype::qu8, kChains * 32, accumulate_turns<WidenedStep>};

}  // namespace mobilenetv2

#include "kernels/simd/target_end.h"

#endif

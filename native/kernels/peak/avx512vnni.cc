#include "kernels/peak/peak.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include <cstring>

#include "kernels/simd/x86_avx512vnni_begin.h"

#include "kernels/peak/accumulators.h"

namespace mobilenetv2 {
namespace {

struct DotStep {
  using Vector = __m512i;
  static Vector start(int i) { return _mm512_set1_epi32(i); }
  static Vector accumulate(Vector acc) { return _mm512_dpbusd_epi32(acc, _mm512_set1_epi8(3), _mm512_set1_epi8(5)); }
  static Vector add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
};

}  // namespace

const PeakLoop peak_qu8__avx512vnni = {Isa::avx512vnni, Dtype::qu8, kChains * 64, accumulate_turns<DotStep>};

}  // namespace mobilenetv2

#include "kernels/simd/target_end.h"

#endif

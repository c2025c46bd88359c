#include "kernels/peak/peak.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include <cstring>

// This loop alone uses the set, hence no simd/x86_avxvnni_begin.h.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avxvnni,avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("avxvnni,avx2,fma")
#endif

#include "kernels/peak/accumulators.h"

namespace mobilenetv2 {
namespace {

struct DotStep {
  using Vector = __m256i;
  static Vector start(int i) { return _mm256_set1_epi32(i); }
  static Vector accumulate(Vector acc) {
    return _mm256_dpbusd_avx_epi32(acc, _mm256_set1_epi8(3), _mm256_set1_epi8(5));
  }
  static Vector add(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
};

}  // namespace

const PeakLoop peak_qu8__avxvnni = {Isa::avxvnni, Dtype::qu8, kChains * 32, accumulate_turns<DotStep>};

}  // namespace mobilenetv2

#include "kernels/simd/target_end.h"

#endif

#include "kernels/x86_qu8.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/common.h"

#include "kernels/simd/x86_avx512vnni_begin.h"

#include "kernels/simd/x86_qu8_avx512vnni.h"

#include "kernels/inverted_residual/qu8_sliced.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel inverted_residual_qu8__avx512vnni = qu8::Block<avx512vnni::Qu8>::kernel(
    "inverted_residual_qu8_14x32__avx512vnni", Isa::avx512vnni, &qu8::SlicedBlock<avx512vnni::Qu8>::kRun<>);

#if defined(MOBILENETV2_AMX)
const Kernel inverted_residual_qu8__amx = qu8::Block<avx512vnni::Qu8>::kernel<true>(
    "inverted_residual_qu8_14x32__amx", Isa::amx, &qu8::SlicedBlock<avx512vnni::Qu8>::kRun<true>);
#endif

}  // namespace mobilenetv2

#endif

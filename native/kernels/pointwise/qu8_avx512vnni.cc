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

#include "kernels/pointwise/qu8_pointwise.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel pointwise_qu8__avx512vnni =
    qu8::Pointwise<avx512vnni::Qu8>::kernel("pointwise_qu8_14x32__avx512vnni", Isa::avx512vnni);

#if defined(MOBILENETV2_AMX)
const Kernel pointwise_qu8__amx = qu8::Pointwise<avx512vnni::Qu8>::kernel<true>("pointwise_qu8_14x32__amx", Isa::amx);
#endif

}  // namespace mobilenetv2

#endif

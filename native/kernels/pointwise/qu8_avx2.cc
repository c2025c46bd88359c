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

#include "kernels/simd/x86_avx2_begin.h"

#include "kernels/simd/x86_qu8_avx2.h"

#include "kernels/pointwise/qu8_pointwise.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel pointwise_qu8__avx2 = qu8::Pointwise<avx2::Qu8>::kernel("pointwise_qu8_6x16__avx2", Isa::avx2);

}  // namespace mobilenetv2

#endif

#include "kernels/arm_qu8.h"

#if defined(MOBILENETV2_NEON)

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/common.h"

#include "kernels/simd/arm_neon_begin.h"

#include "kernels/simd/arm_qu8_neon.h"

#include "kernels/pointwise/qu8_pointwise.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel pointwise_qu8__neon = qu8::Pointwise<neon::Qu8>::kernel("pointwise_qu8__neon", Isa::neon);

}  // namespace mobilenetv2

#endif

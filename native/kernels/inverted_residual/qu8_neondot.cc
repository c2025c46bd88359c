#include "kernels/arm_qu8.h"

#if defined(MOBILENETV2_NEON_DOT)

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/common.h"

#include "kernels/simd/arm_neondot_begin.h"

#include "kernels/simd/arm_qu8_neondot.h"

#include "kernels/inverted_residual/qu8_sliced.h"

#include "kernels/simd/arm_qu8_depthwise.h"
#include "kernels/simd/arm_qu8_residual.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel inverted_residual_qu8__neondot = qu8::Block<neondot::Qu8>::kernel(
    "inverted_residual_qu8_12x8__neondot", Isa::neondot, &qu8::SlicedBlock<neondot::Qu8>::kRun<>);

}  // namespace mobilenetv2

#endif

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

#include "kernels/inverted_residual/qu8_sliced.h"

#include "kernels/simd/arm_qu8_depthwise.h"
#include "kernels/simd/arm_qu8_residual.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel inverted_residual_qu8__neon =
    qu8::Block<neon::Qu8>::kernel("inverted_residual_qu8__neon", Isa::neon, &qu8::SlicedBlock<neon::Qu8>::kRun<>);

}  // namespace mobilenetv2

#endif

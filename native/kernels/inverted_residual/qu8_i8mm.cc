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

#include "kernels/simd/arm_i8mm_begin.h"

#include "kernels/simd/arm_qu8_i8mm.h"

#include "kernels/inverted_residual/qu8_sliced.h"

#include "kernels/simd/arm_qu8_depthwise.h"
#include "kernels/simd/arm_qu8_residual.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel inverted_residual_qu8__i8mm =
    qu8::Block<i8mm::Qu8>::kernel("inverted_residual_qu8_12x8__i8mm", Isa::i8mm, &qu8::SlicedBlock<i8mm::Qu8>::kRun<>);

}  // namespace mobilenetv2

#endif

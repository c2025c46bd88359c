#include "kernels/arm_f32.h"

#if defined(MOBILENETV2_NEON)

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "kernels/common.h"

#include "kernels/simd/arm_neon_begin.h"

#include "kernels/simd/arm_f32_neon.h"

#include "kernels/softmax/f32_driver.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel softmax_f32__neon = F32Softmax<neon::Simd>::kernel("softmax_f32__neon", Isa::neon);

}  // namespace mobilenetv2

#endif

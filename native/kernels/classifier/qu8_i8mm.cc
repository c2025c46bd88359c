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

#include "kernels/classifier/qu8_dense.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel dense_qu8__i8mm = qu8::DenseRow<i8mm::Qu8>::kernel("dense_qu8_1x8__i8mm", Isa::i8mm);

}  // namespace mobilenetv2

#endif

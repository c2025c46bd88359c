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

#include "kernels/stem/qu8_stem.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel stem_qu8__neondot = qu8::Stem<neondot::Qu8>::kernel("stem_qu8_12x8__neondot", Isa::neondot);

}  // namespace mobilenetv2

#endif

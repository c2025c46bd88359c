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

#include "kernels/simd/x86_avxvnni_begin.h"

#include "kernels/simd/x86_qu8_avxvnni.h"

#include "kernels/pointwise/qu8_pointwise.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel pointwise_qu8__avxvnni = qu8::Pointwise<avxvnni::Qu8>::kernel("pointwise_qu8_6x16__avxvnni", Isa::avxvnni);

}  // namespace mobilenetv2

#endif

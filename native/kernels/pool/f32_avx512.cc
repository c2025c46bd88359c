#include "kernels/x86_f32.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "kernels/common.h"

#include "kernels/simd/x86_avx512_begin.h"

#include "kernels/simd/x86_f32_avx512.h"

#include "kernels/pool/f32_driver.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel global_average_pool_f32__avx512 =
    F32GlobalAveragePool<avx512::Simd>::kernel("global_average_pool_f32__avx512", Isa::avx512);

}  // namespace mobilenetv2

#endif

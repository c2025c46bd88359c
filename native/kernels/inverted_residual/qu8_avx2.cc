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

#include "kernels/inverted_residual/qu8_sliced.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel inverted_residual_qu8__avx2 =
    qu8::Block<avx2::Qu8>::kernel("inverted_residual_qu8_6x16__avx2", Isa::avx2, &qu8::SlicedBlock<avx2::Qu8>::kRun<>);

}  // namespace mobilenetv2

#endif

#include "kernels/x86_f32.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "kernels/common.h"

#include "kernels/simd/x86_avx2_begin.h"

#include "kernels/simd/x86_f32_avx2.h"

#include "kernels/stem/f32_driver.h"

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const Kernel stem_f32__avx2 = F32Stem<avx2::Simd>::kernel("stem_f32__avx2", Isa::avx2);

}  // namespace mobilenetv2

#endif

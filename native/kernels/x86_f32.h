// The float kernels' registry rows for x86, each defined in its operator's folder.
#pragma once

#include "kernels/kernels.h"

#if defined(__x86_64__) || defined(_M_X64)

namespace mobilenetv2 {

extern const Kernel stem_f32__avx512, stem_f32__avx2;
extern const Kernel inverted_residual_f32__avx512, inverted_residual_f32__avx2;
extern const Kernel pointwise_f32__avx512, pointwise_f32__avx2;
extern const Kernel global_average_pool_f32__avx512, global_average_pool_f32__avx2;
extern const Kernel dense_f32__avx512, dense_f32__avx2;
extern const Kernel softmax_f32__avx512, softmax_f32__avx2;

}  // namespace mobilenetv2

#endif

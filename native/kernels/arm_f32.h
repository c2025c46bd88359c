// The float kernels' registry rows for ARM, each defined in its operator's folder.
#pragma once

#include "cpu/neon.h"
#include "kernels/kernels.h"

#if defined(MOBILENETV2_NEON)

namespace mobilenetv2 {

extern const Kernel stem_f32__neon;
extern const Kernel inverted_residual_f32__neon;
extern const Kernel pointwise_f32__neon;
extern const Kernel global_average_pool_f32__neon;
extern const Kernel dense_f32__neon;
extern const Kernel softmax_f32__neon;

}  // namespace mobilenetv2

#endif

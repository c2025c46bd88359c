// The scalar reference kernels' registry rows: one per operator and dtype, each defined in its operator's folder.
#pragma once

#include "kernels/kernels.h"

namespace mobilenetv2 {

extern const Kernel stem_f32__scalar, stem_qu8__scalar;
extern const Kernel inverted_residual_f32__scalar, inverted_residual_qu8__scalar;
extern const Kernel pointwise_f32__scalar, pointwise_qu8__scalar;
extern const Kernel global_average_pool_f32__scalar, global_average_pool_qu8__scalar;
extern const Kernel dense_f32__scalar, dense_qu8__scalar;
extern const Kernel softmax_f32__scalar, softmax_qu8__scalar;

}  // namespace mobilenetv2

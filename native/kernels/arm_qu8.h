// The quantised kernels' registry rows for ARM, each defined in its operator's folder.
#pragma once

#include "cpu/neon.h"
#include "kernels/kernels.h"

namespace mobilenetv2 {

#if defined(MOBILENETV2_NEON)
extern const Kernel stem_qu8__neon;
extern const Kernel inverted_residual_qu8__neon;
extern const Kernel pointwise_qu8__neon;
extern const Kernel global_average_pool_qu8__neon;
extern const Kernel dense_qu8__neon;
#endif

#if defined(MOBILENETV2_NEON_DOT)
extern const Kernel stem_qu8__i8mm, stem_qu8__neondot;
extern const Kernel inverted_residual_qu8__i8mm, inverted_residual_qu8__neondot;
extern const Kernel pointwise_qu8__i8mm, pointwise_qu8__neondot;
extern const Kernel dense_qu8__i8mm, dense_qu8__neondot;
#endif

}  // namespace mobilenetv2

// The quantised kernels' registry rows for x86, each defined in its operator's folder.
#pragma once

#include "cpu/amx.h"
#include "kernels/kernels.h"

#if defined(__x86_64__) || defined(_M_X64)

namespace mobilenetv2 {

extern const Kernel stem_qu8__avx512vnni, stem_qu8__avxvnni, stem_qu8__avx2;
extern const Kernel inverted_residual_qu8__avx512vnni, inverted_residual_qu8__avxvnni, inverted_residual_qu8__avx2;
extern const Kernel pointwise_qu8__avx512vnni, pointwise_qu8__avxvnni, pointwise_qu8__avx2;
extern const Kernel global_average_pool_qu8__avx512vnni, global_average_pool_qu8__avxvnni,
    global_average_pool_qu8__avx2;
extern const Kernel dense_qu8__avx512vnni, dense_qu8__avxvnni, dense_qu8__avx2;
#if defined(MOBILENETV2_AMX)
extern const Kernel inverted_residual_qu8__amx, pointwise_qu8__amx;
#endif

}  // namespace mobilenetv2

#endif

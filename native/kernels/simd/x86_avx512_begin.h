// Opens a region whose functions may use AVX-512 F, BW, DQ and VL; simd/target_end.h closes it. Standard headers must
// be included before. No #pragma once: each region opens again. MSVC needs no region.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC diagnostic push
// g++ 12's own intrinsics start from a deliberately uninitialised register.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif

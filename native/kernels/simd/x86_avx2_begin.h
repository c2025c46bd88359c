// Opens a region whose functions may use AVX2 and FMA; simd/target_end.h closes it. Standard headers must be included
// before. No #pragma once: each region opens again. MSVC needs no region.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("avx2,fma")
#endif

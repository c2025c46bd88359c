// Opens a region whose functions may use NEON with 8-bit dot products and matrix products; simd/target_end.h closes it.
// Standard headers must be included before. No #pragma once: each region opens again.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")
#endif

// Opens a region whose functions may use NEON with dot products of four bytes; simd/target_end.h closes it. Standard
// headers must be included before. No #pragma once: each region opens again.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

// Opens a region whose functions may use NEON; simd/target_end.h closes it. Standard headers must be included before.
// No #pragma once: each region opens again. NEON is part of ARM64; ARMv7 is compiled for CPUs that may lack it.
#if defined(__clang__) && defined(__arm__)
#pragma clang attribute push(__attribute__((target("neon"))), apply_to = function)
#elif defined(__clang__)
#pragma clang attribute push
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC diagnostic push
#if defined(__arm__)
#pragma GCC target("fpu=neon")
#endif
#endif

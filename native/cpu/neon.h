// MOBILENETV2_NEON: the NEON kernels are compiled. Always on little-endian ARM64; on 32-bit ARM from ARMv7 with
// floating-point registers on, whose compilers can open a NEON region (simd/arm_neon_begin.h). Not by MSVC, whose
// vector types are all one type.
#pragma once

#if !defined(__ARM_BIG_ENDIAN) && defined(__GNUC__) && \
    (defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7 && defined(__ARM_FP)))
#define MOBILENETV2_NEON 1
#endif

// MOBILENETV2_NEON_DOT: so are those with dot products and matrix products of bytes. 32-bit ARM is not asked for them.
#if defined(MOBILENETV2_NEON) && defined(__aarch64__)
#define MOBILENETV2_NEON_DOT 1
#endif

// Tells the core that this thread spins, so that its sibling gets the execution units.
#pragma once

#if defined(__SSE2__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(_MSC_VER)
#include <intrin.h>
#endif

namespace mobilenetv2 {

inline void cpu_pause() {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#elif defined(_MSC_VER)
  __yield();
#endif
}

}  // namespace mobilenetv2

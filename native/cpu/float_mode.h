// Denormals are flushed to zero while kernels run (they cost a hundred cycles each and mean nothing here), and the
// caller's mode comes back afterwards.
#pragma once

#include <cstdint>

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace mobilenetv2 {

class ScopedFlushDenormals {
 public:
#if defined(__SSE2__) || defined(_M_X64)
  ScopedFlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }  // FTZ | DAZ
  ~ScopedFlushDenormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  ScopedFlushDenormals() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
    const uint64_t flushing = saved_ | (uint64_t{1} << 24);  // FZ
    __asm__ volatile("msr fpcr, %0" : : "r"(flushing));
  }
  ~ScopedFlushDenormals() { __asm__ volatile("msr fpcr, %0" : : "r"(saved_)); }

 private:
  uint64_t saved_;
#else
  // ARMv7's NEON always flushes. Elsewhere (MSVC on ARM64, other processors) the mode stays as it is: results then
  // differ by denormals only, and packages for Windows on ARM64 are built with clang.
  ScopedFlushDenormals() {}
#endif

 public:
  ScopedFlushDenormals(const ScopedFlushDenormals&) = delete;
  ScopedFlushDenormals& operator=(const ScopedFlushDenormals&) = delete;
};

}  // namespace mobilenetv2

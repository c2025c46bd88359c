// The machine's limit: loops of nothing but multiply-accumulate instructions on registers, one per instruction set and
// dtype. What kernels reach is judged against them.
#pragma once

#include <cstdint>

#include "core/op.h"
#include "cpu/amx.h"
#include "cpu/isa.h"
#include "cpu/neon.h"

namespace mobilenetv2 {

struct PeakLoop {
  Isa isa;
  Dtype dtype;
  int64_t macs_per_turn;
  // Runs `turns` turns. The return value depends on every one of them, so that none can be left out.
  uint32_t (*run)(int64_t turns);
};

struct PeakLoopList {
  const PeakLoop* const* begin_row;
  const PeakLoop* const* end_row;
  const PeakLoop* const* begin() const { return begin_row; }
  const PeakLoop* const* end() const { return end_row; }
};

// Empty where no loop is written: the limit of scalar code is what the compiler makes of it.
PeakLoopList all_peak_loops();

#if defined(__x86_64__) || defined(_M_X64)
extern const PeakLoop peak_f32__avx512, peak_f32__avx2;
extern const PeakLoop peak_qu8__avx512vnni, peak_qu8__avxvnni, peak_qu8__avx512, peak_qu8__avx2;
#if defined(MOBILENETV2_AMX)
extern const PeakLoop peak_qu8__amx;
#endif
#endif
#if defined(MOBILENETV2_NEON)
extern const PeakLoop peak_f32__neon, peak_qu8__neon;
#if defined(__aarch64__)
extern const PeakLoop peak_qu8__i8mm, peak_qu8__neondot;
#endif
#endif

}  // namespace mobilenetv2

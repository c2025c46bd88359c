#include "kernels/peak/peak.h"

namespace mobilenetv2 {

#if defined(__x86_64__) || defined(_M_X64) || defined(MOBILENETV2_NEON)

namespace {

constexpr const PeakLoop* kLoops[] = {
#if defined(MOBILENETV2_NEON)
#if defined(__aarch64__)
    &peak_qu8__i8mm,
    &peak_qu8__neondot,
#endif
    &peak_f32__neon,
    &peak_qu8__neon,
#else
#if defined(MOBILENETV2_AMX)
    &peak_qu8__amx,
#endif
    &peak_f32__avx512, &peak_f32__avx2, &peak_qu8__avx512vnni, &peak_qu8__avxvnni, &peak_qu8__avx512, &peak_qu8__avx2,
#endif
};

}  // namespace

PeakLoopList all_peak_loops() { return {kLoops, kLoops + sizeof(kLoops) / sizeof(kLoops[0])}; }

#else

PeakLoopList all_peak_loops() { return {nullptr, nullptr}; }

#endif

}  // namespace mobilenetv2

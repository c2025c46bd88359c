// What the native tests can run: what the CPU has, and AVX-VNNI by emulation where it has only AVX2.
#pragma once

#include "cpu/isa.h"

namespace mobilenetv2::test {

// Whether AVX-VNNI kernels run here without the CPU having it. Its one instruction that they use (VPDPBUSD with 256-bit
// registers in VEX encoding) then ends in a SIGILL, whose handler does its work and goes on behind it: some hundred
// times slower, but the kernels' own code. Only on Linux on x64; calling it installs the handler.
bool emulates_avxvnni();

inline bool can_run(Isa isa) { return cpu_has(isa) || (isa == Isa::avxvnni && emulates_avxvnni()); }

}  // namespace mobilenetv2::test

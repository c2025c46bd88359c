// Which instruction sets this CPU and operating system offer, and the ceiling a user may put on them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mobilenetv2 {

// The same spelling in files, registry rows, MOBILENETV2_ISA and the API. Order is strength within an architecture.
enum class Isa : uint8_t { scalar, avx2, avxvnni, avx512, avx512vnni, amx, neon, neondot, i8mm };

constexpr Isa kAllIsas[] = {Isa::scalar, Isa::avx2, Isa::avxvnni, Isa::avx512, Isa::avx512vnni,
                            Isa::amx,    Isa::neon, Isa::neondot, Isa::i8mm};

const char* isa_name(Isa isa);
bool isa_from_name(const char* name, Isa* isa);

// What the CPU has (checked with XGETBV where the OS must save the registers). scalar is always there.
// A set implies those it builds on: amx -> avx512vnni -> avx512 -> avx2; avxvnni -> avx2. Of amx the operating system
// is asked, too: Linux must let the process use it, and is asked when amx is first named here.
bool cpu_has(Isa isa);

// Whether kernels of `isa` may run under the ceiling: cpu_has(isa) and isa is the ceiling or something it builds on.
bool isa_allowed(Isa isa, Isa ceiling);

// Whether the CPU executes instructions on 512 bits in two halves of 256. CPUs do not say so: true for AMD's Zen 4
// only.
bool halves_wide_vectors();

}  // namespace mobilenetv2

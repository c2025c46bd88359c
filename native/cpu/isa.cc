#include "cpu/isa.h"

#include <array>
#include <cstring>
#include <iterator>

#include "cpu/amx.h"

#if defined(__x86_64__) || defined(_M_X64)
#define MOBILENETV2_X86 1
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#if defined(MOBILENETV2_AMX)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) || defined(_M_ARM64) || defined(__arm__)
#define MOBILENETV2_ARM 1
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif
#endif

namespace mobilenetv2 {
namespace {

struct Entry {
  Isa isa;
  const char* name;
  Isa base;  // what it builds on; scalar ends the chain
};

// In the order of the enum.
constexpr Entry kEntries[] = {
    {Isa::scalar, "scalar", Isa::scalar},
    {Isa::avx2, "avx2", Isa::scalar},
    {Isa::avxvnni, "avxvnni", Isa::avx2},
    {Isa::avx512, "avx512", Isa::avx2},
    {Isa::avx512vnni, "avx512vnni", Isa::avx512},
    {Isa::amx, "amx", Isa::avx512vnni},
    {Isa::neon, "neon", Isa::scalar},
    {Isa::neondot, "neondot", Isa::neon},
    {Isa::i8mm, "i8mm", Isa::neondot},
};

const Entry& entry(Isa isa) { return kEntries[static_cast<size_t>(isa)]; }

#if defined(MOBILENETV2_X86)

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r{};
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]), static_cast<uint32_t>(out[2]),
       static_cast<uint32_t>(out[3])};
#else
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) r = {};
#endif
  return r;
}

// XCR0: the register files the operating system saves. Only called when OSXSAVE is set.
uint64_t xgetbv() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

bool bit(uint32_t word, int position) { return (word >> position) & 1; }

// Threads may use the matrix unit's registers once their process was allowed to. That cannot be undone, and from then
// on Linux refuses signal stacks without the room for 8 KB more (of less than AT_MINSIGSTKSZ says). Constants of the
// kernel's ABI (asm/prctl.h), spelled here so that old headers do.
bool may_use_amx() {
#if defined(MOBILENETV2_AMX)
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}

bool detect(Isa isa) {
  if (isa == Isa::scalar) return true;
  const Registers one = cpuid(1, 0);
  if (!bit(one.ecx, 27)) return false;  // OSXSAVE
  const uint64_t saved = xgetbv();
  const Registers seven = cpuid(7, 0);
  const bool avx2 = (saved & 0x6) == 0x6 && bit(one.ecx, 28) && bit(one.ecx, 12) && bit(one.ecx, 29) &&  // AVX FMA F16C
                    bit(seven.ebx, 5);
  const bool avx512 = avx2 && (saved & 0xe0) == 0xe0 && bit(seven.ebx, 16) && bit(seven.ebx, 17) &&  // F DQ
                      bit(seven.ebx, 30) && bit(seven.ebx, 31);                                      // BW VL
  switch (isa) {
    case Isa::avx2:
      return avx2;
    case Isa::avxvnni:
      return avx2 && seven.eax >= 1 && bit(cpuid(7, 1).eax, 4);
    case Isa::avx512:
      return avx512;
    case Isa::avx512vnni:
      return avx512 && bit(seven.ecx, 11);
    case Isa::amx:
      return avx512 && (saved & 0x60000) == 0x60000 && bit(seven.edx, 24) && bit(seven.edx, 25) && may_use_amx();
    default:
      return false;
  }
}

#elif defined(MOBILENETV2_ARM)

#if defined(__APPLE__)
bool sysctl_flag(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}
#endif

bool detect(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
#if defined(__linux__) && defined(__aarch64__)
    // Bits of the kernel's ABI (asm/hwcap.h), spelled here so that old headers do.
    case Isa::neon:
      return (getauxval(AT_HWCAP) & (1ul << 1)) != 0;  // ASIMD
    case Isa::neondot:
      return (getauxval(AT_HWCAP) & (1ul << 20)) != 0;  // ASIMDDP
    case Isa::i8mm:
      return (getauxval(AT_HWCAP2) & (1ul << 13)) != 0;  // I8MM
#elif defined(__linux__)
    case Isa::neon:
      return (getauxval(AT_HWCAP) & (1ul << 12)) != 0;  // NEON
#elif defined(__APPLE__)
    case Isa::neon:
      return true;
    case Isa::neondot:
      return sysctl_flag("hw.optional.arm.FEAT_DotProd");
    case Isa::i8mm:
      return sysctl_flag("hw.optional.arm.FEAT_I8MM");
#elif defined(_WIN32)
    // Numbers of winnt.h (PF_ARM_V82_DP_..., PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE), which older headers lack.
    case Isa::neon:
      return true;
    case Isa::neondot:
      return IsProcessorFeaturePresent(43) != 0;
    case Isa::i8mm:
      return IsProcessorFeaturePresent(66) != 0;
#endif
    default:
      return false;
  }
}

#else

bool detect(Isa isa) { return isa == Isa::scalar; }

#endif

}  // namespace

const char* isa_name(Isa isa) { return entry(isa).name; }

bool isa_from_name(const char* name, Isa* isa) {
  for (const Entry& e : kEntries) {
    if (std::strcmp(e.name, name) == 0) {
      *isa = e.isa;
      return true;
    }
  }
  return false;
}

bool cpu_has(Isa isa) {
  // Asked once: on a virtual machine every CPUID is a trip to the host.
  static const auto has = [] {
    std::array<bool, std::size(kEntries)> all{};
    for (const Entry& e : kEntries) {
      if (e.isa == Isa::amx) continue;
      all[static_cast<size_t>(e.isa)] = detect(e.isa) && (e.isa == Isa::scalar || all[static_cast<size_t>(e.base)]);
    }
    return all;
  }();
  if (isa != Isa::amx) return has[static_cast<size_t>(isa)];
  // Apart: detecting it changes the process (may_use_amx).
  static const bool has_amx = has[static_cast<size_t>(entry(Isa::amx).base)] && detect(Isa::amx);
  return has_amx;
}

bool isa_allowed(Isa isa, Isa ceiling) {
  for (Isa i = ceiling;; i = entry(i).base) {
    if (i == isa) return cpu_has(isa);
    if (i == Isa::scalar) return false;
  }
}

bool halves_wide_vectors() {
#if defined(MOBILENETV2_X86)
  static const bool halves = [] {
    const Registers vendor = cpuid(0, 0), one = cpuid(1, 0);
    const bool amd = vendor.ebx == 0x68747541 && vendor.edx == 0x69746e65 && vendor.ecx == 0x444d4163;  // AuthenticAMD
    const uint32_t family = (one.eax >> 8 & 0xf) + (one.eax >> 20 & 0xff);
    return amd && family == 0x19;
  }();
  return halves;
#else
  return false;
#endif
}

}  // namespace mobilenetv2

#include "emulated_isa.h"

#if defined(__linux__) && defined(__x86_64__)

#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>

#include <cstdint>
#include <cstring>
#include <optional>

namespace mobilenetv2::test {
namespace {

// Where general registers lie in a signal's context, in the order in which instructions number them.
constexpr int kGeneral[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// The stopped thread's 256-bit registers, as XSAVE wrote them (Intel's manual, volume 1, 13.4).
class YmmRegisters {
 public:
  explicit YmmRegisters(const ucontext_t& context) : area_(reinterpret_cast<uint8_t*>(context.uc_mcontext.fpregs)) {}

  void read(int i, void* to) const {
    std::memcpy(to, low(i), kHalf);
    if (halves_in_use()) {
      std::memcpy(static_cast<uint8_t*>(to) + kHalf, high(i), kHalf);
    } else {
      std::memset(static_cast<uint8_t*>(to) + kHalf, 0, kHalf);
    }
  }

  void write(int i, const void* from) {
    if (!halves_in_use()) {
      std::memset(high(0), 0, 16 * kHalf);
      const uint64_t in_use = components() | kYmm;
      std::memcpy(area_ + kComponents, &in_use, sizeof in_use);
    }
    std::memcpy(low(i), from, kHalf);
    std::memcpy(high(i), static_cast<const uint8_t*>(from) + kHalf, kHalf);
  }

  static uint32_t high_offset() {
    uint32_t size = 0, offset = 0, unused = 0;
    __get_cpuid_count(0xd, 2, &size, &offset, &unused, &unused);
    return offset;
  }

 private:
  static constexpr size_t kHalf = 16, kXmm = 160, kComponents = 512;
  static constexpr uint64_t kYmm = 4;

  uint64_t components() const {
    uint64_t components;
    std::memcpy(&components, area_ + kComponents, sizeof components);
    return components;
  }
  bool halves_in_use() const { return (components() & kYmm) != 0; }
  uint8_t* low(int i) const { return area_ + kXmm + i * kHalf; }
  uint8_t* high(int i) const {
    static const uint32_t offset = high_offset();
    return area_ + offset + i * kHalf;
  }

  uint8_t* area_;
};

// VPDPBUSD ymm, ymm, ymm/m256.
struct Instruction {
  int length;
  int accumulator, first, second;  // registers; `second` is none when there is an address
  const void* address;
};

// VEX.256.66.0F38.W0 50 /r (Intel's manual, volume 2, 2.3), or nothing if the bytes are something else.
std::optional<Instruction> decode(const uint8_t* code, const ucontext_t& context) {
  if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x87) != 0x05 || code[3] != 0x50) return std::nullopt;
  const int r = code[1] & 0x80 ? 0 : 8, x = code[1] & 0x40 ? 0 : 8, b = code[1] & 0x20 ? 0 : 8;
  const int mode = code[4] >> 6, rm = code[4] & 7;
  Instruction instruction{5, (code[4] >> 3 & 7) | r, ~code[2] >> 3 & 15, rm | b, nullptr};
  if (mode == 3) return instruction;

  const auto general = [&](int i) { return static_cast<uint64_t>(context.uc_mcontext.gregs[kGeneral[i]]); };
  const bool indexed = rm == 4;
  const int base = indexed ? code[5] & 7 : rm;
  const bool no_base = mode == 0 && base == 5;  // then 32 bits follow: an address, or what to add to the next one's
  uint64_t address = no_base ? 0 : general(base | b);
  if (indexed) {
    const int index = (code[5] >> 3 & 7) | x;
    if (index != 4) address += general(index) << (code[5] >> 6);
    ++instruction.length;
  }
  if (mode == 1) {
    address += static_cast<uint64_t>(int64_t{static_cast<int8_t>(code[instruction.length])});
    ++instruction.length;
  } else if (mode == 2 || no_base) {
    int32_t displacement;
    std::memcpy(&displacement, code + instruction.length, sizeof displacement);
    address += static_cast<uint64_t>(int64_t{displacement});
    instruction.length += 4;
    if (no_base && !indexed) address += reinterpret_cast<uint64_t>(code) + instruction.length;
  }
  instruction.address = reinterpret_cast<const void*>(address);
  return instruction;
}

void run(const Instruction& instruction, YmmRegisters* registers) {
  int32_t words[8];
  uint8_t a[32];
  int8_t b[32];
  registers->read(instruction.accumulator, words);
  registers->read(instruction.first, a);
  if (instruction.address != nullptr) {
    std::memcpy(b, instruction.address, sizeof b);
  } else {
    registers->read(instruction.second, b);
  }
  for (int w = 0; w < 8; ++w) {
    uint32_t sum = static_cast<uint32_t>(words[w]);  // wraps
    for (int i = 4 * w; i < 4 * w + 4; ++i) sum += static_cast<uint32_t>(a[i] * b[i]);
    words[w] = static_cast<int32_t>(sum);
  }
  registers->write(instruction.accumulator, words);
}

void on_illegal_instruction(int, siginfo_t*, void* raw) {
  auto* context = static_cast<ucontext_t*>(raw);
  greg_t& next = context->uc_mcontext.gregs[REG_RIP];
  const auto instruction = decode(reinterpret_cast<const uint8_t*>(next), *context);
  if (!instruction) {
    signal(SIGILL, SIG_DFL);  // runs again, and ends the process as it would have
    return;
  }
  YmmRegisters registers(*context);
  run(*instruction, &registers);
  next += instruction->length;
}

}  // namespace

bool emulates_avxvnni() {
  static const bool emulates = [] {
    if (cpu_has(Isa::avxvnni) || !cpu_has(Isa::avx2) || YmmRegisters::high_offset() == 0) return false;
    struct sigaction action {};
    action.sa_sigaction = on_illegal_instruction;
    action.sa_flags = SA_SIGINFO;
    return sigaction(SIGILL, &action, nullptr) == 0;
  }();
  return emulates;
}

}  // namespace mobilenetv2::test

#else

namespace mobilenetv2::test {

bool emulates_avxvnni() { return false; }

}  // namespace mobilenetv2::test

#endif

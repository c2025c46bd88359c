// A plugin of qemu-aarch64 7.2: counts the instructions between two marks, where a mark is a close() of a negative file
// descriptor below -1000, and prints them as "MARK INSTRUCTIONS MULTIPLICATIONS LOADS STORES" when the next mark comes.
// Multiplications are those of vectors, with or without an addition.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is used of qemu's plugin interface, version 1; its header is in no Debian package.
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { NO_REGISTERS = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*)(qemu_plugin_id_t id, struct qemu_plugin_tb* block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb* block, void (*)(unsigned cpu, void* data), int flags,
                                          void* data);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id,
                                          void (*)(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1,
                                                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                                                   uint64_t a7, uint64_t a8));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* block);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* block, size_t index);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn* instruction);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

struct counts {
  uint64_t instructions, multiplications, loads, stores;
};
static struct counts total;
static int mark;

struct encoding {
  uint32_t mask, value;
};

// The ARM64 encodings of vector multiplications that kernels use; the register form and the one by lane.
static const struct encoding multiplications[] = {
    {0xbfa0fc00, 0x0e20cc00}, {0xbf80f400, 0x0f801000},  // fmla
    {0xbfa0fc00, 0x2e20dc00}, {0xbf80f400, 0x0f809000},  // fmul
    {0x9f20fc00, 0x0e208000}, {0x9f00f400, 0x0f002000},  // smlal, umlal
    {0x9f20fc00, 0x0e20c000}, {0x9f00f400, 0x0f00a000},  // smull, umull
    {0xbf20fc00, 0x0e209400}, {0xbf00f400, 0x2f000000},  // mla
    {0xbf20fc00, 0x0e209c00}, {0xbf00f400, 0x0f008000},  // mul
    {0x9f20fc00, 0x0e009400}, {0x9f00f400, 0x0f00e000},  // sdot, udot
    {0xbf20fc00, 0x0e009c00}, {0xbf00f400, 0x0f00f000},  // usdot, sudot
    {0xdf20fc00, 0x4e00a400}, {0xff20fc00, 0x4e00ac00},  // smmla, ummla, usmmla
};

static int is_multiplication(uint32_t code) {
  for (size_t i = 0; i < sizeof multiplications / sizeof *multiplications; ++i) {
    if ((code & multiplications[i].mask) == multiplications[i].value) return 1;
  }
  return 0;
}

// Loads and stores have bit 27 set and bit 25 clear. Most say by bit 22 which of the two they are (register pairs and
// vector structures among them); of single registers, bit 23 marks 128 bits for vectors, a sign-extending load or a
// prefetch for others.
static void classify(uint32_t code, struct counts* counts) {
  ++counts->instructions;
  if (is_multiplication(code)) {
    ++counts->multiplications;
  } else if ((code & 0x0a000000) == 0x08000000) {
    const int single = (code & 0x38000000) == 0x38000000, vector = (code >> 26) & 1;
    const int loads = ((code >> 22) & 1) || (single && !vector && ((code >> 23) & 1));
    ++*(loads ? &counts->loads : &counts->stores);
  }
}

static void executed(unsigned cpu, void* data) {
  (void)cpu;
  const struct counts* block = data;
  total.instructions += block->instructions;
  total.multiplications += block->multiplications;
  total.loads += block->loads;
  total.stores += block->stores;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  (void)id;
  struct counts* counts = calloc(1, sizeof *counts);  // kept for as long as the block may run: until the end
  if (counts == NULL) abort();
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i) {
    uint32_t code;
    memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), sizeof code);
    classify(code, counts);
  }
  qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, counts);
}

static void system_call(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                        uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  const int kClose = 57;
  if (number != kClose || (int32_t)a1 > -1000) return;
  if (mark != 0) {
    fprintf(stderr, "%d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", mark, total.instructions,
            total.multiplications, total.loads, total.stores);
  }
  mark = -(int32_t)a1 - 1000;
  memset(&total, 0, sizeof total);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, system_call);
  return 0;
}

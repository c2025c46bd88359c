// What the quantised kernels of all NEON levels share. Include inside a NEON target region only; Tag keeps the
// instantiations of different instruction sets apart.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd/arm_qu8_requantize.h"
#include "kernels/simd/qu8_product_form.h"

namespace mobilenetv2 {

// See avx512vnni::Qu8 for what each of these means. kFlip is XORed to activations on their way into A tiles and row
// pairs: the multiply-accumulate instructions may want them signed.
template <class Tag, uint8_t kFlipped>
struct Qu8Arm {
  using Int = int32x4_t;
  using Float = Int;  // of the type of the fast form's constants, which is fixed point here
  static constexpr int kLanes = 1, kWords = 4;
  static constexpr int kColBytes = 16;
  static constexpr bool kHasHalf = false, kHasPatchPairs = false, kReadsRows = false, kHasMatrixUnit = false;
  static constexpr bool kWideWeights = false, kFixedPoint = true;
  // A last panel of at most four channels is rare, as networks count channels in eights, and not worth its code.
  static constexpr bool kWholePanels = true;
  static constexpr uint8_t kFlip = kFlipped;
#if defined(__aarch64__)
  static constexpr int kDepthwiseColumns = 2;
#else
  static constexpr int kDepthwiseColumns = 1;  // half the registers
#endif

  static Int load(const void* p) { return vld1q_s32(static_cast<const int32_t*>(p)); }
  static void store(void* p, Int x) { vst1q_s32(static_cast<int32_t*>(p), x); }
  static Int zero() { return vdupq_n_s32(0); }
  static Int set(int32_t x) { return vdupq_n_s32(x); }
  static Int set8(int x) { return bytes(vdupq_n_u8(static_cast<uint8_t>(x))); }
  static Int add(Int a, Int b) { return vaddq_s32(a, b); }

  // Words to saturated bytes, in order.
  static Int pack16(Int a, Int b) { return vreinterpretq_s32_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))); }
  static Int pack8(Int a, Int b) {
    return bytes(vcombine_u8(vqmovun_s16(vreinterpretq_s16_s32(a)), vqmovun_s16(vreinterpretq_s16_s32(b))));
  }
  static Int set16(int x) { return vreinterpretq_s32_s16(vdupq_n_s16(static_cast<int16_t>(x))); }
  static Int add16(Int a, Int b) {
    return vreinterpretq_s32_s16(vqaddq_s16(vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b)));
  }
  static Int clamp8(Int x, Int low, Int high) { return bytes(vminq_u8(vmaxq_u8(bytes(x), bytes(low)), bytes(high))); }

  // [8 bytes of row 0][8 bytes of row 1] to 8 pairs (row 0, row 1), as row pairs hold them.
  static Int interleave(Int x) {
    const uint8x8x2_t pairs = vzip_u8(vget_low_u8(bytes(x)), vget_high_u8(bytes(x)));
    return flip(vcombine_u8(pairs.val[0], pairs.val[1]));
  }
  static Int merge_row(Int old, Int x, int row) {
    const uint8x16_t mask = vreinterpretq_u8_u16(vdupq_n_u16(row == 0 ? 0xff : 0xff00));
    return bytes(vbslq_u8(mask, bytes(x), bytes(old)));
  }

  static void store_column(uint8_t* a, Int x) { store(a, flip(bytes(x))); }
  static void store_chunk(uint8_t* a, uint64_t eight) { vst1_u8(a, veor_u8(vcreate_u8(eight), vdup_n_u8(kFlip))); }

  static Int load_rows(const uint8_t* row0, const uint8_t* row1, int n) {
    return bytes(vcombine_u8(load_first(row0, n), load_first(row1, n)));
  }
  static void store_rows(Int x, uint8_t* row0, uint8_t* row1, int n) {
    store_first(row1, vget_high_u8(bytes(x)), n);
    store_first(row0, vget_low_u8(bytes(x)), n);
  }

  static uint8x16_t bytes(Int x) { return vreinterpretq_u8_s32(x); }
  static Int bytes(uint8x16_t x) { return vreinterpretq_s32_u8(x); }

  // The first n <= 8 bytes, the rest zero; nothing else is read or written. By 4, 2 and 1: a call of memcpy would cost
  // the callers their registers.
  static uint8x8_t load_first(const uint8_t* p, int n) {
    if (n >= 8) return vld1_u8(p);
    uint64_t all = 0;
    int bits = 0;
    if (n & 4) all |= load_bits<uint32_t>(&p, &bits);
    if (n & 2) all |= load_bits<uint16_t>(&p, &bits);
    if (n & 1) all |= load_bits<uint8_t>(&p, &bits);
    return vcreate_u8(all);
  }
  static void store_first(uint8_t* p, uint8x8_t x, int n) {
    if (n >= 8) return vst1_u8(p, x);
    uint64_t all = vget_lane_u64(vreinterpret_u64_u8(x), 0);
    if (n & 4) store_bits<uint32_t>(&p, &all);
    if (n & 2) store_bits<uint16_t>(&p, &all);
    if (n & 1) store_bits<uint8_t>(&p, &all);
  }

 private:
  static Int flip(uint8x16_t x) { return bytes(kFlip == 0 ? x : veorq_u8(x, vdupq_n_u8(kFlip))); }

  template <class Part>
  static uint64_t load_bits(const uint8_t** p, int* bits) {
    Part part;
    std::memcpy(&part, *p, sizeof(part));
    const uint64_t placed = uint64_t{part} << *bits;
    *p += sizeof(part);
    *bits += 8 * static_cast<int>(sizeof(part));
    return placed;
  }
  template <class Part>
  static void store_bits(uint8_t** p, uint64_t* all) {
    const auto part = static_cast<Part>(*all);
    std::memcpy(*p, &part, sizeof(part));
    *p += sizeof(part);
    *all >>= 8 * sizeof(part);
  }
};

}  // namespace mobilenetv2

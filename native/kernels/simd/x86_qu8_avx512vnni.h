// Vectors of the quantised kernels on AVX-512 VNNI. Include inside an AVX-512 VNNI target region only.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/simd/qu8_product_form.h"
#include "kernels/simd/x86_amx.h"

namespace mobilenetv2::avx512vnni {

// What the templates in qu8_*.h ask of an instruction set. One Int holds kWords 32-bit words in kLanes 128-bit lanes;
// a panel of channels is two of them.
struct Qu8 {
  using Int = __m512i;
  using Float = __m512;
  static constexpr int kLanes = 4, kWords = 16;
  static constexpr int kGroup = 4;     // channels (bytes) one multiply-accumulate sums into a word
  static constexpr int kTileCols = 7;  // 2 x 7 pixels x 2 vectors = 28 accumulators
  // Of products with few channels. Two are enough to hide latencies; g++ takes longer than clang around each tile.
#if defined(__clang__)
  static constexpr int kNarrowTileCols = 2;
#else
  static constexpr int kNarrowTileCols = 5;
#endif
  static constexpr int kColBytes = 64;         // of a panel's channels of a column of an A tile, two rows
  static constexpr bool kHasHalf = true;       // 256 bits cost half of 512
  static constexpr bool kWholePanels = false;  // a panel may have a single vector
  static constexpr bool kHasPatchPairs = true;
  static constexpr bool kReadsRows = true;     // products of 1x1 convolutions need no A tiles
  static constexpr bool kWideWeights = false;  // weights are s8
  static constexpr bool kFixedPoint = false;   // requantisation: float where that is exact
#if defined(MOBILENETV2_AMX)
  static constexpr bool kHasMatrixUnit = true;
  using Matrix = amx::MatrixUnit;
#else
  static constexpr bool kHasMatrixUnit = false;
#endif
  static constexpr uint8_t kFlip = 0;  // XORed to activations in A tiles and row pairs
  static constexpr ProductForm kProduct = ProductForm::broadcast;
  static constexpr int kLeastWeight = -128;
  static constexpr int kWeightBytes = 64;  // of a vector of outputs and a group of channels

  static Int load(const void* p) { return _mm512_load_si512(p); }
  static Int load_unaligned(const void* p) { return _mm512_loadu_si512(p); }
  static void store(void* p, Int x) { _mm512_store_si512(p, x); }
  static Float load_float(const void* p) { return _mm512_load_ps(p); }
  static void store_float(void* p, Float x) { _mm512_store_ps(p, x); }
  static Int zero() { return _mm512_setzero_si512(); }
  static Int set(int32_t x) { return _mm512_set1_epi32(x); }
  static Int set8(int x) { return _mm512_set1_epi8(static_cast<char>(x)); }
  static Int set16(int x) { return _mm512_set1_epi16(static_cast<int16_t>(x)); }
  static Float set_float(float x) { return _mm512_set1_ps(x); }

  // 4 bytes of A in every word; word += sum of 4 u8 * s8.
  using Pixel = Int;
  using Weights = Int;
  static Weights load_weights(const uint8_t* p) { return load(p); }
  // Where weight i of output w's group lies.
  static constexpr int weight_byte(int w, int i) { return 4 * w + i; }
  static Int broadcast(const uint8_t* p) {
    int32_t x;
    std::memcpy(&x, p, sizeof(x));
    return _mm512_set1_epi32(x);
  }
  static Int dot(Int acc, Int a, Int weights) { return _mm512_dpbusd_epi32(acc, a, weights); }

  // A broadcast word for dot and dot_half both: keeps clang from taking it by way of a general register.
  static Int whole_and_half(Int a) {
#if defined(__clang__)
    __asm__("" : "+v"(a));
#endif
    return a;
  }

  // The same in the first half of the words only.
  static Int dot_half(Int acc, Int a, Int weights) {
    return _mm512_castsi256_si512(
        _mm256_dpbusd_epi32(_mm512_castsi512_si256(acc), _mm512_castsi512_si256(a), _mm512_castsi512_si256(weights)));
  }

  static Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
  static Int sub(Int a, Int b) { return _mm512_sub_epi32(a, b); }
  static Int bit_and(Int a, Int b) { return _mm512_and_si512(a, b); }
  static Int shift_left(Int x, Int bits) { return _mm512_sllv_epi32(x, bits); }
  static Int shift_right(Int x, Int bits) { return _mm512_srav_epi32(x, bits); }
  static Int sign_mask(Int x) { return _mm512_srai_epi32(x, 31); }
  static Int max(Int a, Int b) { return _mm512_max_epi32(a, b); }
  static Int min(Int a, Int b) { return _mm512_min_epi32(a, b); }
  // -1 where true.
  static Int greater(Int a, Int b) { return _mm512_movm_epi32(_mm512_cmpgt_epi32_mask(a, b)); }
  static Int equal(Int a, Int b) { return _mm512_movm_epi32(_mm512_cmpeq_epi32_mask(a, b)); }
  // mask ? a : b, for masks of -1 and 0.
  static Int select(Int mask, Int a, Int b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xca); }
  // Whether any word of `x` equals any of the others in its place. Masks in chains cost one instruction each; several
  // chains, because what follows can retire only after the longest.
  template <class... Others>
  static bool any_equal(Int x, Others... others) {
    __mmask16 none[4] = {0xffff, 0xffff, 0xffff, 0xffff};
    int chain = 0;
    ((none[chain] = _mm512_mask_cmpneq_epi32_mask(none[chain], others, x), chain = (chain + 1) % 4), ...);
    return (none[0] & none[1] & none[2] & none[3]) != 0xffff;
  }

  static Float to_float(Int x) { return _mm512_cvtepi32_ps(x); }
  static Float as_float(Int x) { return _mm512_castsi512_ps(x); }
  static Int as_int(Float x) { return _mm512_castps_si512(x); }
  static Int to_int(Float x) { return _mm512_cvtps_epi32(x); }  // to nearest, halves to even
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float min(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  // |magnitude| with the sign of x.
  static Float with_sign(Float magnitude, Int x) {
    return as_float(_mm512_ternarylogic_epi32(x, set(INT32_MIN), as_int(magnitude), 0xea));
  }

  // (a * b + round) >> 31 per word, where that fits 32 bits; b and the 64-bit roundings separately for even and odd
  // words.
  static Int high_multiply(Int a, Int b, Int odd_b, Int round_even, Int round_odd) {
    const Int even = _mm512_add_epi64(_mm512_mul_epi32(a, b), round_even);
    const Int odd = _mm512_add_epi64(_mm512_mul_epi32(odd_words(a), odd_b), round_odd);
    return _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 31), 0xaaaa, _mm512_slli_epi64(odd, 1));
  }
  static Int odd_words(Int x) { return _mm512_srli_epi64(x, 32); }
  static Int set64(int64_t x) { return _mm512_set1_epi64(x); }

  // Words to saturated bytes. Lane l of the result: words l of a0, a1, b0, b1, four bytes each.
  static Int pack16(Int a, Int b) { return _mm512_packs_epi32(a, b); }
  static Int pack8(Int a, Int b) { return _mm512_packus_epi16(a, b); }
  static Int add16(Int a, Int b) { return _mm512_adds_epi16(a, b); }
  static Int clamp8(Int x, Int low, Int high) { return _mm512_min_epu8(_mm512_max_epu8(x, low), high); }

  // Lanes of [8 bytes of row 0][8 bytes of row 1] to lanes of 8 pairs (row 0, row 1).
  static Int interleave(Int x) {
    return _mm512_shuffle_epi8(
        x, _mm512_broadcast_i32x4(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)));
  }
  // Replaces one byte of each pair (row 0 or 1) of `old`.
  static Int merge_row(Int old, Int x, int row) {
    return _mm512_mask_mov_epi8(old, row == 0 ? 0x5555555555555555 : 0xaaaaaaaaaaaaaaaa, x);
  }

  // Bytes of four consecutive rows of one channel in each word, from two row pairs: channels 8 l + 0..3 and
  // 8 l + 4..7 of lane l.
  using Quad = Int;
  static Quad quad_low(Int old_pair, Int new_pair) { return _mm512_unpacklo_epi16(old_pair, new_pair); }
  static Quad quad_high(Int old_pair, Int new_pair) { return _mm512_unpackhi_epi16(old_pair, new_pair); }
  using QuadWeights = Int;
  static constexpr int kQuadWeightBytes = 64;
  static constexpr int quad_byte(int w, int row) { return 4 * w + row; }
  static QuadWeights load_quad_weights(const uint8_t* p) { return load(p); }
  static Int dot_quad(Int acc, Quad a, QuadWeights weights) { return dot(acc, a, weights); }

  // A chunk of one row; `a` points at it.
  static void store_chunk(uint8_t* a, uint64_t bytes) { std::memcpy(a, &bytes, sizeof(bytes)); }

  // Two patches of the stem at stride 2 to a0 and a1, from three rows of RGB: chunks of the first eight bytes of each
  // row, and one of the three ninth bytes. Reads 16 bytes of each row.
  static void store_patch_pair(uint8_t* a0, uint8_t* a1, const uint8_t* row0, const uint8_t* row1,
                               const uint8_t* row2) {
    const auto lane = [](const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
    Int x = _mm512_inserti32x4(_mm512_castsi128_si512(lane(row0)), lane(row1), 1);
    x = _mm512_inserti32x4(x, lane(row2), 2);
    // The words of bytes 8 and 14 into the last lane, then bytes into their places.
    const Int words = _mm512_set_epi16(23, 23, 15, 7, 20, 20, 12, 4, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
                                       10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m128i eights = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 6, 7, 8, 9, 10, 11, 12, 13);
    const __m128i ninths = _mm_setr_epi8(0, 2, 4, -1, -1, -1, -1, -1, 8, 10, 12, -1, -1, -1, -1, -1);
    const Int bytes = _mm512_inserti32x4(_mm512_broadcast_i32x4(eights), ninths, 3);
    store_rows(_mm512_shuffle_epi8(_mm512_permutexvar_epi16(words, x), bytes), a0, a1, 32);
  }

  // The first n bytes of two rows as a column, 1 <= n <= 32, the rest zero.
  static Int load_rows(const uint8_t* row0, const uint8_t* row1, int n) {
    const __mmask32 first = n >= 32 ? 0xffffffffu : (1u << n) - 1;
    const Int low = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(first, row0));
    const Int high = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(first, row1));
    return _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), high);
  }
  // The same in the form of a panel with one vector: lanes [4 of row 0][4 zeros][4 of row 1][4 zeros], n <= 16.
  static Int load_half_rows(const uint8_t* row0, const uint8_t* row1, int n) {
    const auto first = static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1);
    const Int low = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(first, row0));
    const Int high = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(first, row1));
    const Int words = _mm512_setr_epi32(0, 0, 16, 0, 1, 0, 17, 0, 2, 0, 18, 0, 3, 0, 19, 0);
    return _mm512_maskz_permutex2var_epi32(0x5555, low, words, high);
  }
  // The first n channels of both rows of a column, 1 <= n <= 32; row 0 is written last.
  static void store_rows(Int x, uint8_t* row0, uint8_t* row1, int n) {
    const Int rows = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), x);
    if (n >= 32) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(row1), _mm512_extracti64x4_epi64(rows, 1));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(row0), _mm512_castsi512_si256(rows));
      return;
    }
    const __mmask32 first = n >= 32 ? 0xffffffffu : (1u << n) - 1;
    _mm256_mask_storeu_epi8(row1, first, _mm512_extracti64x4_epi64(rows, 1));
    _mm256_mask_storeu_epi8(row0, first, _mm512_castsi512_si256(rows));
  }
  // The same where lanes 2 and 3 have only their first four channels; 17 <= n <= 24.
  static void store_three_quarter_rows(Int x, uint8_t* row0, uint8_t* row1, int n) {
    const Int rows = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 1, 4, 5, 8, 12, 0, 0, 2, 3, 6, 7, 10, 14, 0, 0), x);
    const __mmask32 first = (1u << n) - 1;
    _mm256_mask_storeu_epi8(row1, first, _mm512_extracti64x4_epi64(rows, 1));
    _mm256_mask_storeu_epi8(row0, first, _mm512_castsi512_si256(rows));
  }
  // The same in the form of a panel with one vector, 1 <= n <= 16.
  static void store_half_rows(Int x, uint8_t* row0, uint8_t* row1, int n) {
    const Int rows =
        _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 4, 8, 12, 2, 6, 10, 14), x);
    const auto first = static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1);
    _mm_mask_storeu_epi8(row1, first, _mm512_extracti32x4_epi32(rows, 1));
    _mm_mask_storeu_epi8(row0, first, _mm512_castsi512_si128(rows));
  }

  // kWords bytes, or the first n >= 0 of them, as words.
  static Int load_bytes(const uint8_t* p, int n) {
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1), p));
  }
  // What packing four vectors of words gave, in their order: all bytes, or the first n.
  static void store_packed(uint8_t* p, Int x, int n) {
    const Int order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __mmask64 first = n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
    _mm512_mask_storeu_epi8(p, first, _mm512_permutexvar_epi32(order, x));
  }
};

}  // namespace mobilenetv2::avx512vnni

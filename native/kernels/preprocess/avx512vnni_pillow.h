// The two filters of Pillow's resize on AVX-512 VNNI. Include inside an AVX-512 VNNI target region only.
//
// A weight of 22 fractional bits is split into three signed bytes, d2 * 2^16 + d1 * 2^8 + d0, so that vpdpbusd
// multiplies bytes by it exactly: four taps of a value per instruction and digit, of bytes as they are in memory. Sums
// of the digits are kept apart until the end; wrapping does no harm, as the whole sum fits 32 bits.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/preprocess/pillow_driver.h"

namespace mobilenetv2::avx512vnni {

struct PillowFilter {
  static constexpr int32_t kStrip = 4;
  static constexpr int32_t column_step(int32_t channels) { return channels == 1 ? 16 : 4; }
  static constexpr int32_t kRowStep = 4;
  static constexpr size_t kRowBlock = 64;
  static constexpr size_t kWeightBytes = 3;

  // int8 d0[padded], d1[padded], d2[padded]
  static void pack(const int32_t* weights, int32_t count, int32_t padded, uint8_t* out) {
    for (int32_t i = 0; i < padded; ++i) {
      int32_t rest = i < count ? weights[i] : 0;
      for (int digit = 0; digit < 3; ++digit) {
        const auto low = static_cast<int8_t>(rest);
        out[digit * padded + i] = static_cast<uint8_t>(low);
        rest = (rest - low) >> 8;
      }
    }
  }

  // Sums of products with each digit of the weights.
  struct Sums {
    __m512i d0, d1, d2;

    // Written out: g++ would make an implicit one at the end of the file, outside the target region.
    Sums() : d0(_mm512_setzero_si512()), d1(_mm512_setzero_si512()), d2(_mm512_setzero_si512()) {}

    void add(__m512i quads, __m512i weights0, __m512i weights1, __m512i weights2) {
      d0 = _mm512_dpbusd_epi32(d0, quads, weights0);
      d1 = _mm512_dpbusd_epi32(d1, quads, weights1);
      d2 = _mm512_dpbusd_epi32(d2, quads, weights2);
    }
    __m512i whole() const {
      const __m512i high = _mm512_add_epi32(_mm512_slli_epi32(d2, 16), _mm512_slli_epi32(d1, 8));
      return _mm512_add_epi32(high, d0);
    }
  };

  // Of values that packs with saturation clamp to bytes.
  static __m512i rounded(__m512i sums) {
    return _mm512_srli_epi32(_mm512_add_epi32(sums, _mm512_set1_epi32(kRoundWeight)), kWeightBits);
  }

  static __m128i load16(const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }

  // The four rows of a strip share a register: one 128-bit lane each.
  static __m512i load_strip(const uint8_t* const* in, size_t at) {
    const __m512i rows01 = _mm512_inserti32x4(_mm512_castsi128_si512(load16(in[0] + at)), load16(in[1] + at), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(rows01, load16(in[2] + at), 2), load16(in[3] + at), 3);
  }

  // Four neighbouring weights' digits in every 32-bit lane.
  static __m512i weight_quad(const uint8_t* digits) {
    int32_t quad;
    std::memcpy(&quad, digits, sizeof quad);
    return _mm512_set1_epi32(quad);
  }

  template <int kChannels>
  static void colour_column(const FilterColumn& column, const uint8_t* const* in, uint8_t* const* out) {
    // Four pixels, channel by channel; what lies in the fourth does not matter.
    constexpr int a = 0, b = kChannels, c = 2 * kChannels, d = 3 * kChannels;
    const __m512i order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(a, b, c, d, a + 1, b + 1, c + 1, d + 1, a + 2, b + 2, c + 2, d + 2, -1, -1, -1, -1));
    Sums sums;
    size_t at = column.begin;
    for (int32_t i = 0; i < column.taps; i += 4, at += 4 * kChannels)
      sums.add(_mm512_shuffle_epi8(load_strip(in, at), order), weight_quad(column.weights + i),
               weight_quad(column.weights + column.padded + i), weight_quad(column.weights + 2 * column.padded + i));
    // Four bytes per pixel are stored: the next pixel, or the padding of the row, takes the fourth.
    const __m128i bytes = _mm512_cvtusepi32_epi8(rounded(sums.whole()));
    store4(out[0] + column.to, _mm_cvtsi128_si32(bytes));
    store4(out[1] + column.to, _mm_extract_epi32(bytes, 1));
    store4(out[2] + column.to, _mm_extract_epi32(bytes, 2));
    store4(out[3] + column.to, _mm_extract_epi32(bytes, 3));
  }

  static void store4(uint8_t* to, int32_t value) { std::memcpy(to, &value, sizeof value); }

  static __m512i sixteen_weights(const uint8_t* digits) { return _mm512_broadcast_i32x4(load16(digits)); }

  static void grey_column(const FilterColumn& column, const uint8_t* const* in, uint8_t* const* out) {
    Sums sums;
    for (int32_t i = 0; i < column.taps; i += 16)
      sums.add(load_strip(in, column.begin + static_cast<size_t>(i)), sixteen_weights(column.weights + i),
               sixteen_weights(column.weights + column.padded + i),
               sixteen_weights(column.weights + 2 * column.padded + i));
    __m512i whole = sums.whole();
    whole = _mm512_add_epi32(whole, _mm512_shuffle_epi32(whole, _MM_PERM_CDAB));
    whole = _mm512_add_epi32(whole, _mm512_shuffle_epi32(whole, _MM_PERM_BADC));
    const __m128i bytes = _mm512_cvtusepi32_epi8(rounded(whole));
    out[0][column.to] = static_cast<uint8_t>(_mm_extract_epi8(bytes, 0));
    out[1][column.to] = static_cast<uint8_t>(_mm_extract_epi8(bytes, 4));
    out[2][column.to] = static_cast<uint8_t>(_mm_extract_epi8(bytes, 8));
    out[3][column.to] = static_cast<uint8_t>(_mm_extract_epi8(bytes, 12));
  }

  // Blocks of 64 bytes, the last one overlapping the one before.
  static void rows(const uint8_t* weights, int32_t taps, const uint8_t* const* rows, size_t offset, size_t bytes,
                   uint8_t* out) {
    for (size_t at = 0; at < bytes; at += kRowBlock) {
      if (at + kRowBlock > bytes) at = bytes - kRowBlock;
      Sums sums[4];
      for (int32_t i = 0; i < taps; i += 4) {
        const __m512i weights0 = weight_quad(weights + i), weights1 = weight_quad(weights + taps + i),
                      weights2 = weight_quad(weights + 2 * taps + i);
        const size_t from = offset + at;
        const __m512i a = _mm512_loadu_si512(rows[i] + from), b = _mm512_loadu_si512(rows[i + 1] + from),
                      c = _mm512_loadu_si512(rows[i + 2] + from), d = _mm512_loadu_si512(rows[i + 3] + from);
        const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
        const __m512i cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
        sums[0].add(_mm512_unpacklo_epi16(ab_low, cd_low), weights0, weights1, weights2);
        sums[1].add(_mm512_unpackhi_epi16(ab_low, cd_low), weights0, weights1, weights2);
        sums[2].add(_mm512_unpacklo_epi16(ab_high, cd_high), weights0, weights1, weights2);
        sums[3].add(_mm512_unpackhi_epi16(ab_high, cd_high), weights0, weights1, weights2);
      }
      const __m512i words0 = _mm512_packus_epi32(rounded(sums[0].whole()), rounded(sums[1].whole()));
      const __m512i words1 = _mm512_packus_epi32(rounded(sums[2].whole()), rounded(sums[3].whole()));
      _mm512_storeu_si512(out + at, _mm512_packus_epi16(words0, words1));
    }
  }
};

}  // namespace mobilenetv2::avx512vnni

// The two filters of Pillow's resize on AVX2. Include inside an AVX2 target region only.
//
// A weight of 22 fractional bits is split into hi * 2^11 + lo, so that vpmaddwd multiplies bytes by it exactly: two
// taps of a value per instruction and half. Sums of hi and lo are kept apart until the end; wrapping does no harm, as
// the whole sum fits 32 bits.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/preprocess/pillow_driver.h"
#include "kernels/preprocess/two_part_weights.h"

namespace mobilenetv2::avx2 {

struct PillowFilter : TwoPartWeights<PillowFilter, int16_t> {
  static constexpr int32_t kStrip = 4;
  static constexpr int32_t column_step(int32_t channels) { return channels == 1 ? 8 : 4; }
  static constexpr int32_t kRowStep = 2;
  static constexpr size_t kRowBlock = 32;

  // Sums of products with both parts of the weights.
  struct Sums {
    __m256i hi, lo;

    // Written out: g++ would make an implicit one at the end of the file, outside the target region.
    Sums() : hi(_mm256_setzero_si256()), lo(_mm256_setzero_si256()) {}

    void add(__m256i pairs, __m256i weights_hi, __m256i weights_lo) {
      hi = _mm256_add_epi32(hi, _mm256_madd_epi16(pairs, weights_hi));
      lo = _mm256_add_epi32(lo, _mm256_madd_epi16(pairs, weights_lo));
    }
    __m256i whole() const { return _mm256_add_epi32(_mm256_slli_epi32(hi, kLowBits), lo); }
  };

  // Of values that packs with saturation clamp to bytes.
  static __m256i rounded(__m256i sums) {
    return _mm256_srli_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(kRoundWeight)), kWeightBits);
  }

  // Rows 0 and 1, or 2 and 3, of a strip share a register: one 128-bit lane each.
  static __m256i load_pair(const uint8_t* a, const uint8_t* b) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)),
                                   1);
  }

  // Two neighbouring weights in every 32-bit lane.
  static __m256i weight_pair(const int16_t* weights) {
    int32_t pair;
    std::memcpy(&pair, weights, sizeof pair);
    return _mm256_set1_epi32(pair);
  }

  // Of 16 bytes, pixels kFirst and kFirst + 1 as 16-bit pairs, channel by channel; what lies in the fourth does not
  // matter.
  template <int kChannels, int kFirst>
  static __m256i pixel_pair(__m256i bytes) {
    constexpr int a = kFirst * kChannels, b = a + kChannels;
    const __m128i order = _mm_setr_epi8(a, -1, b, -1, a + 1, -1, b + 1, -1, a + 2, -1, b + 2, -1, -1, -1, -1, -1);
    return _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order));
  }

  template <int kChannels>
  static void colour_column(const FilterColumn& column, const uint8_t* const* in, uint8_t* const* out) {
    const Weights weights(column.weights, column.padded);
    Sums rows01, rows23;
    size_t at = column.begin;
    for (int32_t i = 0; i < column.taps; i += 4, at += 4 * kChannels) {
      const __m256i a = load_pair(in[0] + at, in[1] + at), b = load_pair(in[2] + at, in[3] + at);
      const __m256i hi01 = weight_pair(weights.hi + i), lo01 = weight_pair(weights.lo + i);
      rows01.add(pixel_pair<kChannels, 0>(a), hi01, lo01);
      rows23.add(pixel_pair<kChannels, 0>(b), hi01, lo01);
      const __m256i hi23 = weight_pair(weights.hi + i + 2), lo23 = weight_pair(weights.lo + i + 2);
      rows01.add(pixel_pair<kChannels, 2>(a), hi23, lo23);
      rows23.add(pixel_pair<kChannels, 2>(b), hi23, lo23);
    }
    // Four bytes per pixel are stored: the next pixel, or the padding of the row, takes the fourth.
    const __m256i words = _mm256_packus_epi32(rounded(rows01.whole()), rounded(rows23.whole()));
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const auto even = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm256_castsi256_si128(bytes)));
    const auto odd = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm256_extracti128_si256(bytes, 1)));
    store4(out[0] + column.to, even);
    store4(out[1] + column.to, odd);
    store4(out[2] + column.to, even >> 32);
    store4(out[3] + column.to, odd >> 32);
  }

  static void store4(uint8_t* to, uint64_t value) {
    const auto low = static_cast<uint32_t>(value);
    std::memcpy(to, &low, sizeof low);
  }

  // Eight bytes of each of two rows as 16-bit values.
  static __m256i load_grey(const uint8_t* a, const uint8_t* b) {
    const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(a));
    return _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(low, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b))));
  }

  static __m256i eight_weights(const int16_t* weights) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights)));
  }

  static void grey_column(const FilterColumn& column, const uint8_t* const* in, uint8_t* const* out) {
    const Weights weights(column.weights, column.padded);
    Sums rows01, rows23;
    for (int32_t i = 0; i < column.taps; i += 8) {
      const size_t at = column.begin + static_cast<size_t>(i);
      const __m256i weights_hi = eight_weights(weights.hi + i), weights_lo = eight_weights(weights.lo + i);
      rows01.add(load_grey(in[0] + at, in[1] + at), weights_hi, weights_lo);
      rows23.add(load_grey(in[2] + at, in[3] + at), weights_hi, weights_lo);
    }
    const __m256i sums = _mm256_hadd_epi32(rows01.whole(), rows23.whole());
    const __m256i words = rounded(_mm256_hadd_epi32(sums, sums));  // lanes: rows 0, 2 and rows 1, 3
    const auto even = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm256_castsi256_si128(words)));
    const auto odd = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm256_extracti128_si256(words, 1)));
    out[0][column.to] = to_byte(even);
    out[1][column.to] = to_byte(odd);
    out[2][column.to] = to_byte(even >> 32);
    out[3][column.to] = to_byte(odd >> 32);
  }

  static uint8_t to_byte(uint64_t value) { return static_cast<uint8_t>(std::min(static_cast<uint32_t>(value), 255u)); }

  // Blocks of 32 bytes, the last one overlapping the one before.
  static void rows(const uint8_t* weights, int32_t taps, const uint8_t* const* rows, size_t offset, size_t bytes,
                   uint8_t* out) {
    const Weights split(weights, taps);
    for (size_t at = 0; at < bytes; at += kRowBlock) {
      if (at + kRowBlock > bytes) at = bytes - kRowBlock;
      Sums sums[4];
      for (int32_t i = 0; i < taps; i += 2) {
        const __m256i weights_hi = weight_pair(split.hi + i), weights_lo = weight_pair(split.lo + i);
        const __m256i a = load_block(rows[i] + offset + at), b = load_block(rows[i + 1] + offset + at);
        const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
        const __m256i zero = _mm256_setzero_si256();
        sums[0].add(_mm256_unpacklo_epi8(low, zero), weights_hi, weights_lo);
        sums[1].add(_mm256_unpackhi_epi8(low, zero), weights_hi, weights_lo);
        sums[2].add(_mm256_unpacklo_epi8(high, zero), weights_hi, weights_lo);
        sums[3].add(_mm256_unpackhi_epi8(high, zero), weights_hi, weights_lo);
      }
      const __m256i words0 = _mm256_packus_epi32(rounded(sums[0].whole()), rounded(sums[1].whole()));
      const __m256i words1 = _mm256_packus_epi32(rounded(sums[2].whole()), rounded(sums[3].whole()));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + at), _mm256_packus_epi16(words0, words1));
    }
  }

  static __m256i load_block(const uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
};

}  // namespace mobilenetv2::avx2

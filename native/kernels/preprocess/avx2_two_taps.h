// The two-tap resizes on AVX2: the channels of one pixel side by side in four lanes, with the reference's operations in
// its order. Include inside an AVX2 target region only.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/preprocess/taps.h"

namespace mobilenetv2::avx2 {

struct Float4 {
  using Real = float;
  using Reg = __m128;
  static Reg from_int(__m128i v) { return _mm_cvtepi32_ps(v); }
  static Reg broadcast(float v) { return _mm_set1_ps(v); }
  static Reg lerp(Reg a, Reg b, Reg fraction) { return _mm_add_ps(a, _mm_mul_ps(_mm_sub_ps(b, a), fraction)); }
  static __m256d to_double(Reg v) { return _mm256_cvtps_pd(v); }
};

struct Double4 {
  using Real = double;
  using Reg = __m256d;
  static Reg from_int(__m128i v) { return _mm256_cvtepi32_pd(v); }
  static Reg broadcast(double v) { return _mm256_set1_pd(v); }
  static Reg lerp(Reg a, Reg b, Reg fraction) { return _mm256_add_pd(a, _mm256_mul_pd(_mm256_sub_pd(b, a), fraction)); }
  static __m256d to_double(Reg v) { return v; }
};

template <class V>
class TwoTaps {
 public:
  using Real = typename V::Real;
  using Tap = Tap2<Real>;

  static void run(const PreprocessArgs& args, Tap (*tap)(int32_t index, int32_t source, int32_t resized)) {
    auto* columns = reinterpret_cast<Tap*>(args.scratch);
    for (int32_t x = 0; x < args.out_width; ++x)
      columns[x] = tap(args.window_x + x, args.box_width, args.resized_width);
    for (int32_t y = 0; y < args.out_height; ++y) {
      const Tap row = tap(args.window_y + y, args.box_height, args.resized_height);
      if (args.channels == 1)
        resize_row<Grey>(args, columns, row, y);
      else if (args.channels == 4)
        resize_row<FourBytes<4>>(args, columns, row, y);
      else if (args.box_y + row.upper == args.height - 1)
        resize_row<ThreeBytes>(args, columns, row, y);
      else
        resize_row<FourBytes<3>>(args, columns, row, y);
    }
  }

 private:
  using Reg = typename V::Reg;

  // How a pixel becomes a 32-bit word whose lower three bytes are its colours.
  struct Grey {
    static constexpr size_t kChannels = 1;
    static uint32_t load(const uint8_t* p) { return *p * 0x010101u; }
  };
  // RGB, too: but it would read a byte beyond the image's last pixel.
  template <size_t channels>
  struct FourBytes {
    static constexpr size_t kChannels = channels;
    static uint32_t load(const uint8_t* p) {
      uint32_t word;
      std::memcpy(&word, p, sizeof word);
      return word;
    }
  };
  struct ThreeBytes {
    static constexpr size_t kChannels = 3;
    static uint32_t load(const uint8_t* p) {
      return p[0] | static_cast<uint32_t>(p[1]) << 8 | static_cast<uint32_t>(p[2]) << 16;
    }
  };

  template <class Pixel>
  static Reg load(const uint8_t* p) {
    return V::from_int(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(static_cast<int32_t>(Pixel::load(p)))));
  }

  template <class Pixel>
  static void resize_row(const PreprocessArgs& args, const Tap* columns, const Tap& row, int32_t y) {
    const uint8_t* top_line = box_row(args, row.lower);
    const uint8_t* bottom_line = box_row(args, row.upper);
    const Reg row_fraction = V::broadcast(row.fraction);
    const __m256d mul = _mm256_setr_pd(args.mul[0], args.mul[1], args.mul[2], 0.0);
    const __m256d add = _mm256_setr_pd(args.add[0], args.add[1], args.add[2], 0.0);
    const __m256d low = _mm256_set1_pd(args.min_q), high = _mm256_set1_pd(args.min_q + 255);
    size_t at = output_row(args, y);
    for (int32_t x = 0; x < args.out_width; ++x, at += 3) {
      const size_t left = static_cast<size_t>(columns[x].lower) * Pixel::kChannels;
      const size_t right = static_cast<size_t>(columns[x].upper) * Pixel::kChannels;
      const Reg fraction = V::broadcast(columns[x].fraction);
      const Reg top = V::lerp(load<Pixel>(top_line + left), load<Pixel>(top_line + right), fraction);
      const Reg bottom = V::lerp(load<Pixel>(bottom_line + left), load<Pixel>(bottom_line + right), fraction);
      const __m256d value = V::to_double(V::lerp(top, bottom, row_fraction));
      const __m256d result = _mm256_add_pd(_mm256_mul_pd(value, mul), add);
      // All but a row's last pixel write a fourth value, which the next pixel replaces.
      const size_t values = x + 1 < args.out_width ? 4 : 3;
      if (args.out_f32) {
        store(_mm_castps_si128(_mm256_cvtpd_ps(result)), args.out_f32 + at, values);
      } else {
        const __m256d clamped = _mm256_min_pd(_mm256_max_pd(_mm256_floor_pd(result), low), high);
        const __m128i order = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
        store(_mm_shuffle_epi8(_mm256_cvttpd_epi32(clamped), order), args.out_u8 + at, values);
      }
    }
  }

  static void store(__m128i v, float* to, size_t values) {
    if (values == 4) return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
    float each[4];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(each), v);
    std::memcpy(to, each, 3 * sizeof(float));
  }
  static void store(__m128i v, uint8_t* to, size_t values) {
    const int32_t word = _mm_cvtsi128_si32(v);
    if (values == 4)
      std::memcpy(to, &word, 4);
    else
      std::memcpy(to, &word, 3);
  }
};

}  // namespace mobilenetv2::avx2

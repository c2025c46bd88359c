// The two-tap resizes over an instruction set's vectors: the colours of one pixel side by side in four lanes, with the
// reference's operations in its order. Include inside the target region of V, which gives:
//
//   Real, Reg                  the type of an interpolation's steps, four of them
//   from_bytes(word)           the bytes of a word, lowest first
//   broadcast(x)
//   lerp(a, b, fraction)       a + (b - a) * fraction, not fused
//   Doubles, to_double(x)      four doubles
//   doubles(a, b, c, d)
//   scale(x, mul, add)         x * mul + add, not fused
//   store(x, to)               rounded to four floats
//   bytes(x, low, high)        floor(x), clamped: the lowest byte of each, as a word
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/preprocess/taps.h"

namespace mobilenetv2 {

template <class V>
class TwoTaps {
 public:
  using Tap = Tap2<typename V::Real>;

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
  using Doubles = typename V::Doubles;

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
    return V::from_bytes(Pixel::load(p));
  }

  template <class Pixel>
  static void resize_row(const PreprocessArgs& args, const Tap* columns, const Tap& row, int32_t y) {
    const uint8_t* top_line = box_row(args, row.lower);
    const uint8_t* bottom_line = box_row(args, row.upper);
    const Reg row_fraction = V::broadcast(row.fraction);
    const Doubles mul = V::doubles(args.mul[0], args.mul[1], args.mul[2], 0.0);
    const Doubles add = V::doubles(args.add[0], args.add[1], args.add[2], 0.0);
    const double low = args.min_q, high = args.min_q + 255;
    size_t at = output_row(args, y);
    for (int32_t x = 0; x < args.out_width; ++x, at += 3) {
      const size_t left = static_cast<size_t>(columns[x].lower) * Pixel::kChannels;
      const size_t right = static_cast<size_t>(columns[x].upper) * Pixel::kChannels;
      const Reg fraction = V::broadcast(columns[x].fraction);
      const Reg top = V::lerp(load<Pixel>(top_line + left), load<Pixel>(top_line + right), fraction);
      const Reg bottom = V::lerp(load<Pixel>(bottom_line + left), load<Pixel>(bottom_line + right), fraction);
      const Doubles result = V::scale(V::to_double(V::lerp(top, bottom, row_fraction)), mul, add);
      // All but a row's last pixel write a fourth value, which the next pixel replaces.
      const bool last = x + 1 == args.out_width;
      if (args.out_f32) {
        if (!last) {
          V::store(result, args.out_f32 + at);
        } else {
          float each[4];
          V::store(result, each);
          std::memcpy(args.out_f32 + at, each, 3 * sizeof(float));
        }
      } else {
        const uint32_t word = V::bytes(result, low, high);
        if (!last)
          std::memcpy(args.out_u8 + at, &word, 4);
        else
          std::memcpy(args.out_u8 + at, &word, 3);
      }
    }
  }
};

}  // namespace mobilenetv2

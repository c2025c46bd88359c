// 3x3 depthwise convolution of one vector of channels over the rows of a line buffer. Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/op.h"
#include "core/rows.h"

namespace mobilenetv2 {

// A ring of rows whose padding is stored, so that taps never look at the image's edge. Rows and columns are counted
// from the padding's first; pixels are one vector of channels each, and each vector of channels has its own plane.
struct PaddedRows {
  float* base = nullptr;
  int32_t capacity = 0, width = 0;  // rows, pixels

  float* row(int32_t y, int32_t lanes) const {
    return base + static_cast<size_t>(y % capacity) * static_cast<size_t>(width) * static_cast<size_t>(lanes);
  }
};

template <class S>
struct F32Depthwise {
  using Vec = typename S::Vec;
  using Reg = typename Vec::Reg;
  static constexpr int32_t kLanes = Vec::kLanes;
  static constexpr int32_t kPacked = 10 * kLanes;  // floats per vector of channels: bias, then 9 taps

  // The vector of channels from c on, from weights [tap][channels]; lanes beyond the channels stay zero. Returns its
  // end.
  static float* pack(const Conv& conv, int32_t c, float* out) {
    const int32_t channels = conv.out_channels, used = std::min(channels - c, kLanes);
    std::copy_n(conv.bias_f32 + c, used, out);
    for (int32_t tap = 0; tap < 9; ++tap) {
      std::copy_n(conv.weights_f32 + static_cast<size_t>(tap) * channels + c, used, out + (tap + 1) * kLanes);
    }
    return out + kPacked;
  }

  // The three values of a column, loaded once for the two or three outputs that read them.
  struct Column {
    Reg top, middle, bottom;
    // sum + the taps of one column of the kernel; w points at the top row's.
    Reg add(const Reg* w, Reg sum) const {
      return Vec::fma(bottom, w[6], Vec::fma(middle, w[3], Vec::fma(top, w[0], sum)));
    }
  };

  // Three rows of a line buffer, padding included, column by column.
  struct PaddedColumns {
    const float *top, *middle, *bottom;
    PaddedColumns(const PaddedRows& rows, int32_t y)
        : top(rows.row(y, kLanes)), middle(rows.row(y + 1, kLanes)), bottom(rows.row(y + 2, kLanes)) {}
    // How many of the next `count` groups of columns next() may read.
    int32_t inside(int32_t, int32_t count) const { return count; }
    Column next() {
      const Column c{Vec::in_register(Vec::load(top)), Vec::in_register(Vec::load(middle)),
                     Vec::in_register(Vec::load(bottom))};
      top += kLanes, middle += kLanes, bottom += kLanes;
      return c;
    }
    Column next_or_padding() { return next(); }
  };

  // Three rows of an NHWC image in place: `lanes` channels of pixels `channels` apart, kPartial if less than a vector.
  template <bool kPartial>
  struct ImageColumns {
    const float* row[3];
    size_t step[3];
    int32_t x, width, lanes;
    // `zeros` is a vector of zeros, which stands for every pixel of a row outside the image.
    ImageColumns(const Rows& rows, int32_t y, int32_t height, int32_t width, int32_t channels, int32_t pad_left,
                 int32_t c, const float* zeros)
        : x(-pad_left), width(width), lanes(std::min(channels - c, kLanes)) {
      for (int32_t i = 0; i < 3; ++i, ++y) {
        const bool image = y >= 0 && y < height;
        row[i] = image ? reinterpret_cast<const float*>(rows.row(y)) + c : zeros;
        step[i] = image ? static_cast<size_t>(channels) : 0;
      }
    }
    int32_t inside(int32_t group, int32_t count) const { return x < 0 ? 0 : std::clamp((width - x) / group, 0, count); }
    Column next() {
      const Column c{load(row[0]), load(row[1]), load(row[2])};
      row[0] += step[0], row[1] += step[1], row[2] += step[2], ++x;
      return c;
    }
    Column next_or_padding() {
      if (x >= 0 && x < width) return next();
      ++x;
      return {Vec::zero(), Vec::zero(), Vec::zero()};
    }
    Reg load(const float* p) const {
      if constexpr (kPartial) return Vec::load_first(p, lanes);
      return Vec::in_register(Vec::load(p));
    }
  };

  // The weights of one vector of channels in registers, for as many rows as there are.
  template <int kStride>
  struct Kernel3x3 {
    Reg bias, w[9], lo, hi;

    Kernel3x3(const float* packed, float min, float max)
        : bias(Vec::load(packed)), lo(Vec::broadcast(min)), hi(Vec::broadcast(max)) {
#pragma GCC unroll 9
      for (int tap = 0; tap < 9; ++tap) w[tap] = Vec::load(packed + (tap + 1) * kLanes);
    }

    // One output row of `width` pixels, a vector each. Columns of the input pass by one at a time, each adding to the
    // (up to three) outputs it belongs to; so every value is loaded once a row, and sums run over columns first.
    template <class Columns>
    [[gnu::always_inline]] void row(Columns in, int32_t width, float* out) const {
      if constexpr (kStride == 1) {
        const Column c0 = in.next_or_padding(), c1 = in.next_or_padding();
        Reg previous = c1.add(w + 1, c0.add(w, bias));  // of the output that lacks its last column
        Reg current = c1.add(w, bias);                  // of the one that has its first column only
        const int32_t inside = in.inside(1, width);
        int32_t x = 0;
#pragma GCC unroll 3
        for (; x < inside; ++x, out += kLanes) finish_one(in.next(), &previous, &current, out);
        for (; x < width; ++x, out += kLanes) finish_one(in.next_or_padding(), &previous, &current, out);
      } else {
        Reg current = in.next_or_padding().add(w, bias);
        const int32_t inside = in.inside(2, width);
        int32_t x = 0;
#pragma GCC unroll 2
        for (; x < inside; ++x, out += kLanes) {
          current = in.next().add(w + 1, current);
          finish_two(in.next(), &current, out);
        }
        for (; x < width; ++x, out += kLanes) {
          current = in.next_or_padding().add(w + 1, current);
          finish_two(in.next_or_padding(), &current, out);
        }
      }
    }

   private:
    // The last column of one output is the middle one of the next and the first one of that after it. At a row's end
    // these run ahead into outputs that do not exist, and are dropped.
    void finish_one(const Column& c, Reg* previous, Reg* current, float* out) const {
      const Reg done = c.add(w + 2, *previous);
      *previous = c.add(w + 1, *current);
      *current = c.add(w, bias);
      Vec::store(out, Vec::min(Vec::max(done, lo), hi));
    }

    void finish_two(const Column& c, Reg* current, float* out) const {
      const Reg done = c.add(w + 2, *current);
      *current = c.add(w, bias);
      Vec::store(out, Vec::min(Vec::max(done, lo), hi));
    }
  };
};

}  // namespace mobilenetv2

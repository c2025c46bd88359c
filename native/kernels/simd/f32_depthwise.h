// 3x3 depthwise convolution of one vector of channels over the rows of a line buffer. Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/op.h"
#include "core/rows.h"

namespace mobilenetv2 {

// Where a row of a line buffer is. Its padding is stored, so that taps never look at the image's edge; pixels are one
// vector of channels each, and each vector of channels has its own plane.
struct PaddedRow {
  float* first = nullptr;  // in the first plane
  size_t plane = 0;        // floats from plane to plane

  float* in_plane(int32_t p) const { return first + plane * static_cast<size_t>(p); }
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

  // Output rows made together, which share what they read.
  template <int kStride, int kOut>
  static constexpr int kInRows = 3 + (kOut - 1) * kStride;

  // The values of a column, loaded once for the two or three outputs of each output row that read them.
  template <int kRows>
  struct Column {
    Reg value[kRows];
    // sum + the taps of one column of the kernel, whose top is at `row`; w points at the top row's.
    Reg add(int row, const Reg* w, Reg sum) const {
      return Vec::fma(value[row + 2], w[6], Vec::fma(value[row + 1], w[3], Vec::fma(value[row], w[0], sum)));
    }
  };

  // Rows of a line buffer in plane p, padding included, column by column.
  template <int kRows>
  struct PaddedColumns {
    const float* row[kRows];
    PaddedColumns(const PaddedRow* rows, int32_t p) {
#pragma GCC unroll 5
      for (int i = 0; i < kRows; ++i) row[i] = rows[i].in_plane(p);
    }
    // How many of the next `count` groups of columns next() may read.
    int32_t inside(int32_t, int32_t count) const { return count; }
    Column<kRows> next() {
      Column<kRows> c;
#pragma GCC unroll 5
      for (int i = 0; i < kRows; ++i, row[i - 1] += kLanes) c.value[i] = Vec::in_register(Vec::load(row[i]));
      return c;
    }
    Column<kRows> next_or_padding() { return next(); }
  };

  // Rows of an NHWC image in place: `lanes` channels of pixels `channels` apart, kPartial if less than a vector.
  template <int kRows, bool kPartial>
  struct ImageColumns {
    const float* row[kRows];
    size_t step[kRows];
    int32_t x, width, lanes;
    // `zeros` is a vector of zeros, which stands for every pixel of a row outside the image.
    ImageColumns(const Rows& rows, int32_t y, int32_t height, int32_t width, int32_t channels, int32_t pad_left,
                 int32_t c, const float* zeros)
        : x(-pad_left), width(width), lanes(std::min(channels - c, kLanes)) {
      for (int32_t i = 0; i < kRows; ++i, ++y) {
        const bool image = y >= 0 && y < height;
        row[i] = image ? reinterpret_cast<const float*>(rows.row(y)) + c : zeros;
        step[i] = image ? static_cast<size_t>(channels) : 0;
      }
    }
    int32_t inside(int32_t group, int32_t count) const { return x < 0 ? 0 : std::clamp((width - x) / group, 0, count); }
    Column<kRows> next() {
      Column<kRows> c;
#pragma GCC unroll 5
      for (int i = 0; i < kRows; ++i, row[i - 1] += step[i - 1]) c.value[i] = load(row[i]);
      ++x;
      return c;
    }
    Column<kRows> next_or_padding() {
      if (x >= 0 && x < width) return next();
      ++x;
      Column<kRows> c;
      for (Reg& value : c.value) value = Vec::zero();
      return c;
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

    // kOut output rows of `width` pixels, a vector each. Columns of the input pass by one at a time, each adding to the
    // (up to three) outputs of a row it belongs to; so every value is loaded once, and sums run over columns first.
    template <int kOut, class Columns>
    [[gnu::always_inline]] void rows(Columns in, int32_t width, float* out) const {
      const int32_t stride = width * kLanes;
      if constexpr (kStride == 1) {
        const auto c0 = in.next_or_padding(), c1 = in.next_or_padding();
        Reg previous[kOut], current[kOut];  // of the output that lacks its last column, of the one that has its first
#pragma GCC unroll 2
        for (int o = 0; o < kOut; ++o) {
          previous[o] = c1.add(o, w + 1, c0.add(o, w, bias));
          current[o] = c1.add(o, w, bias);
        }
        const int32_t inside = in.inside(1, width);
        int32_t x = 0;
#pragma GCC unroll 3
        for (; x < inside; ++x, out += kLanes) finish_one<kOut>(in.next(), previous, current, out, stride);
        for (; x < width; ++x, out += kLanes) finish_one<kOut>(in.next_or_padding(), previous, current, out, stride);
      } else {
        const auto c0 = in.next_or_padding();
        Reg current[kOut];
#pragma GCC unroll 2
        for (int o = 0; o < kOut; ++o) current[o] = c0.add(o * kStride, w, bias);
        const int32_t inside = in.inside(2, width);
        int32_t x = 0;
#pragma GCC unroll 2
        for (; x < inside; ++x, out += kLanes) {
          const auto c = in.next();
          finish_two<kOut>(c, in.next(), current, out, stride);
        }
        for (; x < width; ++x, out += kLanes) {
          const auto c = in.next_or_padding();
          finish_two<kOut>(c, in.next_or_padding(), current, out, stride);
        }
      }
    }

   private:
    // The last column of one output is the middle one of the next and the first one of that after it. At a row's end
    // these run ahead into outputs that do not exist, and are dropped.
    template <int kOut, class C>
    [[gnu::always_inline]] void finish_one(const C& c, Reg* previous, Reg* current, float* out, int32_t stride) const {
#pragma GCC unroll 2
      for (int o = 0; o < kOut; ++o) {
        store(out + o * stride, c.add(o, w + 2, previous[o]));
        previous[o] = c.add(o, w + 1, current[o]);
        current[o] = c.add(o, w, bias);
      }
    }

    template <int kOut, class C>
    [[gnu::always_inline]] void finish_two(const C& middle, const C& last, Reg* current, float* out,
                                           int32_t stride) const {
#pragma GCC unroll 2
      for (int o = 0; o < kOut; ++o) {
        store(out + o * stride, last.add(o * kStride, w + 2, middle.add(o * kStride, w + 1, current[o])));
        current[o] = last.add(o * kStride, w, bias);
      }
    }

    void store(float* out, Reg sum) const { Vec::store(out, Vec::min(Vec::max(sum, lo), hi)); }
  };
};

}  // namespace mobilenetv2

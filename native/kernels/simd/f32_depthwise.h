// 3x3 depthwise convolution of one vector of channels over the rows of a line buffer. Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/op.h"

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

  // Output rows [row_begin, row_end) of `width` pixels each, one after the other from `out`. Columns of the input pass
  // by one at a time, each adding to the (up to) three outputs it belongs to: every value is loaded once a row.
  template <int kStride>
  static void rows(const PaddedRows& in, const float* packed, int32_t row_begin, int32_t row_end, int32_t width,
                   float min, float max, float* out) {
    const Reg bias = Vec::load(packed);
    Reg w[9];
#pragma GCC unroll 9
    for (int tap = 0; tap < 9; ++tap) w[tap] = Vec::load(packed + (tap + 1) * kLanes);
    const Reg lo = Vec::broadcast(min), hi = Vec::broadcast(max);
    for (int32_t y = row_begin; y < row_end; ++y) {
      const float* top = in.row(y * kStride, kLanes);
      const float* middle = in.row(y * kStride + 1, kLanes);
      const float* bottom = in.row(y * kStride + 2, kLanes);
      if constexpr (kStride == 1) {
        const Column c0(top, middle, bottom, 0), c1(top, middle, bottom, 1);
        Reg previous = c1.add(w + 1, c0.add(w, bias));  // of the output that lacks its last column
        Reg current = c1.add(w, bias);                  // of the one that has its first column only
        for (int32_t x = 0; x < width; ++x) {
          const Column c(top, middle, bottom, x + 2);
          const Reg done = c.add(w + 2, previous);
          previous = c.add(w + 1, current);  // these two run ahead into outputs beyond the row's end, and are dropped
          current = c.add(w, bias);
          Vec::store(out, Vec::min(Vec::max(done, lo), hi));
          out += kLanes;
        }
      } else {
        Reg current = Column(top, middle, bottom, 0).add(w, bias);
        for (int32_t x = 0; x < width; ++x) {
          current = Column(top, middle, bottom, 2 * x + 1).add(w + 1, current);
          const Column c(top, middle, bottom, 2 * x + 2);
          const Reg done = c.add(w + 2, current);
          current = c.add(w, bias);
          Vec::store(out, Vec::min(Vec::max(done, lo), hi));
          out += kLanes;
        }
      }
    }
  }

 private:
  // The three values of a column, loaded once for the two or three outputs that read them.
  struct Column {
    Reg top, middle, bottom;
    Column(const float* t, const float* m, const float* b, int32_t x)
        : top(Vec::in_register(Vec::load(t + x * kLanes))),
          middle(Vec::in_register(Vec::load(m + x * kLanes))),
          bottom(Vec::in_register(Vec::load(b + x * kLanes))) {}
    // sum + the taps of one column of the kernel; w points at the top row's.
    Reg add(const Reg* w, Reg sum) const {
      return Vec::fma(bottom, w[6], Vec::fma(middle, w[3], Vec::fma(top, w[0], sum)));
    }
  };
};

}  // namespace mobilenetv2

// Pixels of NHWC rows, as the float tiles want them. Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/rows.h"

namespace mobilenetv2 {

template <class S>
struct F32Pixels {
  using Vec = typename S::Vec;
  static constexpr int32_t kLanes = Vec::kLanes;

  static size_t packed_floats(size_t pixels, int32_t channels) {
    return pixels * static_cast<size_t>((channels + kLanes - 1) / kLanes * kLanes);
  }

  // Rows [row_begin, row_end) -> [channels / kLanes][pixels][kLanes]. Neighbours of one depth are then one vector
  // apart whatever the channels, so a tile needs a single pointer; the copy costs about one part in 6 * channels.
  static void pack(const Rows& rows, int32_t row_begin, int32_t row_end, int32_t width, int32_t channels, float* out) {
    const size_t plane = static_cast<size_t>(row_end - row_begin) * width * kLanes;
    for (int32_t y = row_begin; y < row_end; ++y) {
      const float* in = reinterpret_cast<const float*>(rows.row(y));
      for (int32_t x = 0; x < width; ++x, in += channels, out += kLanes) {
        float* to = out;
        int32_t c = 0;
        for (; c + kLanes <= channels; c += kLanes, to += plane) Vec::store(to, Vec::load(in + c));
        if (c < channels) Vec::store(to, Vec::load_first(in + c, channels - c));
      }
    }
  }

  // Addresses of the pixels of rows [row_begin, row_end).
  static void list(const Rows& rows, int32_t row_begin, int32_t row_end, int32_t width, int32_t channels, float** out) {
    for (int32_t y = row_begin; y < row_end; ++y) {
      float* row = reinterpret_cast<float*>(rows.row(y));
      for (int32_t x = 0; x < width; ++x) *out++ = row + static_cast<size_t>(x) * channels;
    }
  }
};

}  // namespace mobilenetv2

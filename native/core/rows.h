// A view of an image's rows in memory: a whole tensor, or a ring that keeps only its last rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mobilenetv2 {

// Row y (0-based, of the whole image) lives at base + (y % capacity) * row_bytes. A whole tensor is a ring whose
// capacity is its height, and then its pixels are contiguous (NHWC, N = 1). A row holds width * channels values.
struct Rows {
  uint8_t* base = nullptr;
  int32_t capacity = 0;
  size_t row_bytes = 0;

  uint8_t* row(int32_t y) const { return base + static_cast<size_t>(y % capacity) * row_bytes; }
};

}  // namespace mobilenetv2

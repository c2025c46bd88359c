// Looking over many numbers of a file at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace mobilenetv2 {

// The index of the first value that is not between `low` and `high`, as neither of these and no NaN is; else -1.
inline int64_t first_outside(const float* values, size_t count, float low, float high) {
  constexpr size_t kBlock = 1024;
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = std::min(begin + kBlock, count);
    int32_t outside = 0;  // in one go, so that compilers use vectors
    for (size_t i = begin; i < end; ++i) {
      outside |= static_cast<int32_t>(!(values[i] > low)) | static_cast<int32_t>(!(values[i] < high));
    }
    if (outside == 0) continue;
    for (size_t i = begin; i < end; ++i) {
      if (!(values[i] > low && values[i] < high)) return static_cast<int64_t>(i);
    }
  }
  return -1;
}

}  // namespace mobilenetv2

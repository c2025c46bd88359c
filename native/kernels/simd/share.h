// How slices share work.
#pragma once

#include <cstdint>

namespace mobilenetv2 {

// Part [begin, end) of `count` pieces that slice number `slice` of `slices` does; parts differ by one piece at most.
struct Share {
  int32_t begin, end;
  constexpr Share(int32_t count, int32_t slice, int32_t slices)
      : begin(bound(count, slice, slices)), end(bound(count, slice + 1, slices)) {}

 private:
  static constexpr int32_t bound(int32_t count, int32_t slice, int32_t slices) {
    return static_cast<int32_t>(static_cast<int64_t>(count) * slice / slices);
  }
};

}  // namespace mobilenetv2

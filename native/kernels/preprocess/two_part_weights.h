// Weights of Pillow's filters in two parts, hi * 2^kLowBits + lo, each of which fits the 16 bits that instructions
// multiply. Include inside a target region.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mobilenetv2 {

// The part of a PillowDriver's filter that is about weights. `Filter`, which derives from it, makes it code of its
// instruction set alone.
template <class Filter, typename Part>
struct TwoPartWeights {
  static constexpr size_t kWeightBytes = 2 * sizeof(Part);
  static constexpr int kLowBits = 11;

  // As they are packed: Part hi[padded], lo[padded].
  struct Weights {
    const Part *hi, *lo;
    Weights(const uint8_t* packed, int32_t padded) : hi(reinterpret_cast<const Part*>(packed)), lo(hi + padded) {}
  };

  static void pack(const int32_t* weights, int32_t count, int32_t padded, uint8_t* out) {
    auto* hi = reinterpret_cast<Part*>(out);
    Part* lo = hi + padded;
    for (int32_t i = 0; i < padded; ++i) {
      const int32_t weight = i < count ? weights[i] : 0;
      hi[i] = static_cast<Part>(weight >> kLowBits);
      lo[i] = static_cast<Part>(weight & ((1 << kLowBits) - 1));
    }
  }
};

}  // namespace mobilenetv2

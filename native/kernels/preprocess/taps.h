// Which source pixels an output pixel reads, and with which weights: one axis at a time. Shared by all preprocess
// kernels, so that they differ in loops only. The order of operations decides the last bit: keep it, and compile
// without contraction of products and sums (-ffp-contract=off).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/preprocess/preprocess.h"

namespace mobilenetv2 {

// Pillow's triangle filter along one axis. Weights are fixed point with kWeightBits fractional bits.
inline constexpr int kWeightBits = 32 - 8 - 2;
inline constexpr int32_t kRoundWeight = 1 << (kWeightBits - 1);  // half of one

struct TriangleFilter {
  double scale;    // source pixels per output pixel
  double support;  // half the filter's width in source pixels; at least 1, which is plain interpolation
  int32_t source_size;

  TriangleFilter(int32_t source, int32_t resized)
      : scale(static_cast<double>(source) / resized), support(std::max(scale, 1.0)), source_size(source) {}

  // The most taps an output pixel can have.
  int32_t max_taps() const { return std::min(static_cast<int32_t>(std::ceil(support)) * 2 + 1, source_size); }

  // Source pixels [begin, end) of output pixel `index`: those whose centre lies under the triangle, to half a pixel.
  struct Span {
    int32_t begin, end;
  };
  double centre(int32_t index) const { return (index + 0.5) * scale; }
  Span span(int32_t index) const {
    const double c = centre(index);
    return {std::max(static_cast<int32_t>(c - support + 0.5), 0),
            std::min(static_cast<int32_t>(c + support + 0.5), source_size)};
  }

  // Writes end - begin weights; they sum to 2^kWeightBits but for rounding.
  void weights(int32_t index, Span span, int32_t* out) const {
    const double c = centre(index), inverse = 1.0 / support;
    auto triangle = [&](int32_t i) {
      const double distance = std::fabs((i - c + 0.5) * inverse);
      return distance < 1.0 ? 1.0 - distance : 0.0;
    };
    double sum = 0;
    for (int32_t i = span.begin; i < span.end; ++i) sum += triangle(i);
    for (int32_t i = span.begin; i < span.end; ++i)
      *out++ = static_cast<int32_t>(0.5 + triangle(i) / sum * (1 << kWeightBits));
  }
};

// The two taps of plain bilinear interpolation: value = lower + (upper - lower) * fraction.
template <typename Real>
struct Tap2 {
  int32_t lower, upper;
  Real fraction;
};

template <typename Real>
Tap2<Real> tap_at(Real at, int32_t source) {
  const Real floor = std::floor(at);
  return {std::clamp(static_cast<int32_t>(floor), 0, source - 1),
          std::clamp(static_cast<int32_t>(std::ceil(at)), 0, source - 1), at - floor};
}

// As TensorFlow has it, all in float32.
inline Tap2<float> half_pixel_tap(int32_t index, int32_t source, int32_t resized) {
  const float scale = static_cast<float>(source) / static_cast<float>(resized);
  return tap_at((static_cast<float>(index) + 0.5f) * scale - 0.5f, source);
}

// As TensorFlow.js has it, in double. A resized side of 1 takes the first pixel.
inline Tap2<double> align_corners_tap(int32_t index, int32_t source, int32_t resized) {
  return tap_at(resized > 1 ? static_cast<double>(source - 1) / (resized - 1) * index : 0.0, source);
}

// Channels that are resized: alpha is not.
inline int32_t colour_channels(const PreprocessArgs& args) { return args.channels == 1 ? 1 : 3; }

constexpr size_t align64(size_t bytes) { return (bytes + 63) / 64 * 64; }

inline const uint8_t* box_row(const PreprocessArgs& args, int32_t y) {
  const size_t index = static_cast<size_t>(args.box_y + y) * static_cast<size_t>(args.width);
  return args.pixels + (index + static_cast<size_t>(args.box_x)) * static_cast<size_t>(args.channels);
}

// Index of the first value of an output row.
inline size_t output_row(const PreprocessArgs& args, int32_t y) {
  return static_cast<size_t>(y) * static_cast<size_t>(args.out_width) * 3;
}

// The two-tap resizes keep the taps of all output columns.
inline size_t two_taps_scratch_bytes(const PreprocessArgs& args) {
  const size_t tap = args.resize == Resize::half_pixel ? sizeof(Tap2<float>) : sizeof(Tap2<double>);
  return align64(static_cast<size_t>(args.out_width) * tap);
}

}  // namespace mobilenetv2

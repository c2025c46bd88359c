// Requantisation of a panel of channels: y = clamp(zero_point + mbqm(acc, multiplier, shift)), exact for every
// accumulator. Two forms: `full` repeats the fixed-point arithmetic; the fast one is one fused multiply-add in float,
// used only where pack time proved it equal at every step of the output over the accumulators the channel can reach.
// The few accumulators next to a step where float falls on the wrong side are moved away from it first (patches).
// Include inside a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/op.h"
#include "core/quantization.h"

namespace mobilenetv2::qu8 {

// How a vector of channels is requantised.
enum class Form : int32_t {
  fast,  // float, after the patches
  full,  // fixed point
};

// Heads every packed panel: then the vectors below, then the weights.
struct PanelHeader {
  Form form[2];         // per vector
  int32_t patches[2];   // per vector, of the fast form
  int32_t extra_steps;  // multiply-accumulate steps that hold what of the weights s8 could not
  int32_t extra_first;  // index of the first of them
  int32_t reserved[10];

  bool is_fast() const { return form[0] == Form::fast && form[1] == Form::fast; }
  bool is_patched() const { return patches[0] + patches[1] != 0; }
};

// See simd/arm_qu8_requantize.h for V::kFixedPoint.
template <class V, bool kFixedPoint = V::kFixedPoint>
struct Requantize {
  using Int = typename V::Int;
  using Float = typename V::Float;
  static constexpr int kVectorBytes = sizeof(Int);

  // Most patches of a channel. In published models one channel in a hundred needs one, one in a thousand more than two.
  static constexpr int kMaxPatches = 4;
  // The per channel constants of a panel, two vectors each, in the order of the accumulators' words. The fast and the
  // full form share room.
  enum Row {
    kBias,
    kScale,
    kOffset,
    kPatchAt,
    kPatchBy = kPatchAt + kMaxPatches,
    kRows = kPatchBy + kMaxPatches,
    kMultiplier = kScale,
    kLeft,
    kRight,
  };
  static constexpr size_t kHeaderBytes = sizeof(PanelHeader) + kRows * 2 * kVectorBytes;

  static const uint8_t* vector(const uint8_t* panel, int row, int v) {
    return panel + sizeof(PanelHeader) + (2 * row + v) * kVectorBytes;
  }
  static Int constant(const uint8_t* panel, int row, int v) { return V::load(vector(panel, row, v)); }
  static Float float_constant(const uint8_t* panel, int row, int v) { return V::load_float(vector(panel, row, v)); }

  // mbqm, full. `left` and `right` are max(shift, 0) and max(-shift, 0) <= 31.
  static Int full(Int x, Int multiplier, Int left, Int right) {
    Int shifted = V::shift_left(x, left);
    const Int fits = V::equal(V::shift_right(shifted, left), x);
    shifted = V::select(fits, shifted, V::sub(V::set(kInt32Max), V::sign_mask(x)));  // saturated: MAX, or MAX + 1 = MIN
    const Int half = V::set64(1 << 30);
    const Int product = V::high_multiply(shifted, multiplier, V::odd_words(multiplier), half, half);
    // Halves away from zero, without the overflow that adding half first could have.
    const Int mask = V::sub(V::shift_left(V::set(1), right), V::set(1));
    const Int remainder = V::bit_and(product, mask);
    const Int threshold = V::sub(V::shift_right(mask, V::set(1)), V::sign_mask(product));
    return V::sub(V::shift_right(product, right), V::greater(remainder, threshold));
  }

  // Whether one of the vector's accumulators is exceptional.
  template <class... Acc>
  [[gnu::always_inline]] static bool meets_patch(const uint8_t* panel, int v, const Acc&... acc) {
    const int32_t patches = reinterpret_cast<const PanelHeader*>(panel)->patches[v];
    bool any = false;
#pragma GCC unroll 1
    for (int32_t i = 0; i < patches; ++i) any |= V::any_equal(constant(panel, kPatchAt + i, v), acc...);
    return any;
  }

  // Outputs that stay on the positive side (ReLU6: min_q >= zero point). The offset holds the zero point.
  static Int fast_positive(Int acc, Float scale, Float offset) {
    return V::to_int(V::fma(V::to_float(acc), scale, offset));
  }
  // Outputs of either sign, before the zero point: halves go away from zero, so the offset follows the sign.
  static Int fast_signed(Int acc, Float scale, Float offset) {
    return V::to_int(V::fma(V::to_float(acc), scale, V::with_sign(offset, acc)));
  }

  // Of the fast form: exceptional accumulators moved to where float is right.
  static Int patched(const uint8_t* panel, int v, Int acc) {
    const int32_t patches = reinterpret_cast<const PanelHeader*>(panel)->patches[v];
#pragma GCC unroll 1
    for (int32_t i = 0; i < patches; ++i) {
      const Int hit = V::equal(acc, constant(panel, kPatchAt + i, v));
      acc = V::add(acc, V::bit_and(hit, constant(panel, kPatchBy + i, v)));
    }
    return acc;
  }

  // An accumulator of vector v by whatever form the panel has for it, with the zero point when positive.
  static Int any(const uint8_t* panel, int v, int32_t zero_point, bool positive, Int acc) {
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    if (header->form[v] == Form::full) {
      const Int multiplier = constant(panel, kMultiplier, v);
      const Int y = full(acc, multiplier, constant(panel, kLeft, v), constant(panel, kRight, v));
      return positive ? V::add(y, V::set(zero_point)) : y;
    }
    acc = patched(panel, v, acc);
    const Float scale = float_constant(panel, kScale, v), offset = float_constant(panel, kOffset, v);
    return positive ? fast_positive(acc, scale, offset) : fast_signed(acc, scale, offset);
  }
};

// Whether outputs have limits beyond what packing to bytes gives them.
inline bool clamps(const Conv& conv) { return conv.min_q > 0 || conv.max_q < 255; }

// Whether outputs stay on the positive side. The fixed point has no constant that could hold the zero point.
template <class V>
bool is_positive(const Conv& conv) {
  return V::kFixedPoint ? conv.output_zero_point == 0 : conv.min_q >= conv.output_zero_point;
}

}  // namespace mobilenetv2::qu8

// Requantisation on ARM, whose instructions round as the fixed-point form asks: SQRDMULH is the first rounding, SRSHL
// the second one, but for halves below zero, which one is subtracted for. Nothing is to be proved when packing.
// Include inside a NEON target region; V is a vector type of simd/arm_qu8_*.h.
#pragma once

#include "kernels/simd/qu8_pack.h"

namespace mobilenetv2::qu8 {

// The fast form is for vectors of channels without left shifts, full for any.
template <class V>
struct Requantize<V, true> {
  using Int = typename V::Int;
  static constexpr int kVectorBytes = sizeof(Int);

  // kOffset holds right shifts, negative as SRSHL takes them.
  enum Row { kBias, kScale, kOffset, kLeft, kRows, kMultiplier = kScale, kRight = kOffset };
  static constexpr size_t kHeaderBytes = sizeof(PanelHeader) + kRows * 2 * kVectorBytes;

  static const uint8_t* vector(const uint8_t* panel, int row, int v) {
    return panel + sizeof(PanelHeader) + (2 * row + v) * kVectorBytes;
  }
  static Int constant(const uint8_t* panel, int row, int v) { return V::load(vector(panel, row, v)); }
  static Int float_constant(const uint8_t* panel, int row, int v) { return constant(panel, row, v); }

  static Int full(Int x, Int multiplier, Int left, Int right) {
    return fast_signed(vqshlq_s32(x, left), multiplier, right);
  }
  // What full does first, for all accumulators [pixel][vector] of a panel.
  template <int kVectors>
  [[gnu::always_inline]] static void shift_left(const uint8_t* panel, Int* acc, int pixels) {
#pragma GCC unroll 32
    for (int i = 0; i < kVectors * pixels; ++i) acc[i] = vqshlq_s32(acc[i], constant(panel, kLeft, i % kVectors));
  }
  template <class... Acc>
  static bool meets_patch(const uint8_t*, int, const Acc&...) {
    return false;  // the fast form has no exceptions
  }
  static Int patched(const uint8_t*, int, Int acc) { return acc; }

  // Outputs that the clamp keeps from going below zero, where the roundings of halves differ.
  static Int fast_positive(Int acc, Int multiplier, Int right) {
    return vrshlq_s32(vqrdmulhq_s32(acc, multiplier), right);
  }
  static Int fast_signed(Int acc, Int multiplier, Int right) {
    const Int product = vqrdmulhq_s32(acc, multiplier);  // never the least s32: the multiplier is positive
    return vrshlq_s32(vsraq_n_s32(product, vandq_s32(product, right), 31), right);
  }

  // An accumulator of vector v, before the zero point (which is 0 when positive).
  static Int any(const uint8_t* panel, int v, int32_t, bool, Int acc) {
    return full(acc, constant(panel, kMultiplier, v), constant(panel, kLeft, v), constant(panel, kRight, v));
  }

  // Header and constants of panel p. `sums(o)` gives a channel's WeightSums.
  template <class Sums>
  static void pack(const Conv& conv, int32_t p, Shape shape, uint8_t* panel, const Sums& sums) {
    auto* header = reinterpret_cast<PanelHeader*>(panel);
    for (int v = 0; v < vectors_of(shape); ++v) {
      const auto row = [&](Row r) { return reinterpret_cast<int32_t*>(const_cast<uint8_t*>(vector(panel, r, v))); };
      header->form[v] = Form::fast;
      for (int w = 0; w < V::kWords; ++w) {
        const int channel = word_channel<V>(shape, v, w);
        const int32_t o = p * kPanel<V> + channel;
        if (channel >= kPanel<V> || o >= conv.out_channels) continue;
        const WeightSums s = sums(o);
        // Flipped activations are less by kFlip.
        row(kBias)[w] = conv.bias_q[o] + (V::kFlip - conv.input_zero_point) * (s.positive + s.negative);
        row(kMultiplier)[w] = conv.multipliers[o];
        row(kLeft)[w] = std::max(conv.shifts[o], 0);
        row(kRight)[w] = std::min(conv.shifts[o], 0);
        if (conv.shifts[o] > 0) header->form[v] = Form::full;
      }
    }
  }
};

}  // namespace mobilenetv2::qu8

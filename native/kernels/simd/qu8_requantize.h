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

  // An accumulator of vector v by whatever form the panel has for it, with the zero point when positive.
  static Int any(const uint8_t* panel, int v, int32_t zero_point, bool positive, Int acc) {
    const auto* header = reinterpret_cast<const PanelHeader*>(panel);
    if (header->form[v] == Form::full) {
      const Int multiplier = constant(panel, kMultiplier, v);
      const Int y = full(acc, multiplier, constant(panel, kLeft, v), constant(panel, kRight, v));
      return positive ? V::add(y, V::set(zero_point)) : y;
    }
    for (int32_t i = 0; i < header->patches[v]; ++i) {
      const Int hit = V::equal(acc, constant(panel, kPatchAt + i, v));
      acc = V::add(acc, V::bit_and(hit, constant(panel, kPatchBy + i, v)));
    }
    const Float scale = float_constant(panel, kScale, v), offset = float_constant(panel, kOffset, v);
    return positive ? fast_positive(acc, scale, offset) : fast_signed(acc, scale, offset);
  }
};

// Whether outputs stay on the positive side. The fixed point has no constant that could hold the zero point.
template <class V>
bool is_positive(const Conv& conv) {
  return V::kFixedPoint ? conv.output_zero_point == 0 : conv.min_q >= conv.output_zero_point;
}

// One vector of channels while packing; words without a channel have multiplier 0, and those a harmless shift.
template <class V>
struct ChannelVector {
  alignas(64) int32_t multiplier[V::kWords] = {};
  alignas(64) int32_t left[V::kWords] = {};
  alignas(64) int32_t right[V::kWords] = {};
  alignas(64) int32_t low[V::kWords] = {};  // least and largest accumulator
  alignas(64) int32_t high[V::kWords] = {};
};

// The constants of the fast form of a vector of channels. A patch moves the accumulator `at` by one; what stands for
// none is out of reach.
template <class V>
struct FastForm {
  FastForm() { std::fill_n(patch_at[0], kMaxPatches * V::kWords, kInt32Min); }

  static constexpr int kMaxPatches = Requantize<V>::kMaxPatches;
  alignas(64) float scale[V::kWords];
  alignas(64) float offset[V::kWords];
  alignas(64) int32_t patch_at[kMaxPatches][V::kWords];
  alignas(64) int32_t patch_by[kMaxPatches][V::kWords] = {};
  int32_t patches = 0;  // of the channel with most
};

// Looks for the fast form of one vector of channels and proves it. The outputs and the fast form are both monotone in
// the accumulator, so equality at the range's ends and on both sides of every threshold (the least accumulator whose
// output is k, for each k) is equality everywhere. Where float errs at a threshold t or at t - 1 but not at the next
// accumulator away from it, that one is exceptional and takes the next one's place.
template <class V>
class RequantizeProof {
  using Int = typename V::Int;
  using Float = typename V::Float;
  using R = Requantize<V>;

 public:
  RequantizeProof(const ChannelVector<V>& channels, const Conv& conv)
      : channels_(channels),
        zero_(conv.output_zero_point),
        min_(conv.min_q - zero_),
        max_(conv.max_q - zero_),
        positive_(is_positive<V>(conv)),
        thorough_(conv.out_channels <= kFewChannels) {}

  // False: some channel has no fast form.
  bool find(FastForm<V>* form) {
    start();
    list_thresholds();
    std::fill(fewest_, fewest_ + V::kWords, kNever);
    constexpr int kUlps[] = {0, 1, -1, 2, -2, 3, -3, 4, -4};
    constexpr float kPlaces[] = {0.5f, 0.25f, 0.75f};
    for (int ulps : kUlps) {
      bound(ulps);
      // Rounding of the sum is wider than what the thresholds leave: places beside the middle may be luckier.
      for (bool low_given_up : {false, true}) {
        for (float place : kPlaces) {
          propose(low_given_up, place);
          verify();
          if (keep_best(form)) return true;
        }
        if (!excluded_) break;
      }
      // An exception or two per channel cost less than the search, but where channels are few, maps are large.
      if (!thorough_ && form->patches < std::abs(ulps)) break;
    }
    return form->patches <= R::kMaxPatches && list_patches(form);
  }

 private:
  // Whether every channel is free of exceptions.
  bool keep_best(FastForm<V>* form) {
    form->patches = 0;
    for (int i = 0; i < V::kWords; ++i) {
      if (exceptions_[i] < fewest_[i]) {
        fewest_[i] = exceptions_[i];
        form->scale[i] = scale_[i];
        form->offset[i] = offset_[i];
      }
      form->patches = std::max(form->patches, fewest_[i]);
    }
    return form->patches == 0;
  }

  static constexpr int32_t kMaxRight = 20, kMaxLeft = 8;  // thresholds stay far inside 32 bits
  static constexpr int32_t kNever = kInt32Max;
  static constexpr int32_t kFewChannels = 192;
  static constexpr int32_t kLeastStep = 4;  // between thresholds, for patches to stay clear of one another

  bool in_reach(int i) const {
    return channels_.multiplier[i] >= (1 << 30) && channels_.right[i] <= kMaxRight && channels_.left[i] <= kMaxLeft;
  }

  int32_t output(int i, int32_t acc) const {
    const int32_t y = mbqm(acc, channels_.multiplier[i], channels_.left[i] - channels_.right[i]);
    return std::clamp(y, min_, max_);
  }

  // Per channel: the ends' outputs, the real multiplier, and for the two walks (k = 1, 2, ... and k = 0, -1, ...) the
  // first threshold with its slack, the steps from one to the next.
  void start() {
    for (int i = 0; i < V::kWords; ++i) {
      low_output_[i] = output(i, channels_.low[i]);
      high_output_[i] = output(i, channels_.high[i]);
      constant_[i] = low_output_[i] == high_output_[i];
      const bool usable = in_reach(i);
      const int32_t m = usable ? channels_.multiplier[i] : (1 << 30);
      const int32_t shift = usable ? channels_.right[i] - channels_.left[i] : 0;
      const double unit = 1.0 / static_cast<double>(int64_t{1} << (31 + shift));
      real_[i] = m * unit;
      // Output k is reached from x m >= k D - D/2 - e on when k > 0, k D - D/2 + e when k <= 0: the first rounding is
      // half upwards, the second half away from zero.
      const int64_t d = int64_t{1} << (31 + shift), e = shift >= 1 ? int64_t{1} << 30 : 0;
      first_rounding_[i] = shift >= 1 ? static_cast<float>(unit * (1 << 30)) : 0.0f;
      step_[i] = static_cast<int32_t>(d / m);
      step_slack_[i] = static_cast<int32_t>(d % m);
      multiplier_[i] = m;
      unit_[i] = static_cast<float>(unit);
      ceil_divide(d / 2 - e, m, &up_[i], &up_slack_[i]);
      ceil_divide(-(d / 2) + e, m, &down_[i], &down_slack_[i]);
    }
  }

  // t = ceil(number / m) and t m - number.
  static void ceil_divide(int64_t number, int32_t m, int32_t* t, int32_t* slack) {
    int64_t q = number / m;
    if (q * m < number) ++q;
    *t = static_cast<int32_t>(q);
    *slack = static_cast<int32_t>(q * m - number);
  }

  void add_threshold(int32_t k, Int t, Int slack) {
    V::store(threshold_[count_], t);
    V::store_float(slack_[count_], V::mul(V::to_float(slack), V::load_float(unit_)));
    output_[count_++] = k;
  }

  void list_thresholds() {
    const Int step = V::load(step_), step_slack = V::load(step_slack_), m = V::load(multiplier_);
    Int t = V::load(up_), slack = V::load(up_slack_);
    count_ = 0;
    for (int32_t k = 1; k <= max_; ++k) {
      if (k > min_) add_threshold(k, t, slack);
      t = V::add(t, step);  // the next number is D = step m + step_slack further up
      slack = V::sub(slack, step_slack);
      const Int negative = V::sign_mask(slack);
      t = V::sub(t, negative);
      slack = V::add(slack, V::bit_and(negative, m));
    }
    t = V::load(down_);
    slack = V::load(down_slack_);
    for (int32_t k = 0; k > min_; --k) {
      if (k <= max_) add_threshold(k, t, slack);
      t = V::sub(t, step);
      slack = V::add(slack, step_slack);  // may pass m, but stays below 2 m < 2^32: compare without overflow
      const Int over = V::greater(V::set(0), V::sub(V::sub(m, V::set(1)), slack));
      t = V::add(t, over);
      slack = V::sub(slack, V::bit_and(over, m));
    }
  }

  // -1 for channels where a threshold lies among the reachable accumulators.
  Int reachable(Int t) const {
    const Int low = V::load(channels_.low), high = V::load(channels_.high);
    return V::sub(V::greater(t, low), V::bit_and(V::greater(t, low), V::greater(t, high)));
  }

  // scale = the real multiplier + ulps, and the offsets that the thresholds, or all but one of them, allow.
  void bound(int ulps) {
    for (int i = 0; i < V::kWords; ++i) {
      const float nearest = static_cast<float>(real_[i]);
      scale_[i] = nearest + static_cast<float>(ulps) * std::ldexp(1.0f, std::ilogb(nearest) - 23);
      error_[i] = static_cast<float>(scale_[i] - real_[i]);
      real_float_[i] = nearest;
    }
    const Float error = V::load_float(error_), real = V::load_float(real_float_);
    // The two highest lower bounds and the two lowest upper bounds: where the extreme ones exclude each other, giving
    // up one makes one exception.
    const Float none_least = V::sub(V::set_float(0), real), none_most = real;
    Float least = none_least, second_least = none_least, most = none_most, second_most = none_most;
    for (int n = 0; n < count_; ++n) {
      const Int t = V::load(threshold_[n]);
      // How far the product lies beyond the threshold at t; at t - 1 it is `real` less.
      const Float beyond = V::fma(V::to_float(t), error, V::load_float(slack_[n]));
      const bool up = output_[n] > 0;
      const Int in = reachable(t);
      const auto bound = [&](Float x, Float none) { return V::as_float(V::select(in, V::as_int(x), V::as_int(none))); };
      const Float lower = bound(up ? V::sub(V::set_float(0), beyond) : V::sub(beyond, real), none_least);
      const Float upper = bound(up ? V::sub(real, beyond) : beyond, none_most);
      second_least = V::max(second_least, V::min(least, lower));
      least = V::max(least, lower);
      second_most = V::min(second_most, V::max(most, upper));
      most = V::min(most, upper);
    }
    V::store_float(bounds_[0][0], least);
    V::store_float(bounds_[1][0], second_least);
    V::store_float(bounds_[1][1], most);
    V::store_float(bounds_[0][1], second_most);
    excluded_ = false;
    for (int i = 0; i < V::kWords; ++i) {
      if (bounds_[0][0][i] > bounds_[1][1][i]) {
        excluded_ = excluded_ || fewest_[i] > 0;
      } else {  // nothing to give up
        bounds_[0][1][i] = bounds_[1][1][i];
        bounds_[1][0][i] = bounds_[0][0][i];
      }
    }
  }

  // The offset at `place` between the bounds; where they exclude each other, without a lower bound when `low_given_up`.
  void propose(bool low_given_up, float place) {
    const auto& interval = bounds_[low_given_up];
    for (int i = 0; i < V::kWords; ++i) {
      offset_[i] = first_rounding_[i] + interval[0][i] + (interval[1][i] - interval[0][i]) * place;
      if (constant_[i]) {
        scale_[i] = 0;
        offset_[i] = static_cast<float>(positive_ ? low_output_[i] : std::abs(low_output_[i]));
      }
      if (positive_) {
        offset_[i] += static_cast<float>(zero_);
      } else {
        offset_[i] = std::max(offset_[i], 0.0f);
      }
    }
  }

  // The fast form less the zero point.
  Int fast(Int acc) const {
    const Float scale = V::load_float(scale_), offset = V::load_float(offset_);
    if (positive_) return V::sub(R::fast_positive(acc, scale, offset), V::set(zero_));
    return R::fast_signed(acc, scale, offset);
  }

  Int clamped(Int y) const { return V::min(V::max(y, V::set(min_)), V::set(max_)); }

  // +1 where the fast form falls short at threshold t of output k, -1 where it goes too far at t - 1.
  Int exception(Int t, Int k) const {
    const Int at = V::greater(k, fast(t)), before = V::greater(fast(V::sub(t, V::set(1))), V::sub(k, V::set(1)));
    return V::bit_and(V::sub(before, at), reachable(t));
  }

  // Counts each channel's exceptions.
  void verify() {
    Int good = V::equal(clamped(fast(V::load(channels_.low))), V::load(low_output_));
    good = V::bit_and(good, V::equal(clamped(fast(V::load(channels_.high))), V::load(high_output_)));
    Int count = V::set(0);
    for (int n = 0; n < count_; ++n) {
      const Int by = exception(V::load(threshold_[n]), V::set(output_[n]));
      count = V::add(count, V::bit_and(by, V::set(1)));
    }
    alignas(64) int32_t ends[V::kWords];
    V::store(ends, good);
    V::store(exceptions_, count);
    for (int i = 0; i < V::kWords; ++i) {
      // A constant needs only its ends; other channels out of reach have no listed thresholds to rely on.
      if (constant_[i]) exceptions_[i] = 0;
      if (ends[i] == 0 || (!constant_[i] && !in_reach(i))) exceptions_[i] = kNever;
      if (exceptions_[i] != 0 && step_[i] < kLeastStep) exceptions_[i] = kNever;
    }
  }

  // Exceptions become patches. False: the next accumulator would be wrong, too.
  bool list_patches(FastForm<V>* form) {
    std::copy(form->scale, form->scale + V::kWords, scale_);
    std::copy(form->offset, form->offset + V::kWords, offset_);
    int32_t listed[V::kWords] = {};
    for (int n = 0; n < count_; ++n) {
      const Int t = V::load(threshold_[n]), k = V::set(output_[n]);
      alignas(64) int32_t by[V::kWords], above[V::kWords], below[V::kWords];
      V::store(by, exception(t, k));
      V::store(above, V::greater(k, fast(V::add(t, V::set(1)))));
      V::store(below, V::greater(fast(V::sub(t, V::set(2))), V::sub(k, V::set(1))));
      for (int i = 0; i < V::kWords; ++i) {
        if (constant_[i] || by[i] == 0) continue;
        if (by[i] > 0 ? above[i] != 0 : below[i] != 0) return false;
        form->patch_at[listed[i]][i] = threshold_[n][i] - (by[i] < 0 ? 1 : 0);
        form->patch_by[listed[i]++][i] = by[i];
      }
    }
    return true;
  }

  const ChannelVector<V>& channels_;
  const int32_t zero_, min_, max_;
  const bool positive_, thorough_;
  bool constant_[V::kWords];
  double real_[V::kWords];
  alignas(64) int32_t low_output_[V::kWords], high_output_[V::kWords], multiplier_[V::kWords];
  alignas(64) int32_t step_[V::kWords], step_slack_[V::kWords];
  alignas(64) int32_t up_[V::kWords], up_slack_[V::kWords], down_[V::kWords], down_slack_[V::kWords];
  alignas(64) float unit_[V::kWords], error_[V::kWords], real_float_[V::kWords], first_rounding_[V::kWords];
  alignas(64) float scale_[V::kWords], offset_[V::kWords];
  alignas(64) int32_t exceptions_[V::kWords];
  alignas(64) float bounds_[2][2][V::kWords];  // least and most offset, without an upper bound or without a lower one
  bool excluded_ = false;                      // for some channel the extreme bounds exclude each other
  int32_t fewest_[V::kWords];
  alignas(64) int32_t threshold_[256][V::kWords];
  alignas(64) float slack_[256][V::kWords];
  int32_t output_[256];
  int32_t count_ = 0;
};

}  // namespace mobilenetv2::qu8

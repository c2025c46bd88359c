// The search for the fast form of requantisation (qu8_requantize.h) at pack time, and its proof. Include inside a
// target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/op.h"
#include "core/quantization.h"
#include "kernels/simd/qu8_requantize.h"

namespace mobilenetv2::qu8 {

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

// A sum becomes integer k from k - 1/2 on, but it is rounded to float before, and halves then go to the even integer.
// This moves the boundary by half a unit of the last place of k - 1/2: down for even k, else up.
struct BoundaryShifts {
  float of[257] = {};  // [k], k > 0

  constexpr BoundaryShifts() {
    float half_unit = 1.0f / (1 << 25);  // between 1/2 and 1
    for (int k = 1; k <= 256; ++k) {
      if (k > 1 && ((k - 1) & (k - 2)) == 0) half_unit *= 2;  // k - 1/2 is the first beyond a power of two
      of[k] = k % 2 == 0 ? -half_unit : half_unit;
    }
  }
};

// Looks for the fast form of one vector of channels and proves it. The outputs and the fast form are both monotone in
// the accumulator, so equality at the range's ends and on both sides of every threshold (the least accumulator whose
// output is k, for each k) is equality everywhere. Where float errs at a threshold t or at t - 1 but not at the next
// accumulator away from it, that one is exceptional and takes the next one's place.
//
// With a given scale, the offsets that a threshold allows begin at its bound and extend over one scale. So an offset
// suits all of them when the bounds lie within one scale.
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
        positive_(is_positive<V>(conv)) {}

  // False: some channel has no fast form.
  bool find(FastForm<V>* form) {
    start();
    list_thresholds();
    propose();
    return verify(form) && list_patches(form);
  }

 private:
  static constexpr int32_t kMaxRight = 20, kMaxLeft = 8;  // thresholds stay far inside 32 bits
  static constexpr int32_t kMaxThresholds = 256;
  static constexpr int32_t kLeastStep = 4;  // between thresholds, for patches to stay clear of one another
  static constexpr float kFar = 1e30f;      // from every bound
  static constexpr BoundaryShifts kShifts{};

  // The bounds of one channel's thresholds in reach, which depend on how far the scale is from the real multiplier.
  struct Bounds {
    alignas(64) float at_zero[kMaxThresholds], per_error[kMaxThresholds];
    int32_t count = 0;
    float at(int32_t n, float error) const { return at_zero[n] - per_error[n] * error; }
  };

  bool in_reach(int i) const {
    return channels_.multiplier[i] >= (1 << 30) && channels_.right[i] <= kMaxRight && channels_.left[i] <= kMaxLeft;
  }

  int32_t output(int i, int32_t acc) const {
    const int32_t y = mbqm(acc, channels_.multiplier[i], channels_.left[i] - channels_.right[i]);
    return std::clamp(y, min_, max_);
  }

  // Per channel: the ends' outputs, the real multiplier and the float next to it, and for the two walks (k = 1, 2, ...
  // and k = 0, -1, ...) the first threshold with its slack, the steps from one to the next.
  void start() {
    for (int i = 0; i < V::kWords; ++i) {
      low_output_[i] = output(i, channels_.low[i]);
      high_output_[i] = output(i, channels_.high[i]);
      constant_[i] = low_output_[i] == high_output_[i];
      const bool usable = in_reach(i);
      const int32_t m = usable ? channels_.multiplier[i] : (1 << 30);
      const int32_t shift = usable ? channels_.right[i] - channels_.left[i] : 0;
      const double unit = 1.0 / static_cast<double>(int64_t{1} << (31 + shift));
      // Output k is reached from x m >= k D - D/2 - e on when k > 0, k D - D/2 + e when k <= 0: the first rounding is
      // half upwards, the second half away from zero.
      const int64_t d = int64_t{1} << (31 + shift), e = shift >= 1 ? int64_t{1} << 30 : 0;
      half_step_[i] = d / 2;
      first_rounding_[i] = e;
      step_[i] = static_cast<int32_t>(d / m);
      step_slack_[i] = static_cast<int32_t>(d % m);
      multiplier_[i] = m;
      unit_[i] = static_cast<float>(unit);
      real_[i] = m * unit;
      scale_[i] = static_cast<float>(real_[i]);
      error_[i] = static_cast<float>(scale_[i] - real_[i]);
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

  // The integer whose boundary is met at the threshold of output k. Below zero the walk is the mirrored one: 1 - k is
  // reached at 1 - t.
  int32_t target(int32_t k) const { return k > 0 ? k + (positive_ ? zero_ : 0) : 1 - k; }

  // All thresholds, and the extremes of the bounds of those in reach with the nearest scale.
  void list_thresholds() {
    const Int step = V::load(step_), step_slack = V::load(step_slack_), m = V::load(multiplier_);
    Float most = V::set_float(-kFar), least = V::set_float(kFar);
    Int t = V::load(up_), slack = V::load(up_slack_);
    count_ = 0;
    for (int32_t k = 1; k <= max_; ++k) {
      if (k > min_) add_threshold(k, t, slack, &most, &least);
      t = V::add(t, step);  // the next number is D = step m + step_slack further up
      slack = V::sub(slack, step_slack);
      const Int negative = V::sign_mask(slack);
      t = V::sub(t, negative);
      slack = V::add(slack, V::bit_and(negative, m));
    }
    t = V::load(down_);
    slack = V::load(down_slack_);
    for (int32_t k = 0; k > min_; --k) {
      if (k <= max_) add_threshold(k, t, slack, &most, &least);
      t = V::sub(t, step);
      slack = V::add(slack, step_slack);  // may pass m, but stays below 2 m < 2^32: compare without overflow
      const Int over = V::greater(V::set(0), V::sub(V::sub(m, V::set(1)), slack));
      t = V::add(t, over);
      slack = V::sub(slack, V::bit_and(over, m));
    }
    V::store_float(most_, most);
    V::store_float(least_, least);
  }

  void add_threshold(int32_t k, Int t, Int slack, Float* most, Float* least) {
    // How far the product with the nearest scale lies beyond the threshold at t; at t - 1 it is a scale less.
    const Float beyond =
        V::fma(V::to_float(t), V::load_float(error_), V::mul(V::to_float(slack), V::load_float(unit_)));
    const Float distance = k > 0 ? beyond : V::sub(V::load_float(scale_), beyond);
    const Float bound = V::sub(V::set_float(kShifts.of[target(k)]), distance);
    const Int in = reachable(t);
    const auto if_in = [&](float other) {
      return V::as_float(V::select(in, V::as_int(bound), V::as_int(V::set_float(other))));
    };
    *most = V::max(*most, if_in(-kFar));
    *least = V::min(*least, if_in(kFar));
    V::store(threshold_[count_], t);
    output_[count_++] = k;
  }

  // -1 for channels where a threshold lies among the reachable accumulators.
  Int reachable(Int t) const {
    const Int low = V::load(channels_.low), high = V::load(channels_.high);
    return V::sub(V::greater(t, low), V::bit_and(V::greater(t, low), V::greater(t, high)));
  }

  // Scale and offset of every channel: the nearest scale, or what search() finds where that does not suit.
  void propose() {
    for (int i = 0; i < V::kWords; ++i) {
      if (constant_[i]) {
        scale_[i] = 0;
        offset_[i] = static_cast<float>(positive_ ? low_output_[i] : std::abs(low_output_[i]));
      } else {
        if (in_reach(i) && !(most_[i] < least_[i] + scale_[i])) search(i);
        offset_[i] = static_cast<float>(first_rounding_[i]) * unit_[i] + 0.5f * (most_[i] + (least_[i] + scale_[i]));
      }
      if (positive_) {
        offset_[i] += static_cast<float>(zero_);
      } else {
        offset_[i] = std::max(offset_[i], 0.0f);
      }
    }
  }

  // Tries the scales next to the nearest one for channel i. If none suits all thresholds, the one that comes nearest to
  // it does without a few of them.
  void search(int i) {
    Bounds bounds;
    gather(i, &bounds);
    const float nearest = scale_[i], unit = 128 * unit_[i];  // of the last place
    float best_error = error_[i], best = most_[i] - least_[i] - nearest;
    for (int ulps : {1, -1, 2, -2, 3, -3, 4, -4, 6, -6, 8, -8, 10, -10, 12, -12}) {
      const float scale = nearest + static_cast<float>(ulps) * unit;
      const auto error = static_cast<float>(scale - real_[i]);
      float most, least;
      extremes(bounds, error, &most, &least);
      if (most - least - scale >= best) continue;
      best = most - least - scale;
      best_error = error;
      scale_[i] = scale;
      most_[i] = most;
      least_[i] = least;
      if (best < 0) return;
    }
    give_up_few(i, bounds, best_error);
  }

  // Channel i's bounds side by side.
  void gather(int i, Bounds* bounds) const {
    for (int n = 0; n < count_; ++n) {
      const int32_t t = threshold_[n][i], k = output_[n];
      if (t <= channels_.low[i] || t > channels_.high[i]) continue;
      const int64_t at = k > 0 ? t : 1 - int64_t{t}, half_steps = k > 0 ? 2 * k - 1 : 1 - 2 * k;
      const int64_t slack = at * multiplier_[i] - (half_steps * half_step_[i] - first_rounding_[i]);
      bounds->at_zero[bounds->count] = kShifts.of[target(k)] - static_cast<float>(slack) * unit_[i];
      bounds->per_error[bounds->count++] = static_cast<float>(at);
    }
  }

  static void extremes(const Bounds& bounds, float error, float* most, float* least) {
    const Float errors = V::set_float(-error);
    Float highest = V::set_float(-kFar), lowest = V::set_float(kFar);
    int32_t n = 0;
    for (; n + V::kWords <= bounds.count; n += V::kWords) {
      const Float bound = V::fma(V::load_float(bounds.per_error + n), errors, V::load_float(bounds.at_zero + n));
      highest = V::max(highest, bound);
      lowest = V::min(lowest, bound);
    }
    alignas(64) float highs[V::kWords], lows[V::kWords];
    V::store_float(highs, highest);
    V::store_float(lows, lowest);
    *most = *std::max_element(highs, highs + V::kWords);
    *least = *std::min_element(lows, lows + V::kWords);
    for (; n < bounds.count; ++n) {
      *most = std::max(*most, bounds.at(n, error));
      *least = std::min(*least, bounds.at(n, error));
    }
  }

  // Leaves out as few as possible of the extreme bounds for the rest to lie within one scale.
  void give_up_few(int i, const Bounds& bounds, float error) {
    float values[kMaxThresholds];
    for (int32_t n = 0; n < bounds.count; ++n) values[n] = bounds.at(n, error);
    float highest[R::kMaxPatches + 1], lowest[R::kMaxPatches + 1];
    const int few = std::min(R::kMaxPatches + 1, bounds.count);
    std::partial_sort_copy(values, values + bounds.count, highest, highest + few,
                           [](float a, float b) { return a > b; });
    std::partial_sort_copy(values, values + bounds.count, lowest, lowest + few);
    for (int given_up = 1; given_up < few; ++given_up) {
      for (int high = 0; high <= given_up; ++high) {
        const int low = given_up - high;
        if (highest[high] >= lowest[low] + scale_[i]) continue;
        most_[i] = highest[high];
        least_[i] = lowest[low];
        return;
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

  // Counts the exceptions. False: some channel has more than patches, or errs elsewhere.
  bool verify(FastForm<V>* form) {
    Int good = V::equal(clamped(fast(V::load(channels_.low))), V::load(low_output_));
    good = V::bit_and(good, V::equal(clamped(fast(V::load(channels_.high))), V::load(high_output_)));
    Int count = V::set(0);
    for (int n = 0; n < count_; ++n) {
      const Int by = exception(V::load(threshold_[n]), V::set(output_[n]));
      count = V::add(count, V::bit_and(by, V::set(1)));
    }
    alignas(64) int32_t ends[V::kWords], exceptions[V::kWords];
    V::store(ends, good);
    V::store(exceptions, count);
    for (int i = 0; i < V::kWords; ++i) {
      if (ends[i] == 0) return false;
      // A constant needs only its ends; other channels out of reach have no listed thresholds to rely on.
      if (constant_[i]) continue;
      if (!in_reach(i) || (exceptions[i] != 0 && step_[i] < kLeastStep)) return false;
      form->patches = std::max(form->patches, exceptions[i]);
    }
    return form->patches <= R::kMaxPatches;
  }

  // Exceptions become patches. False: the next accumulator would be wrong, too.
  bool list_patches(FastForm<V>* form) {
    std::copy(scale_, scale_ + V::kWords, form->scale);
    std::copy(offset_, offset_ + V::kWords, form->offset);
    int32_t listed[V::kWords] = {};
    for (int n = 0; n < count_ && form->patches > 0; ++n) {
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
  const bool positive_;
  bool constant_[V::kWords];
  double real_[V::kWords];
  int64_t half_step_[V::kWords], first_rounding_[V::kWords];
  alignas(64) int32_t low_output_[V::kWords], high_output_[V::kWords], multiplier_[V::kWords];
  alignas(64) int32_t step_[V::kWords], step_slack_[V::kWords];
  alignas(64) int32_t up_[V::kWords], up_slack_[V::kWords], down_[V::kWords], down_slack_[V::kWords];
  alignas(64) float unit_[V::kWords], error_[V::kWords];
  alignas(64) float scale_[V::kWords], offset_[V::kWords];
  alignas(64) float most_[V::kWords], least_[V::kWords];  // of the bounds, less the first rounding
  alignas(64) int32_t threshold_[kMaxThresholds][V::kWords];
  int32_t output_[kMaxThresholds];
  int32_t count_ = 0;
};

}  // namespace mobilenetv2::qu8

// Packing of quantised convolutions into panels of channels. Include inside a target region; V is the vector type of
// simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/common.h"
#include "kernels/simd/qu8_requantize.h"

namespace mobilenetv2::qu8 {

// The order in which a product runs over its K channels: chunks of 8, then half chunks of 4 (see ATile).
struct KShape {
  int32_t chunks = 0, half_chunks = 0;
  int32_t channels() const { return 8 * chunks + 4 * half_chunks; }
};

template <class V>
constexpr int kPanel = 2 * V::kWords;

template <class V>
constexpr int kVectorBytes = 4 * V::kWords;

// K of a narrow tensor: plain order.
inline KShape plain_k(int32_t channels) { return {(channels + 7) / 8, 0}; }

// K of what the depthwise leaves: whole panels, and of a last one with a single vector the half chunks.
template <class V>
KShape depthwise_k(int32_t channels) {
  const int32_t rest = channels % kPanel<V>;
  if (rest == 0 || rest > V::kWords) return {(channels + 7) / 8, 0};
  return {(channels - rest) / 8, (rest + 3) / 4};
}

template <class V>
int32_t panel_count(int32_t channels) {
  return (channels + kPanel<V> - 1) / kPanel<V>;
}

// How the channels of a panel lie in its vectors. one: in a single vector, in order. two: a lane's eight channels are
// its four words of the first vector and its four of the second, so that packing words to bytes leaves them in order.
// one_and_half (17 ... 24 channels, where half vectors cost half): the same in the first half, then the first vector's.
enum Shape { kOne = 1, kTwo = 2, kOneAndHalf = 3 };

constexpr int vectors_of(Shape shape) { return shape == kOne ? 1 : 2; }

// The shape of panel p. Row pairs and A tiles know no half vectors.
template <class V>
Shape panel_shape(int32_t channels, int32_t p, bool may_halve) {
  const int32_t left = channels - p * kPanel<V>;
  if (left <= V::kWords) return kOne;
  return may_halve && V::kHasHalf && left <= V::kWords * 3 / 2 ? kOneAndHalf : kTwo;
}

// The channel in word w of vector v, counted from the panel's first; kPanel or more when the word has none.
template <class V>
constexpr int word_channel(Shape shape, int v, int w) {
  const int lane = w / 4, i = w % 4;
  if (shape == kOne) return w;
  if (shape == kTwo || lane < V::kLanes / 2) return 8 * lane + 4 * v + i;
  return v == 1 ? kPanel<V> : V::kWords / 2 + 4 * lane + i;
}

// w as a sum of s8: the clipped weight, and what is left of it for further steps.
template <class V>
int32_t weight_part(int32_t w, int part) {
  if (V::kWideWeights) return part == 0 ? w : 0;
  for (; part > 0; --part) w -= std::clamp(w, -128, 127);
  return std::clamp(w, -128, 127);
}

template <class V>
void store_weight(uint8_t* word, int i, int32_t w) {
  if (V::kWideWeights) {
    const auto wide = static_cast<int16_t>(w);
    std::memcpy(word + 2 * i, &wide, sizeof(wide));
  } else {
    word[i] = static_cast<uint8_t>(w);
  }
}

// Bias with the input zero point folded in, and the accumulators the channel can reach.
struct ChannelRange {
  int32_t bias, low, high;
};

// `weights` calls visit(w) for every weight of the channel.
template <class Weights>
ChannelRange channel_range(const Conv& conv, int32_t o, const Weights& weights) {
  int64_t bias = conv.bias_q[o], low = bias, high = bias;
  weights([&](int32_t w) {
    const int64_t from = -int64_t{conv.input_zero_point} * w, to = (255 - int64_t{conv.input_zero_point}) * w;
    bias += from;
    low += std::min(from, to);
    high += std::max(from, to);
  });
  return {static_cast<int32_t>(bias), static_cast<int32_t>(low), static_cast<int32_t>(high)};
}

// Header and constants of panel p. `range(o)` gives a channel's ChannelRange.
template <class V, class Range>
void pack_constants(const Conv& conv, int32_t p, Shape shape, uint8_t* panel, const Range& range) {
  using R = Requantize<V>;
  auto* header = reinterpret_cast<PanelHeader*>(panel);
  for (int v = 0; v < vectors_of(shape); ++v) {
    ChannelVector<V> channels;
    const auto row = [&](typename R::Row r) { return const_cast<uint8_t*>(R::vector(panel, r, v)); };
    auto* bias = reinterpret_cast<int32_t*>(row(R::kBias));
    for (int w = 0; w < V::kWords; ++w) {
      const int channel = word_channel<V>(shape, v, w);
      const int32_t o = p * kPanel<V> + channel;
      if (channel >= kPanel<V> || o >= conv.out_channels) continue;
      const ChannelRange r = range(o);
      bias[w] = r.bias;
      channels.low[w] = r.low;
      channels.high[w] = r.high;
      if (conv.multipliers[o] == 0) continue;
      channels.multiplier[w] = conv.multipliers[o];
      channels.left[w] = std::max(conv.shifts[o], 0);
      channels.right[w] = std::max(-conv.shifts[o], 0);
    }
    std::memcpy(row(R::kMultiplier), channels.multiplier, kVectorBytes<V>);
    std::memcpy(row(R::kLeft), channels.left, kVectorBytes<V>);
    std::memcpy(row(R::kRight), channels.right, kVectorBytes<V>);
    auto* round_even = reinterpret_cast<int64_t*>(row(R::kRoundEven));
    auto* round_odd = reinterpret_cast<int64_t*>(row(R::kRoundOdd));
    for (int w = 0; w < V::kWords; ++w) (w % 2 == 0 ? round_even : round_odd)[w / 2] = channels.rounding(w);
    RequantizeProof<V> proof(channels, conv);
    const bool fast = proof.find(reinterpret_cast<float*>(row(R::kScale)), reinterpret_cast<float*>(row(R::kOffset)));
    header->can_shift[v] = channels.can_shift();
    header->form[v] = fast ? Form::fast : header->can_shift[v] ? Form::shifted : Form::full;
  }
}

// A convolution as a matrix product, panel after panel, each: header, constants, one weight vector (or two) per step
// of V::kGroup channels. `order` maps an index of the product's K to the weight's place among the channel's weights, or
// to one beyond where there is none; plain by default.
template <class V>
class ProductPacking {
 public:
  using Order = int32_t (*)(int32_t);
  ProductPacking(const Conv& conv, KShape k, bool may_halve, Order order = plain)
      : conv_(conv), k_(k), may_halve_(may_halve), order_(order) {}

  static int32_t plain(int32_t i) { return i; }

  // Bytes of all panels: with extra steps only where weights do not fit s8.
  size_t bytes() const { return extra_offset() + extra_steps_before(panel_count<V>(conv_.out_channels)) * kExtraBytes; }

  void pack(uint8_t* packed) const {
    int32_t extra_first = 0;
    for (int32_t p = 0; p < panel_count<V>(conv_.out_channels); ++p) {
      uint8_t* panel = packed + p * full_panel_bytes(k_);
      pack_constants<V>(conv_, p, shape(p), panel, [&](int32_t o) {
        return channel_range(conv_, o, [&](const auto& visit) {
          for (int32_t i = 0; i < per_channel(); ++i) visit(weight(o, i));
        });
      });
      auto* header = reinterpret_cast<PanelHeader*>(panel);
      header->extra_first = extra_first;
      for (int32_t s = 0; s < steps(k_); ++s) pack_step(p, s, 0, weights(panel, s, vectors_of(shape(p))));
      for_each_extra(p, [&](int32_t step, int part) {
        uint8_t* extra = packed + extra_offset() + extra_first++ * kExtraBytes;
        const int32_t offset = a_offset(k_, step);
        std::memcpy(extra, &offset, sizeof(offset));
        pack_step(p, step, part, extra + kAlignment);
        ++header->extra_steps;
      });
    }
  }

  static int32_t steps(KShape k) { return k.channels() / V::kGroup; }
  static size_t full_panel_bytes(KShape k) {
    return Requantize<V>::kHeaderBytes + static_cast<size_t>(steps(k)) * 2 * kVectorBytes<V>;
  }
  size_t extra_offset() const { return panel_count<V>(conv_.out_channels) * full_panel_bytes(k_); }

  // Offset, then the step's two vectors.
  static constexpr size_t kExtraBytes = kAlignment + 2 * kVectorBytes<V>;

  // Where a step's channels lie in an A tile.
  static int32_t a_offset(KShape k, int32_t step) {
    constexpr int32_t kPerChunk = 8 / V::kGroup, kPerHalf = 4 / V::kGroup;
    int32_t chunk = step / kPerChunk, within = step % kPerChunk;
    if (chunk >= k.chunks) {
      chunk = k.chunks + (step - k.chunks * kPerChunk) / kPerHalf;
      within = (step - k.chunks * kPerChunk) % kPerHalf;
    }
    return (chunk / V::kLanes) * V::kTileCols * V::kColBytes + (chunk % V::kLanes) * (V::kColBytes / V::kLanes) +
           4 * within;
  }

 private:
  Shape shape(int32_t p) const { return panel_shape<V>(conv_.out_channels, p, may_halve_); }
  int32_t per_channel() const { return conv_.kernel * conv_.kernel * conv_.in_channels; }
  int32_t weight(int32_t o, int32_t i) const { return conv_.weight(int64_t{o} * per_channel() + i); }

  static uint8_t* weights(uint8_t* panel, int32_t step, int vectors) {
    return panel + Requantize<V>::kHeaderBytes + static_cast<size_t>(step) * vectors * kVectorBytes<V>;
  }

  // Calls visit(w, v, word, i) for the weights of a step.
  template <class Visit>
  void for_each_weight(int32_t p, int32_t step, const Visit& visit) const {
    const Shape panel = shape(p);
    for (int i = 0; i < V::kGroup; ++i) {
      const int32_t from = order_(step * V::kGroup + i);
      if (from >= per_channel()) continue;
      for (int v = 0; v < vectors_of(panel); ++v) {
        for (int w = 0; w < V::kWords; ++w) {
          const int channel = word_channel<V>(panel, v, w);
          const int32_t o = p * kPanel<V> + channel;
          if (channel < kPanel<V> && o < conv_.out_channels) visit(weight(o, from), v, w, i);
        }
      }
    }
  }

  void pack_step(int32_t p, int32_t step, int part, uint8_t* to) const {
    for_each_weight(p, step, [&](int32_t weight, int v, int word, int i) {
      store_weight<V>(to + v * kVectorBytes<V> + 4 * word, i, weight_part<V>(weight, part));
    });
  }

  template <class Visit>
  void for_each_extra(int32_t p, const Visit& visit) const {
    if (V::kWideWeights || conv_.weight_signed) return;
    for (int32_t s = 0; s < steps(k_); ++s) {
      int parts = 1;
      for_each_weight(p, s, [&](int32_t w, int, int, int) {
        while (weight_part<V>(w, parts) != 0) ++parts;
      });
      for (int part = 1; part < parts; ++part) visit(s, part);
    }
  }

  size_t extra_steps_before(int32_t panels) const {
    size_t count = 0;
    for (int32_t p = 0; p < panels; ++p) for_each_extra(p, [&](int32_t, int) { ++count; });
    return count;
  }

  const Conv& conv_;
  const KShape k_;
  const bool may_halve_;
  const Order order_;
};

}  // namespace mobilenetv2::qu8

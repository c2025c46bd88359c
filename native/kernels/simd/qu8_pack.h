// Packing of quantised convolutions into panels of channels. Include inside a target region; V is the vector type of
// simd/x86_qu8_*.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/common.h"
#include "kernels/simd/qu8_requantize_proof.h"

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
  if (rest == 0 || rest > V::kWords || V::kGroup == 8) return {(channels + 7) / 8, 0};
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
  if (left <= V::kWords && !V::kWholePanels) return kOne;
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
  for (; part > 0; --part) w -= std::clamp(w, V::kLeastWeight, 127);
  return std::clamp(w, V::kLeastWeight, 127);
}

// Whether the kind of weight alone says that none has a second part.
template <class V>
bool weights_are_whole(const Conv& conv) {
  return V::kWideWeights || (conv.weight_signed && V::kLeastWeight == -128);
}

// Weight i of a group of output w.
template <class V>
void store_weight(uint8_t* vector, int w, int i, int32_t weight) {
  if (V::kWideWeights) {
    const auto wide = static_cast<int16_t>(weight);
    std::memcpy(vector + 4 * w + 2 * i, &wide, sizeof(wide));
  } else {
    vector[V::weight_byte(w, i)] = static_cast<uint8_t>(weight);
  }
}

// Sums of a channel's positive and negative weights.
struct WeightSums {
  int32_t positive = 0, negative = 0;
  void add(int32_t w) {
    positive += std::max(w, 0);
    negative += std::min(w, 0);
  }
};

// Bias with the input zero point folded in, and the accumulators the channel can reach.
struct ChannelRange {
  int32_t bias, low, high;

  ChannelRange(const Conv& conv, int32_t o, WeightSums sums) {
    const int64_t least = -conv.input_zero_point, most = 255 - conv.input_zero_point;
    bias = static_cast<int32_t>(conv.bias_q[o] + least * sums.positive + least * sums.negative);
    low = static_cast<int32_t>(conv.bias_q[o] + least * sums.positive + most * sums.negative);
    high = static_cast<int32_t>(conv.bias_q[o] + most * sums.positive + least * sums.negative);
  }
};

// What a product's outputs become, which decides the form of its panels: rows of a narrow tensor may use half vectors;
// row pairs may not; the classifier's single pixel is not worth looking for fast forms.
enum class Use { rows, pairs, pixel };

// Where a product's inputs lie: in A tiles, or in a narrow tensor (see PlainInput).
enum class From { tiles, tensor };

template <class V, class Sums>
void pack_float_constants(const Conv& conv, int32_t p, Shape shape, Use use, uint8_t* panel, const Sums& sums) {
  using R = Requantize<V>;
  auto* header = reinterpret_cast<PanelHeader*>(panel);
  for (int v = 0; v < vectors_of(shape); ++v) {
    ChannelVector<V> channels;
    const auto row = [&](int r) { return const_cast<uint8_t*>(R::vector(panel, r, v)); };
    auto* bias = reinterpret_cast<int32_t*>(row(R::kBias));
    for (int w = 0; w < V::kWords; ++w) {
      const int channel = word_channel<V>(shape, v, w);
      const int32_t o = p * kPanel<V> + channel;
      if (channel >= kPanel<V> || o >= conv.out_channels) continue;
      const ChannelRange r(conv, o, sums(o));
      bias[w] = r.bias;
      channels.low[w] = r.low;
      channels.high[w] = r.high;
      if (conv.multipliers[o] == 0) continue;
      channels.multiplier[w] = conv.multipliers[o];
      channels.left[w] = std::max(conv.shifts[o], 0);
      channels.right[w] = std::max(-conv.shifts[o], 0);
    }
    FastForm<V> fast;
    if (use != Use::pixel && RequantizeProof<V>(channels, conv).find(&fast)) {
      header->form[v] = Form::fast;
      header->patches[v] = fast.patches;
      std::memcpy(row(R::kScale), fast.scale, kVectorBytes<V>);
      std::memcpy(row(R::kOffset), fast.offset, kVectorBytes<V>);
      for (int i = 0; i < R::kMaxPatches; ++i) {
        std::memcpy(row(R::kPatchAt + i), fast.patch_at[i], kVectorBytes<V>);
        std::memcpy(row(R::kPatchBy + i), fast.patch_by[i], kVectorBytes<V>);
      }
    } else {
      header->form[v] = Form::full;
      header->patches[v] = 0;
      std::memcpy(row(R::kMultiplier), channels.multiplier, kVectorBytes<V>);
      std::memcpy(row(R::kLeft), channels.left, kVectorBytes<V>);
      std::memcpy(row(R::kRight), channels.right, kVectorBytes<V>);
    }
  }
}

// Header and constants of panel p. `sums(o)` gives a channel's WeightSums.
template <class V, class Sums>
void pack_constants(const Conv& conv, int32_t p, Shape shape, Use use, uint8_t* panel, const Sums& sums) {
  if constexpr (V::kFixedPoint) {
    Requantize<V>::pack(conv, p, shape, panel, sums);
  } else {
    pack_float_constants<V>(conv, p, shape, use, panel, sums);
  }
}

// The place among a channel's weights of index i of the product's K.
struct PlainOrder {
  static int32_t place(int32_t i) { return i; }
};

// An A tile holds 2 x kTileCols pixels, two rows of columns, in chunks of 8 channels; in the half chunks only the first
// four count. Where products read rows, it is two such: pixel after pixel, whole panels of channels each. Elsewhere it
// is blocks of a panel's channels, in a block the columns, in a column the lanes [chunk of row 0][chunk of row 1].
template <class V>
struct ATile {
  static constexpr int kPixels = 2 * V::kTileCols;
  static constexpr int kBlockBytes = V::kTileCols * V::kColBytes;
  static constexpr int kLaneBytes = V::kColBytes / V::kLanes;
  static constexpr int kPanelBytes = V::kReadsRows ? V::kColBytes / 2 : kBlockBytes;  // to the next panel's channels

  static size_t bytes(KShape k) {
    return static_cast<size_t>((k.chunks + k.half_chunks + V::kLanes - 1) / V::kLanes) * kBlockBytes;
  }
  static size_t column_bytes(size_t tile_bytes) { return V::kReadsRows ? tile_bytes / kPixels : V::kColBytes; }
  static size_t row_bytes(size_t tile_bytes) { return V::kReadsRows ? tile_bytes / 2 : kLaneBytes / 2; }
  static int32_t chunk_offset(int32_t chunk) {
    return V::kReadsRows ? 8 * chunk : chunk / V::kLanes * kBlockBytes + chunk % V::kLanes * kLaneBytes;
  }
};

// A convolution as a matrix product, panel after panel, each: header, constants, one weight vector (or two) per step
// of V::kGroup channels. Then the extra steps: offset from the pixel, two vectors. An Order's place at or beyond the
// channel's weights stands for none.
template <class V, class Order = PlainOrder>
class ProductPacking {
 public:
  ProductPacking(const Conv& conv, KShape k, From from, Use use) : conv_(conv), k_(k), from_(from), use_(use) {}

  // Bytes of all panels and extra steps.
  size_t bytes() const {
    size_t extra = 0;
    for (int32_t p = 0; p < panels(); ++p) for_each_extra(p, [&](int32_t, int) { ++extra; });
    return panels() * full_panel_bytes(k_) + extra * kExtraBytes;
  }

  void pack(uint8_t* packed) const {
    int32_t extra_count = 0;
    for (int32_t p = 0; p < panels(); ++p) {
      uint8_t* panel = packed + p * full_panel_bytes(k_);
      pack_constants<V>(conv_, p, shape(p), use_, panel, [&](int32_t o) { return sums(o); });
      pack_weights(p, panel + Requantize<V>::kHeaderBytes);
      auto* header = reinterpret_cast<PanelHeader*>(panel);
      header->extra_first = extra_count;
      for_each_extra(p, [&](int32_t step, int part) {
        uint8_t* extra = packed + panels() * full_panel_bytes(k_) + extra_count++ * kExtraBytes;
        const int32_t offset = a_offset(k_, step);
        std::memcpy(extra, &offset, sizeof(offset));
        pack_extra(p, step, part, extra + kAlignment);
        ++header->extra_steps;
      });
    }
  }

  static int32_t steps(KShape k) { return k.channels() / V::kGroup; }
  static size_t full_panel_bytes(KShape k) {
    return Requantize<V>::kHeaderBytes + static_cast<size_t>(steps(k)) * 2 * V::kWeightBytes;
  }

  static constexpr size_t kExtraBytes = kAlignment + 2 * V::kWeightBytes;

  // Where a step's channels lie in an A tile; where products read rows, in these as well.
  static int32_t a_offset(KShape k, int32_t step) {
    constexpr int32_t kPerChunk = 8 / V::kGroup, kPerHalf = std::max(4 / V::kGroup, 1);
    int32_t chunk = step / kPerChunk, within = step % kPerChunk;
    if (chunk >= k.chunks) {
      chunk = k.chunks + (step - k.chunks * kPerChunk) / kPerHalf;
      within = (step - k.chunks * kPerChunk) % kPerHalf;
    }
    return ATile<V>::chunk_offset(chunk) + 4 * within;
  }

 private:
  // Whether a step takes the weights of a signed convolution as they lie.
  static constexpr bool kPlainWords = V::kGroup == 4 && !V::kWideWeights && V::kLeastWeight == -128 &&
                                      V::weight_byte(1, 1) == 5 && std::is_same_v<Order, PlainOrder>;

  int32_t panels() const { return panel_count<V>(conv_.out_channels); }
  Shape shape(int32_t p) const {
    return panel_shape<V>(conv_.out_channels, p, use_ == Use::pixel || (use_ == Use::rows && from_ == From::tiles));
  }
  int32_t per_channel() const { return conv_.kernel * conv_.kernel * conv_.in_channels; }
  int32_t weight(int32_t o, int32_t i) const { return conv_.weight(int64_t{o} * per_channel() + i); }

  WeightSums sums(int32_t o) const {
    WeightSums sums;
    if (conv_.weight_signed) {
      const auto* weights = reinterpret_cast<const int8_t*>(conv_.weights_q) + int64_t{o} * per_channel();
      for (int32_t i = 0; i < per_channel(); ++i) sums.add(weights[i]);
    } else {
      for (int32_t i = 0; i < per_channel(); ++i) sums.add(weight(o, i));
    }
    return sums;
  }

  // Calls visit(o, v, w) for the panel's channels.
  template <class Visit>
  void for_each_channel(int32_t p, const Visit& visit) const {
    for (int v = 0; v < vectors_of(shape(p)); ++v) {
      for (int w = 0; w < V::kWords; ++w) {
        const int channel = word_channel<V>(shape(p), v, w);
        const int32_t o = p * kPanel<V> + channel;
        if (channel < kPanel<V> && o < conv_.out_channels) visit(o, v, w);
      }
    }
  }

  void pack_weights(int32_t p, uint8_t* to) const {
    const size_t step_bytes = static_cast<size_t>(vectors_of(shape(p))) * V::kWeightBytes;
    for_each_channel(p, [&](int32_t o, int v, int w) {
      uint8_t* vector = to + v * V::kWeightBytes;
      int32_t s = 0;
      if constexpr (kPlainWords) {
        if (conv_.weight_signed) {
          const uint8_t* weights = conv_.weights_q + int64_t{o} * per_channel();
          for (; s < per_channel() / 4; ++s, vector += step_bytes) std::memcpy(vector + 4 * w, weights + 4 * s, 4);
        }
      }
      for (; s < steps(k_); ++s, vector += step_bytes) {
        for (int i = 0; i < V::kGroup; ++i) {
          const int32_t place = Order::place(s * V::kGroup + i);
          if (place < per_channel()) store_weight<V>(vector, w, i, weight_part<V>(weight(o, place), 0));
        }
      }
    });
  }

  void pack_extra(int32_t p, int32_t step, int part, uint8_t* to) const {
    for_each_channel(p, [&](int32_t o, int v, int w) {
      for (int i = 0; i < V::kGroup; ++i) {
        const int32_t place = Order::place(step * V::kGroup + i);
        if (place >= per_channel()) continue;
        store_weight<V>(to + v * V::kWeightBytes, w, i, weight_part<V>(weight(o, place), part));
      }
    });
  }

  // Whether no weight of the panel has a second part.
  bool fits(int32_t p) const {
    if (weights_are_whole<V>(conv_)) return true;
    const int64_t begin = int64_t{p} * kPanel<V> * per_channel();
    const int64_t end =
        std::min(begin + int64_t{kPanel<V>} * per_channel(), int64_t{conv_.out_channels} * per_channel());
    // Signed bytes as unsigned ones around 128.
    const int32_t flip = conv_.weight_signed ? 0x80 : 0,
                  zero_point = conv_.weight_signed ? 0x80 : conv_.weight_zero_point;
    const int32_t low = zero_point + V::kLeastWeight, high = zero_point + 127;
    int32_t outside = 0;
    for (int64_t i = begin; i < end; ++i) {
      outside |= ((conv_.weights_q[i] ^ flip) < low) | ((conv_.weights_q[i] ^ flip) > high);
    }
    return outside == 0;
  }

  // Calls visit(step, part) for every further part of a step's weights.
  template <class Visit>
  void for_each_extra(int32_t p, const Visit& visit) const {
    if (fits(p)) return;
    for (int32_t s = 0; s < steps(k_); ++s) {
      int parts = 1;
      for_each_channel(p, [&](int32_t o, int, int) {
        for (int i = 0; i < V::kGroup; ++i) {
          const int32_t place = Order::place(s * V::kGroup + i);
          while (place < per_channel() && weight_part<V>(weight(o, place), parts) != 0) ++parts;
        }
      });
      for (int part = 1; part < parts; ++part) visit(s, part);
    }
  }

  const Conv& conv_;
  const KShape k_;
  const From from_;
  const Use use_;
};

}  // namespace mobilenetv2::qu8

// The quantised classifier: one pixel by all panels, read once, so what counts is the stream of weights. Include inside
// a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include "kernels/simd/qu8_plain_input.h"
#include "kernels/simd/qu8_tile.h"

namespace mobilenetv2::qu8 {

template <class V>
class DenseRow {
 public:
  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::dense, Dtype::qu8, isa, nullptr, packed_bytes, pack, facts, run, &kSliced};
  }

 private:
  using Int = typename V::Int;

  static ProductPacking<V> packing(const Op& op) {
    return ProductPacking<V>(op.dense.conv, plain_k(op.dense.conv.in_channels), From::tensor, Use::pixel);
  }
  static size_t packed_bytes(const Op& op) { return packing(op).bytes(); }
  static void pack(const Op& op, uint8_t* packed) { packing(op).pack(packed); }

  static StageFacts facts(const Op& op, const StageShape&) {
    return {align_up(PlainInput<V>(op.dense.conv.in_channels, 1).bytes()), 1};
  }

  static void run(StageArgs& args, int32_t, int32_t) { run_slice(args, 0, 0, 1); }

  // Slices of panels, each with its own copy of the features.
  static size_t sliced_bytes(const Op& op, const StageShape& s, int32_t slices) {
    return slices * facts(op, s).scratch_bytes;
  }

  static void run_slice(const StageArgs& args, int32_t, int32_t slice, int32_t slices) {
    const Conv& conv = args.op->dense.conv;
    const ProductArgs product = product_args<V>(conv, plain_k(conv.in_channels), args.packed);
    const uint8_t* features = args.input.row(0);
    const Range panels = slice_range(panel_count<V>(conv.out_channels), slice, slices);
    if (panels.begin == panels.end) return;
    uint8_t* a = args.scratch + slice * facts(*args.op, args.shape).scratch_bytes;
    const PlainInput<V> input(conv.in_channels, 1);
    input.fill(features, features, a);
    const Pixels<V> pixel = input.tile(features, features, a, 0);
    const size_t panel_bytes = ProductPacking<V>::full_panel_bytes(product.k);
    const uint8_t* panel = args.packed + panels.begin * panel_bytes;
    uint8_t* out = args.output.row(0);
    for (int32_t p = panels.begin; p < panels.end; ++p, panel += panel_bytes) {
      const Shape shape = panel_shape<V>(conv.out_channels, p, true);
      if (!args.op->dense.single_rounding) {
        tiles_of<V>(1, 1)(pixel, panel, product, row_target<V>(out, out, 0, conv.out_channels, p), shape, 1);
        continue;
      }
      const int32_t n = std::min(conv.out_channels - p * kPanel<V>, kPanel<V>);
      uint8_t* outputs = out + p * kPanel<V>;
      switch (shape) {
        case kOne:
          if constexpr (!V::kWholePanels) round_panel<kOne>(*args.op, pixel, panel, product, n, outputs);
          break;
        case kTwo:
          round_panel<kTwo>(*args.op, pixel, panel, product, n, outputs);
          break;
        case kOneAndHalf:
          if constexpr (V::kHasHalf) round_panel<kOneAndHalf>(*args.op, pixel, panel, product, n, outputs);
      }
    }
  }

  template <Shape kShape>
  static void round_panel(const Op& op, const Pixels<V>& pixel, const uint8_t* panel, const ProductArgs& product,
                          int32_t n, uint8_t* out) {
    typename Product<V, 1, 1, kShape>::Words words;
    Product<V, 1, 1, kShape>::accumulate(pixel, panel, product, words);
    alignas(64) int32_t accumulators[V::kWords];
    for (int v = 0; v < vectors_of(kShape); ++v) {
      V::store(accumulators, words[0][0][v]);
      for (int w = 0; w < V::kWords; ++w) {
        const int o = word_channel<V>(kShape, v, w);
        if (o < n) out[o] = round_once(accumulators[w], op.dense);
      }
    }
  }

  // To nearest, halves away from zero, in double.
  static uint8_t round_once(int32_t accumulator, const Dense& dense) {
    const double value = std::clamp(accumulator * dense.real_multiplier, -1e6, 1e6);
    auto q = static_cast<int32_t>(value);
    const double rest = value - q;
    q += (rest >= 0.5) - (rest <= -0.5);
    return static_cast<uint8_t>(std::clamp(q + dense.conv.output_zero_point, dense.conv.min_q, dense.conv.max_q));
  }

  static constexpr SlicedRun kSliced{1, sliced_bytes, run_slice};
};

}  // namespace mobilenetv2::qu8

// The quantised 1x1 convolution: A tiles of the strip's rows, then panel after panel over all of them. Include inside a
// target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include "kernels/simd/qu8_product.h"

namespace mobilenetv2::qu8 {

template <class V>
class Pointwise {
 public:
  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::pointwise, Dtype::qu8, isa, nullptr, packed_bytes, pack, facts, run, &kSliced};
  }

 private:
  // Tiles that stay in the first-level cache beside a panel.
  static constexpr size_t kTilesBytes = 24 << 10;

  static ProductPacking<V> packing(const Op& op) {
    return ProductPacking<V>(op.conv, plain_k(op.conv.in_channels), Use::rows);
  }
  static size_t packed_bytes(const Op& op) { return packing(op).bytes(); }
  static void pack(const Op& op, uint8_t* packed) { packing(op).pack(packed); }

  static size_t row_pair_bytes(const Op& op, const StageShape& s) {
    return Split(s.out_width, V::kTileCols).parts * ATile<V>::bytes(plain_k(op.conv.in_channels));
  }

  static StageFacts facts(const Op& op, const StageShape& s) {
    const size_t bytes = row_pair_bytes(op, s);
    const auto pairs = std::clamp<int32_t>(static_cast<int32_t>(kTilesBytes / bytes), 1, (s.out_height + 1) / 2);
    return {pairs * bytes, 2 * pairs};
  }

  static void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
    run_rows(args, args.scratch, {row_begin, row_end}, {0, panel_count<V>(args.shape.out_channels)});
  }

  // Slices of panels, each with its own tiles.
  static size_t sliced_bytes(const Op& op, const StageShape& s, int32_t slices) {
    return slices * align_up(facts(op, s).scratch_bytes);
  }

  static void run_slice(const StageArgs& args, int32_t, int32_t slice, int32_t slices) {
    uint8_t* a = args.scratch + sliced_bytes(*args.op, args.shape, slice);
    const Range panels = slice_range(panel_count<V>(args.shape.out_channels), slice, slices);
    if (panels.begin < panels.end) run_rows(args, a, {0, args.shape.out_height}, panels);
  }

  static void run_rows(const StageArgs& args, uint8_t* scratch, Range rows, Range panels) {
    const int32_t most = facts(*args.op, args.shape).strip_rows;
    for (int32_t y = rows.begin; y < rows.end; y += most) {
      run_strip(args, scratch, y, std::min(y + most, rows.end), panels);
    }
  }

  static void run_strip(const StageArgs& args, uint8_t* scratch, int32_t begin, int32_t end, Range panels) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const ProductArgs product = product_args<V>(op.conv, plain_k(op.conv.in_channels), args.packed);
    const size_t tile_bytes = ATile<V>::bytes(product.k);
    const Split tiles(s.out_width, V::kTileCols);
    uint8_t* a = scratch;
    for (int32_t y = begin; y < end; y += 2) {
      const int32_t y1 = std::min(y + 1, end - 1);
      for (int32_t t = 0; t < tiles.parts; ++t, a += tile_bytes) {
        const size_t at = static_cast<size_t>(tiles.begin(t)) * s.in_channels;
        fill_a_tile<V>(args.input.row(y) + at, args.input.row(y1) + at, s.in_channels, tiles.count(t), a);
      }
    }
    const size_t panel_bytes = ProductPacking<V>::full_panel_bytes(product.k);
    const uint8_t* panel = args.packed + panels.begin * panel_bytes;
    for (int32_t p = panels.begin; p < panels.end; ++p, panel += panel_bytes) {
      a = scratch;
      for (int32_t y = begin; y < end; y += 2) {
        const int rows = y + 1 < end ? 2 : 1;
        for (int32_t t = 0; t < tiles.parts; ++t, a += tile_bytes) {
          const size_t at = static_cast<size_t>(tiles.begin(t)) * s.out_channels;
          const RowTarget<V> to{
              {args.output.row(y) + at, args.output.row(y + rows - 1) + at}, s.out_channels, s.out_channels};
          row_tile<V>(rows, tiles.count(t))(a, panel, product, to, p);
        }
      }
    }
  }

  static constexpr SlicedRun kSliced{1, sliced_bytes, run_slice};
};

}  // namespace mobilenetv2::qu8

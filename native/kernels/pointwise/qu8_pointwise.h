// The quantised 1x1 convolution: panel after panel over all tiles of a strip of rows. Include inside a
// target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include "kernels/simd/qu8_plain_input.h"
#include "kernels/simd/qu8_tile.h"

namespace mobilenetv2::qu8 {

template <class V>
class Pointwise {
 public:
  template <bool kMatrixUnit = false>
  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name,  OpKind::pointwise, Dtype::qu8,           isa, nullptr, packed_bytes, pack,
            facts, run<kMatrixUnit>,  &kSliced<kMatrixUnit>};
  }

 private:
  // Of a strip's input, which stays in the first-level cache beside a panel.
  static constexpr size_t kStripBytes = 24 << 10;

  static ProductPacking<V> packing(const Op& op) {
    return ProductPacking<V>(op.conv, plain_k(op.conv.in_channels), From::tensor, Use::rows);
  }
  static size_t packed_bytes(const Op& op) { return packing(op).bytes(); }
  static void pack(const Op& op, uint8_t* packed) { packing(op).pack(packed); }

  static StageFacts facts(const Op& op, const StageShape& s) {
    const PlainInput<V> input(op.conv.in_channels, s.out_width);
    const size_t bytes = std::max(input.bytes(), size_t{2} * s.out_width * op.conv.in_channels);
    const auto pairs = std::clamp<int32_t>(static_cast<int32_t>(kStripBytes / bytes), 1, (s.out_height + 1) / 2);
    return {pairs * input.bytes(), 2 * pairs};
  }

  template <bool kMatrixUnit>
  static void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
    run_rows<kMatrixUnit>(args, args.scratch, {row_begin, row_end}, {0, panel_count<V>(args.shape.out_channels)});
  }

  // Slices of panels, each with its own tiles.
  static size_t sliced_bytes(const Op& op, const StageShape& s, int32_t slices) {
    return slices * align_up(facts(op, s).scratch_bytes);
  }

  template <bool kMatrixUnit>
  static void run_slice(const StageArgs& args, int32_t, int32_t slice, int32_t slices) {
    uint8_t* a = args.scratch + sliced_bytes(*args.op, args.shape, slice);
    const Range panels = slice_range(panel_count<V>(args.shape.out_channels), slice, slices);
    if (panels.begin < panels.end) run_rows<kMatrixUnit>(args, a, {0, args.shape.out_height}, panels);
  }

  template <bool kMatrixUnit>
  static void run_rows(const StageArgs& args, uint8_t* scratch, Range rows, Range panels) {
    MatrixPart matrix;
    if constexpr (kMatrixUnit) {
      matrix = narrow_matrix_part<V>(args.shape.in_channels, args.shape.out_width);
      V::Matrix::hold(0, matrix.channels, matrix.columns);
    }
    run_strips(args, scratch, rows, panels, matrix);
    if constexpr (kMatrixUnit) V::Matrix::release();
  }

  static void run_strips(const StageArgs& args, uint8_t* scratch, Range rows, Range panels, const MatrixPart& matrix) {
    const int32_t most = facts(*args.op, args.shape).strip_rows;
    for (int32_t y = rows.begin; y < rows.end; y += most) {
      run_strip(args, scratch, y, std::min(y + most, rows.end), panels, matrix);
    }
  }

  static void run_strip(const StageArgs& args, uint8_t* scratch, int32_t begin, int32_t end, Range panels,
                        const MatrixPart& matrix) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const ProductArgs product = product_args<V>(op.conv, plain_k(op.conv.in_channels), args.packed, matrix);
    const PlainInput<V> input(op.conv.in_channels, s.out_width, matrix);
    const Split& tiles = input.tiles();
    const auto last = [&](int32_t y) { return std::min(y + 1, end - 1); };
    const auto pair_scratch = [&](int32_t y) { return scratch + (y - begin) / 2 * input.bytes(); };
    for (int32_t y = begin; y < end; y += 2) input.fill(args.input.row(y), args.input.row(last(y)), pair_scratch(y));
    const size_t panel_bytes = ProductPacking<V>::full_panel_bytes(product.k);
    const uint8_t* panel = args.packed + panels.begin * panel_bytes;
    for (int32_t p = panels.begin; p < panels.end; ++p, panel += panel_bytes) {
      const Shape shape = panel_shape<V>(s.out_channels, p, false);
      for (int32_t y = begin; y < end; y += 2) {
        const uint8_t* row0 = args.input.row(y);
        const uint8_t* row1 = args.input.row(last(y));
        tiles.for_each_size(0, tiles.parts, [&](int32_t t, int32_t count, int32_t columns) {
          const size_t at = static_cast<size_t>(tiles.begin(t)) * s.out_channels;
          const Target to =
              row_target<V>(args.output.row(y) + at, args.output.row(last(y)) + at, s.out_channels, s.out_channels, p);
          tiles_of<V>(last(y) - y + 1, columns)(input.tile(row0, row1, pair_scratch(y), t), panel, product, to, shape,
                                                count);
        });
      }
    }
  }

  template <bool kMatrixUnit>
  static constexpr SlicedRun kSliced{1, sliced_bytes, run_slice<kMatrixUnit>};
};

}  // namespace mobilenetv2::qu8

// Narrow rows into row pairs: the expand convolution, or, in a block without one, the rows themselves. Include inside
// a target region; V is the vector type of simd/x86_qu8_*.h.
#pragma once

#include "kernels/simd/qu8_plain_input.h"
#include "kernels/simd/qu8_tile.h"

namespace mobilenetv2::qu8 {

// One or two rows of the narrow tensor into the pairs at `pairs` (column 0 of panel 0; panels lie panel_bytes apart).
// `scratch` is room for the rows as a PlainInput; `matrix` as in ProductArgs.
template <class V>
void expand_rows(const Conv& conv, const uint8_t* packed, const uint8_t* row0, const uint8_t* row1, int rows,
                 int32_t width, const MatrixPart& matrix, uint8_t* scratch, uint8_t* pairs, size_t panel_bytes,
                 int row) {
  const ProductArgs args = product_args<V>(conv, plain_k(conv.in_channels), packed, matrix);
  const PlainInput<V> input(conv.in_channels, width, matrix);
  const Split& tiles = input.tiles();
  input.fill(row0, row1, scratch);
  for (int32_t p = 0; p < panel_count<V>(conv.out_channels); ++p) {
    const Shape shape = panel_shape<V>(conv.out_channels, p, false);
    const uint8_t* panel = packed + p * ProductPacking<V>::full_panel_bytes(args.k);
    tiles.for_each_size(0, tiles.parts, [&](int32_t t, int32_t count, int32_t columns) {
      const Target to =
          pair_target<V>(pairs + p * panel_bytes + static_cast<size_t>(tiles.begin(t)) * kVectorBytes<V>, row);
      tiles_of<V>(rows, columns)(input.tile(row0, row1, scratch, t), panel, args, to, shape, count);
    });
  }
}

// Panel p of one or two rows as they are into the pairs at `to`.
template <class V>
void pair_panel(int32_t channels, int32_t p, const uint8_t* row0, const uint8_t* row1, int rows, int32_t width,
                uint8_t* to, int row) {
  const int n = std::min(channels - p * kPanel<V>, kPanel<V>);
  size_t at = p * kPanel<V>;
  for (int32_t x = 0; x < width; ++x, at += channels, to += kVectorBytes<V>) {
    auto bytes = V::load_rows(row0 + at, row1 + at, n);
    if constexpr (!V::kWholePanels) {
      if (panel_shape<V>(channels, p, false) == kOne) bytes = V::load_half_rows(row0 + at, row1 + at, n);
    }
    const auto pair = V::interleave(bytes);
    V::store(to, rows == 2 ? pair : V::merge_row(V::load(to), pair, row));
  }
}

// expand_rows without an expand convolution.
template <class V>
void pair_rows(int32_t channels, const uint8_t* row0, const uint8_t* row1, int rows, int32_t width, uint8_t* pairs,
               size_t panel_bytes, int row) {
  for (int32_t p = 0; p < panel_count<V>(channels); ++p) {
    pair_panel<V>(channels, p, row0, row1, rows, width, pairs + p * panel_bytes, row);
  }
}

}  // namespace mobilenetv2::qu8

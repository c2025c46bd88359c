// The block shared between threads by slices of channels. Phase 0: a slice expands its panels of channels over the
// whole image, one panel after the other, and leaves the depthwise in A tiles of the whole image. Phase 1: a slice
// projects part of those tiles by panels of outputs, and adds the input. Include inside a target region; V is the
// vector type of simd/x86_qu8_*.h.
#pragma once

#include "kernels/inverted_residual/qu8_block.h"

namespace mobilenetv2::qu8 {

template <class V>
class SlicedBlock {
 public:
  static size_t scratch_bytes(const Op& op, const StageShape& shape, int32_t slices) {
    const Plan plan(op, shape, {});
    return plan.tensor_bytes + std::min(slices, plan.panels) * plan.slice_bytes();
  }

  template <bool kMatrixUnit>
  static void run(const StageArgs& args, int32_t phase, int32_t slice, int32_t slices) {
    const auto matrix = BlockOnMatrixUnit::of<V, kMatrixUnit>(*args.op, args.shape.in_width);
    matrix.template hold<V, kMatrixUnit>();
    const SlicedBlock block(args, matrix);
    phase == 0 ? block.make_wide(slice, slices) : block.project(slice, slices);
    matrix.template release<V, kMatrixUnit>();
  }

  template <bool kMatrixUnit = false>
  static constexpr SlicedRun kRun{2, scratch_bytes, run<kMatrixUnit>};

 private:
  using Header = typename Block<V>::Header;

  // Rows of the expanded image are counted as in Block: row pair p holds input rows 2 p - before and the next. Output
  // rows go in twos, which share a tile. Scratch: A tiles of the whole depthwise output [two rows][columns], common to
  // all; per slice, the whole input [row pair] as the product reads it, and the row pairs of one panel.
  struct Plan {
    int32_t stride, before, columns, panels, pairs;
    PlainInput<V> input;
    Split out_tiles;
    size_t pair_bytes, out_tile_bytes, tensor_bytes, input_bytes;

    Plan(const Op& op, const StageShape& s, const MatrixPart& expand)
        : input(s.in_channels, s.in_width, expand), out_tiles(s.out_width, V::kTileCols) {
      stride = op.depthwise.stride;
      before = s.pad_top + (stride == 2 ? 1 : 0);
      columns = std::max(s.in_width + s.pad_left, (s.out_width - 1) * stride + 3);
      panels = panel_count<V>(op.depthwise.out_channels);
      pairs = first_row(s.out_height - 1) / 2 + 2;
      pair_bytes = static_cast<size_t>(columns) * kVectorBytes<V>;
      out_tile_bytes = ATile<V>::bytes(depthwise_k<V>(op.project.in_channels));
      tensor_bytes = align_up(static_cast<size_t>((s.out_height + 1) / 2) * out_tiles.parts * out_tile_bytes);
      input_bytes = op.has_expand ? align_up(pairs * input.bytes()) : 0;
    }

    int32_t first_row(int32_t y) const { return stride * y + (stride == 2 ? 1 : 0); }
    size_t slice_bytes() const { return input_bytes + align_up(pairs * pair_bytes); }
  };

  // The part of a row pair that lies inside the input: `rows` rows from `row` on, in the pair from row `half` on.
  struct PairRows {
    int32_t row;
    int rows, half;
  };

  SlicedBlock(const StageArgs& args, const BlockOnMatrixUnit& matrix)
      : args_(args),
        op_(*args.op),
        shape_(args.shape),
        matrix_(matrix),
        plan_(op_, args.shape, matrix_.expand),
        header_(*reinterpret_cast<const Header*>(args.packed)) {}

  PairRows pair_rows(int32_t p) const {
    const int32_t row = 2 * p - plan_.before;
    const int32_t begin = std::max(row, 0), end = std::min(row + 2, shape_.in_height);
    return {begin, std::max(end - begin, 0), begin - row};
  }

  uint8_t* out_tile(int32_t y, int32_t t) const {
    return args_.scratch + (y / 2 * plan_.out_tiles.parts + t) * plan_.out_tile_bytes;
  }

  void make_wide(int32_t slice, int32_t slices) const {
    const Range panels = slice_range(plan_.panels, slice, std::min(slices, plan_.panels));
    if (slice >= plan_.panels) return;
    uint8_t* input = args_.scratch + plan_.tensor_bytes + slice * plan_.slice_bytes();
    uint8_t* pairs = input + plan_.input_bytes;
    // Every panel leaves the padding as it is.
    std::memset(pairs, op_.depthwise.input_zero_point ^ V::kFlip, plan_.pairs * plan_.pair_bytes);
    if (op_.has_expand) fill_input(input);
    for (int32_t p = panels.begin; p < panels.end; ++p) {
      op_.has_expand ? expand_panel(p, input, pairs) : copy_panel(p, pairs);
      depthwise_panel(p, pairs);
    }
  }

  void fill_input(uint8_t* input) const {
    for (int32_t p = 0; p < plan_.pairs; ++p) {
      const PairRows in = pair_rows(p);
      if (in.rows == 0) continue;
      plan_.input.fill(args_.input.row(in.row), args_.input.row(in.row + in.rows - 1), input + p * plan_.input.bytes());
    }
  }

  void expand_panel(int32_t panel, const uint8_t* input, uint8_t* pairs) const {
    const uint8_t* packed = args_.packed + sizeof(Header);
    const ProductArgs product = product_args<V>(op_.expand, plain_k(op_.expand.in_channels), packed, matrix_.expand);
    packed += panel * ProductPacking<V>::full_panel_bytes(product.k);
    const Shape shape = panel_shape<V>(op_.expand.out_channels, panel, false);
    const Split& tiles = plan_.input.tiles();
    for (int32_t p = 0; p < plan_.pairs; ++p) {
      const PairRows in = pair_rows(p);
      if (in.rows == 0) continue;
      const uint8_t* row0 = args_.input.row(in.row);
      const uint8_t* row1 = args_.input.row(in.row + in.rows - 1);
      uint8_t* to = pairs + p * plan_.pair_bytes + shape_.pad_left * kVectorBytes<V>;
      tiles.for_each_size(0, tiles.parts, [&](int32_t t, int32_t count, int32_t columns) {
        tiles_of<V>(in.rows, columns)(plan_.input.tile(row0, row1, input + p * plan_.input.bytes(), t), packed, product,
                                      pair_target<V>(to + tiles.begin(t) * kVectorBytes<V>, in.half), shape, count);
      });
    }
  }

  void copy_panel(int32_t panel, uint8_t* pairs) const {
    for (int32_t p = 0; p < plan_.pairs; ++p) {
      const PairRows in = pair_rows(p);
      if (in.rows == 0) continue;
      pair_panel<V>(shape_.in_channels, panel, args_.input.row(in.row), args_.input.row(in.row + in.rows - 1), in.rows,
                    shape_.in_width, pairs + p * plan_.pair_bytes + shape_.pad_left * kVectorBytes<V>, in.half);
    }
  }

  void depthwise_panel(int32_t panel, const uint8_t* pairs) const {
    const Conv& conv = op_.depthwise;
    const uint8_t* packed = args_.packed + header_.depthwise;
    packed += panel * DepthwisePacking<V>::panel_bytes(reinterpret_cast<const PanelHeader*>(packed)->extra_first);
    const int vectors = vectors_of(panel_shape<V>(conv.out_channels, panel, false));
    const auto source = [&](int32_t y) {
      const int32_t row = plan_.first_row(y);
      const uint8_t* pair = pairs + row / 2 * plan_.pair_bytes;
      return DepthwiseSource{pair, pair + plan_.pair_bytes, row % 2};
    };
    for (int32_t y = 0; y < shape_.out_height; y += 2) {
      const int rows = std::min(shape_.out_height - y, 2);
      const auto args = depthwise_args<V>(conv, source(y), source(y + rows - 1), plan_.out_tiles, 0,
                                          plan_.out_tiles.parts, plan_.out_tile_bytes);
      depthwise_run<V>(plan_.stride, rows, vectors)(args, packed, out_tile(y, 0) + panel * ATile<V>::kPanelBytes);
    }
  }

  // All products of a tile and a panel in one sequence, panel after panel, weighed by outputs: a slice does those that
  // begin within its part of the outputs.
  void project(int32_t slice, int32_t slices) const {
    const uint8_t* panel = args_.packed + header_.project;
    const ProductArgs product =
        product_args<V>(op_.project, depthwise_k<V>(op_.project.in_channels), panel, matrix_.project);
    const int64_t pixels = int64_t{shape_.out_height} * shape_.out_width, outputs = pixels * shape_.out_channels;
    const int64_t begin = outputs * slice / slices, end = outputs * (slice + 1) / slices;
    for (int32_t c = 0, p = 0; c < shape_.out_channels; c += kPanel<V>, ++p) {
      const int32_t channels = std::min(shape_.out_channels - c, kPanel<V>);
      const Shape shape = panel_shape<V>(shape_.out_channels, p, true);
      for (int32_t y = 0; y < shape_.out_height; y += 2) {
        const int rows = std::min(shape_.out_height - y, 2);
        for (int32_t t = 0; t < plan_.out_tiles.parts; ++t) {
          const int32_t x = plan_.out_tiles.begin(t), columns = plan_.out_tiles.count(t);
          const int64_t first = c * pixels + channels * (int64_t{y} * shape_.out_width + rows * x);
          if (first < begin || first >= end) continue;
          const Target to =
              row_target<V>(output(y, x), output(y + rows - 1, x), shape_.out_channels, shape_.out_channels, p);
          tiles_of<V>(rows, columns)({out_tile(y, t), plan_.out_tile_bytes}, panel, product, to, shape, 1);
          if (!op_.residual.present) continue;
          for (int32_t r = y; r < y + rows; ++r) add_input(r, x, columns, c, channels);
        }
      }
      panel += ProductPacking<V>::full_panel_bytes(product.k);
    }
  }

  void add_input(int32_t y, int32_t x, int32_t columns, int32_t channel, int32_t count) const {
    for (int32_t i = x; i < x + columns; ++i) {
      const size_t at = static_cast<size_t>(i) * shape_.out_channels + channel;
      residual_row<V>(op_.residual, args_.packed + header_.residual, args_.input.row(y) + at, args_.output.row(y) + at,
                      count);
    }
  }

  uint8_t* output(int32_t y, int32_t x) const {
    return args_.output.row(y) + static_cast<size_t>(x) * shape_.out_channels;
  }

  const StageArgs& args_;
  const Op& op_;
  const StageShape& shape_;
  const BlockOnMatrixUnit matrix_;
  const Plan plan_;
  const Header& header_;
};

}  // namespace mobilenetv2::qu8

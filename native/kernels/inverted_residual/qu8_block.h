// The fused inverted residual block, strip by strip: expand into row pairs of a line buffer, depthwise into an A tile,
// project from there into the output, add the input. Include inside a target region; V is the vector type of
// simd/x86_qu8_*.h.
#pragma once

#include "kernels/inverted_residual/qu8_expand.h"
#include "kernels/inverted_residual/qu8_residual.h"
#include "kernels/simd/qu8_depthwise.h"
#include "kernels/simd/qu8_tile.h"

namespace mobilenetv2::qu8 {

// Depthwise by shape: 1 <= stride, rows, vectors <= 2.
template <class V>
auto depthwise_run(int stride, int rows, int vectors) {
  using Run = void (*)(const DepthwiseArgs&, const uint8_t*, uint8_t*);
  constexpr int kLeast = V::kWholePanels ? 2 : 1;
  static constexpr Run kRuns[2][2][2] = {{{Depthwise<V, 1, 1, kLeast>::run, Depthwise<V, 1, 1, 2>::run},
                                          {Depthwise<V, 1, 2, kLeast>::run, Depthwise<V, 1, 2, 2>::run}},
                                         {{Depthwise<V, 2, 1, kLeast>::run, Depthwise<V, 2, 1, 2>::run},
                                          {Depthwise<V, 2, 2, kLeast>::run, Depthwise<V, 2, 2, 2>::run}}};
  return kRuns[stride - 1][rows - 1][vectors - 1];
}

// What of a block's products goes to the matrix unit.
struct BlockOnMatrixUnit {
  MatrixPart expand, project;

  template <class V, bool kMatrixUnit>
  static BlockOnMatrixUnit of(const Op& op, int32_t in_width) {
    BlockOnMatrixUnit b;
    if (!kMatrixUnit) return b;
    if (op.has_expand) b.expand = narrow_matrix_part<V>(op.expand.in_channels, in_width);
    b.project = matrix_part<V>(depthwise_k<V>(op.project.in_channels), From::tiles, 0);
    return b;
  }

  // For the time of one call of a kernel.
  template <class V, bool kMatrixUnit>
  void hold() const {
    if constexpr (kMatrixUnit) V::Matrix::hold(project.channels, expand.channels, expand.columns);
  }
  template <class V, bool kMatrixUnit>
  void release() const {
    if constexpr (kMatrixUnit) V::Matrix::release();
  }
};

template <class V>
class Block {
 public:
  template <bool kMatrixUnit = false>
  static constexpr Kernel kernel(const char* name, Isa isa, const SlicedRun* sliced) {
    return {name,  OpKind::inverted_residual, Dtype::qu8, isa, nullptr, packed_bytes, pack,
            facts, run<kMatrixUnit>,          sliced};
  }

  struct alignas(kAlignment) Header {
    size_t depthwise, project, residual, end;  // offsets; expand follows the header
  };

  static size_t packed_bytes(const Op& op) { return header(op).end; }

  static void pack(const Op& op, uint8_t* packed) {
    const Header h = header(op);
    *reinterpret_cast<Header*>(packed) = h;
    if (op.has_expand) expand_packing(op).pack(packed + sizeof(Header));
    DepthwisePacking<V>(op.depthwise).pack(packed + h.depthwise);
    project_packing(op).pack(packed + h.project);
    if constexpr (!V::kFixedPoint) {
      if (op.residual.present) pack_residual<V>(op.residual, reinterpret_cast<ResidualPacked*>(packed + h.residual));
    }
  }

  static StageFacts facts(const Op& op, const StageShape& shape) {
    const Plan plan(op, shape);
    return {plan.scratch_bytes(), plan.strip_rows};
  }

  template <bool kMatrixUnit>
  static void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
    const auto matrix = BlockOnMatrixUnit::of<V, kMatrixUnit>(*args.op, args.shape.in_width);
    matrix.template hold<V, kMatrixUnit>();
    Block(args, matrix).run_rows(row_begin, row_end);
    matrix.template release<V, kMatrixUnit>();
  }

 private:
  void run_rows(int32_t row_begin, int32_t row_end) {
    // Strips end at multiples of strip_rows, so that row pairs are complete and the line buffer holds them.
    for (int32_t begin = row_begin, end; begin < row_end; begin = end) {
      end = std::min(row_end, (begin / plan_.strip_rows + 1) * plan_.strip_rows);
      run_strip(begin, end);
    }
  }

  static ProductPacking<V> expand_packing(const Op& op) {
    return ProductPacking<V>(op.expand, plain_k(op.expand.in_channels), From::tensor, Use::pairs);
  }
  static ProductPacking<V> project_packing(const Op& op) {
    return ProductPacking<V>(op.project, depthwise_k<V>(op.project.in_channels), From::tiles, Use::rows);
  }

  static Header header(const Op& op) {
    Header h{};
    h.depthwise = sizeof(Header) + (op.has_expand ? expand_packing(op).bytes() : 0);
    h.project = h.depthwise + DepthwisePacking<V>(op.depthwise).bytes();
    h.residual = h.project + project_packing(op).bytes();
    h.end = h.residual + (op.residual.present && !V::kFixedPoint ? sizeof(ResidualPacked) : 0);
    return h;
  }

  // Rows of the expanded image are counted from the first row of padding, at stride 2 from one row before that: output
  // row y then reads four rows, of pairs first_row(y) / 2 and the next, from first_row(y) on. So each output row at
  // stride 2 completes exactly one pair, and at stride 1 each two rows do.
  struct Plan {
    // Bytes of A tiles made before they are projected: constants are loaded once for a group, which stays in the
    // first-level cache. More than four tiles gain nothing.
    static constexpr size_t kGroupBytes = 18 << 10;

    int32_t stride, before, columns, panels, strip_rows, pairs, line, group;
    size_t panel_bytes, pair_bytes, tile_bytes, tiles_bytes;
    bool split_columns;  // a tile's two rows are two halves of one output row

    Plan(const Op& op, const StageShape& s) {
      stride = op.depthwise.stride;
      before = s.pad_top + (stride == 2 ? 1 : 0);
      columns = std::max(s.in_width + s.pad_left, (s.out_width - 1) * stride + 3);
      panels = panel_count<V>(op.depthwise.out_channels);
      split_columns = stride == 2 && s.out_width > V::kTileCols;
      strip_rows = split_columns ? 1 : 2;
      pairs = stride == 2 ? strip_rows + 1 : strip_rows / 2 + 1;
      panel_bytes = static_cast<size_t>(columns) * kVectorBytes<V>;
      pair_bytes = panels * panel_bytes;
      line = split_columns ? (s.out_width + 1) / 2 : s.out_width;
      tile_bytes = ATile<V>::bytes(depthwise_k<V>(op.project.in_channels));
      group = std::clamp(static_cast<int32_t>(kGroupBytes / tile_bytes), 1, 4);
      group = std::min(group, Split(line, V::kTileCols).parts);
      tiles_bytes = group * tile_bytes;
      if (op.has_expand) {
        tiles_bytes = std::max(tiles_bytes, PlainInput<V>(op.expand.in_channels, s.in_width).bytes());
      }
      tiles_bytes = align_up(tiles_bytes);
    }

    int32_t first_row(int32_t y) const { return stride * y + (stride == 2 ? 1 : 0); }
    size_t scratch_bytes() const { return tiles_bytes + pairs * pair_bytes; }
  };

  Block(StageArgs& args, const BlockOnMatrixUnit& matrix)
      : args_(args),
        op_(*args.op),
        shape_(args.shape),
        plan_(op_, args.shape),
        header_(*reinterpret_cast<const Header*>(args.packed)),
        a_(args.scratch),
        pairs_(args.scratch + plan_.tiles_bytes),
        project_k_(depthwise_k<V>(op_.project.in_channels)),
        matrix_(matrix),
        project_(product_args<V>(op_.project, project_k_, args.packed + header_.project, matrix_.project)) {}

  uint8_t* pair(int32_t p) const { return pairs_ + static_cast<size_t>(p % plan_.pairs) * plan_.pair_bytes; }

  void run_strip(int32_t begin, int32_t end) {
    expand(begin, end);
    for (int32_t y = begin; y < end;) {
      const int rows = !plan_.split_columns && y + 1 < end && y % 2 == 0 ? 2 : 1;
      make_rows(y, rows);
      if (op_.residual.present) {
        for (int32_t r = y; r < y + rows; ++r) {
          residual_row<V>(op_.residual, args_.packed + header_.residual, args_.input.row(r), args_.output.row(r),
                          shape_.out_width * shape_.out_channels);
        }
      }
      y += rows;
    }
  }

  // Completes the pairs that output rows [begin, end) read.
  void expand(int32_t begin, int32_t end) {
    const int32_t next = args_.next_expanded;
    const int32_t until = std::min((end - 1) * plan_.stride - shape_.pad_top + 3, shape_.in_height);
    const int32_t first = next == 0 ? plan_.first_row(begin) : next + plan_.before;
    const int32_t last_pair = (plan_.first_row(end - 1) + 2) / 2;
    for (int32_t p = first / 2; p <= last_pair; ++p) {
      const int32_t row = 2 * p - plan_.before;  // input row of the pair's first half
      const bool is_new[2] = {row >= next && row < until, row + 1 >= next && row + 1 < until};
      const bool keeps_row = row >= 0 && row < next && row < shape_.in_height;
      pad(pair(p), !keeps_row && (row < 0 || row + 1 >= shape_.in_height));
      if (is_new[0] && is_new[1]) {
        fill(p, row, 2, 0);
      } else {
        for (int r = 0; r < 2; ++r) {
          if (is_new[r]) fill(p, row + r, 1, r);
        }
      }
    }
    args_.next_expanded = std::max(next, until);
  }

  // Padding columns of a pair, or the whole of it.
  void pad(uint8_t* pair, bool whole) const {
    const auto zero = V::set8(op_.depthwise.input_zero_point ^ V::kFlip);
    const int32_t inside_begin = whole ? plan_.columns : shape_.pad_left;
    const int32_t inside_end = whole ? plan_.columns : shape_.pad_left + shape_.in_width;
    for (int32_t p = 0; p < plan_.panels; ++p, pair += plan_.panel_bytes) {
      for (int32_t x = 0; x < inside_begin; ++x) V::store(pair + x * kVectorBytes<V>, zero);
      for (int32_t x = inside_end; x < plan_.columns; ++x) V::store(pair + x * kVectorBytes<V>, zero);
    }
  }

  // Input row `row` (and the next) into pair p, or with one row into its half `half`.
  void fill(int32_t p, int32_t row, int rows, int half) {
    uint8_t* to = pair(p) + shape_.pad_left * kVectorBytes<V>;
    const uint8_t* row0 = args_.input.row(row);
    const uint8_t* row1 = args_.input.row(row + rows - 1);
    if (op_.has_expand) {
      expand_rows<V>(op_.expand, args_.packed + sizeof(Header), row0, row1, rows, shape_.in_width, matrix_.expand, a_,
                     to, plan_.panel_bytes, half);
    } else {
      pair_rows<V>(op_.depthwise.in_channels, row0, row1, rows, shape_.in_width, to, plan_.panel_bytes, half);
    }
  }

  // Output row y (and the next): depthwise and projection, a group of tiles at a time.
  void make_rows(int32_t y, int rows) {
    // A tile's two rows: two rows of the image, or the two halves of one, which may overlap by a column.
    const int32_t x1 = plan_.split_columns ? shape_.out_width - plan_.line : 0;
    const int32_t y1 = plan_.split_columns ? y : y + rows - 1;
    const int tile_rows = plan_.split_columns ? 2 : rows;
    const Split tiles(plan_.line, V::kTileCols);
    const int32_t channels = shape_.out_channels;
    uint8_t* const row[2] = {pixel(y, 0), pixel(y1, x1)};
    for (int32_t t = 0, end; t < tiles.parts; t = end) {
      end = std::min(t + plan_.group, tiles.parts);
      depthwise(tile_rows, tiles, t, end, source(y, tiles.begin(t)), source(y1, x1 + tiles.begin(t)));
      const uint8_t* panel = args_.packed + header_.project;
      for (int32_t p = 0; p < panel_count<V>(channels); ++p) {
        const Shape shape = panel_shape<V>(channels, p, true);
        tiles.for_each_size(t, end, [&](int32_t i, int32_t count, int32_t columns) {
          const size_t at = static_cast<size_t>(tiles.begin(i)) * channels;
          const Target to = row_target<V>(row[0] + at, row[1] + at, channels, channels, p);
          const Pixels<V> pixels(a_ + (i - t) * plan_.tile_bytes, plan_.tile_bytes);
          tiles_of<V>(tile_rows, columns)(pixels, panel, project_, to, shape, count);
        });
        panel += ProductPacking<V>::full_panel_bytes(project_k_);
      }
    }
  }

  uint8_t* pixel(int32_t y, int32_t x) const {
    return args_.output.row(y) + static_cast<size_t>(x) * shape_.out_channels;
  }

  DepthwiseSource source(int32_t y, int32_t x) const {
    const int32_t row = plan_.first_row(y);
    const size_t at = static_cast<size_t>(x) * plan_.stride * kVectorBytes<V>;
    return {pair(row / 2) + at, pair(row / 2 + 1) + at, row % 2};
  }

  // Tiles [begin, end) of a line into A tiles.
  void depthwise(int rows, const Split& tiles, int32_t begin, int32_t end, DepthwiseSource row0, DepthwiseSource row1) {
    const Conv& conv = op_.depthwise;
    DepthwiseArgs args = depthwise_args<V>(conv, row0, row1, tiles, begin, end, plan_.tile_bytes);
    const uint8_t* panel = args_.packed + header_.depthwise;
    const size_t stride = DepthwisePacking<V>::panel_bytes(reinterpret_cast<const PanelHeader*>(panel)->extra_first);
    for (int32_t p = 0; p < plan_.panels; ++p, panel += stride) {
      const int vectors = vectors_of(panel_shape<V>(conv.out_channels, p, false));
      depthwise_run<V>(plan_.stride, rows, vectors)(args, panel, a_ + p * ATile<V>::kPanelBytes);
      for (DepthwiseSource& s : args.source) {
        s.old_pair += plan_.panel_bytes;
        s.new_pair += plan_.panel_bytes;
      }
    }
  }

  StageArgs& args_;
  const Op& op_;
  const StageShape& shape_;
  const Plan plan_;
  const Header& header_;
  uint8_t* const a_;
  uint8_t* const pairs_;
  const KShape project_k_;
  const BlockOnMatrixUnit matrix_;
  const ProductArgs project_;
};

}  // namespace mobilenetv2::qu8

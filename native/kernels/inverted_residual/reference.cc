// The fused block, row by row: expand into a line buffer of three rows, depthwise into one row, project into the
// output, add the input. The expanded tensor never exists whole.
#include "kernels/reference.h"
#include "kernels/reference_kernels.h"

namespace mobilenetv2 {
namespace {

constexpr int32_t kLineBufferRows = 3;

// Offsets in packed bytes and in scratch.
struct Layout {
  size_t depthwise_packed, project_packed, packed_bytes;
  size_t expanded_row, depthwise_row, expanded, depthwise, accumulators, scratch_bytes;
};

Layout layout(const Op& op, const StageShape& s) {
  Layout l{};
  l.depthwise_packed = op.has_expand ? reference::packed_conv_bytes(op.expand, op.dtype) : 0;
  l.project_packed = l.depthwise_packed + reference::packed_conv_bytes(op.depthwise, op.dtype);
  l.packed_bytes = l.project_packed + reference::packed_conv_bytes(op.project, op.dtype);

  const size_t wide = static_cast<size_t>(op.depthwise.out_channels) * element_bytes(op.dtype);
  l.expanded_row = op.has_expand ? static_cast<size_t>(s.in_width) * wide : 0;
  l.depthwise_row = static_cast<size_t>(s.out_width) * wide;
  l.depthwise = l.expanded + align_up(l.expanded_row * kLineBufferRows);
  l.accumulators = l.depthwise + align_up(l.depthwise_row);
  const int32_t channels = std::max(op.depthwise.out_channels, op.project.out_channels);
  l.scratch_bytes = l.accumulators + align_up(static_cast<size_t>(channels) * sizeof(int32_t));
  return l;
}

size_t packed_bytes(const Op& op) { return layout(op, StageShape{}).packed_bytes; }

void pack(const Op& op, uint8_t* packed) {
  const Layout l = layout(op, StageShape{});
  if (op.has_expand) reference::pack_conv(op.expand, op.dtype, packed);
  reference::pack_conv(op.depthwise, op.dtype, packed + l.depthwise_packed);
  reference::pack_conv(op.project, op.dtype, packed + l.project_packed);
}

StageFacts facts(const Op& op, const StageShape& shape) { return {layout(op, shape).scratch_bytes, 1}; }

void conv_row(Dtype dtype, const Conv& conv, const uint8_t* packed, const reference::ConvInput& input, int32_t y,
              int32_t out_width, uint8_t* accumulators, uint8_t* out) {
  if (dtype == Dtype::f32) {
    reference::conv_row_f32(conv, packed, input, y, out_width, reinterpret_cast<float*>(accumulators),
                            reinterpret_cast<float*>(out));
  } else {
    reference::conv_row_qu8(conv, packed, input, y, out_width, reinterpret_cast<int32_t*>(accumulators), out);
  }
}

void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
  const Op& op = *args.op;
  const StageShape& s = args.shape;
  const Layout l = layout(op, s);
  const Rows expanded{args.scratch + l.expanded, kLineBufferRows, l.expanded_row};
  const Rows narrow_in = args.input;
  uint8_t* depthwise_row = args.scratch + l.depthwise;
  uint8_t* accumulators = args.scratch + l.accumulators;

  for (int32_t y = row_begin; y < row_end; ++y) {
    if (op.has_expand) {
      const int32_t first = std::max(y * op.depthwise.stride - s.pad_top, 0);
      const int32_t end = std::min(y * op.depthwise.stride - s.pad_top + op.depthwise.kernel, s.in_height);
      for (int32_t in_y = std::max(args.next_expanded, first); in_y < end; ++in_y) {
        const reference::ConvInput input{narrow_in, s.in_height, s.in_width, 0, 0};
        conv_row(op.dtype, op.expand, args.packed, input, in_y, s.in_width, accumulators, expanded.row(in_y));
        emit(args, Layer::expand, in_y, expanded.row(in_y), l.expanded_row);
      }
      args.next_expanded = std::max(args.next_expanded, end);
    }
    const reference::ConvInput wide{op.has_expand ? expanded : narrow_in, s.in_height, s.in_width, s.pad_top,
                                    s.pad_left};
    conv_row(op.dtype, op.depthwise, args.packed + l.depthwise_packed, wide, y, s.out_width, accumulators,
             depthwise_row);
    emit(args, Layer::depthwise, y, depthwise_row, l.depthwise_row);

    uint8_t* out = args.output.row(y);
    const reference::ConvInput row_only{Rows{depthwise_row, 1, l.depthwise_row}, s.out_height, s.out_width, 0, 0};
    conv_row(op.dtype, op.project, args.packed + l.project_packed, row_only, y, s.out_width, accumulators, out);
    emit(args, Layer::project, y, out, args.output.row_bytes);

    if (!op.residual.present) continue;
    const size_t count = static_cast<size_t>(s.out_width) * s.out_channels;
    if (op.dtype == Dtype::f32) {
      reference::residual_row_f32(op.residual, reinterpret_cast<const float*>(narrow_in.row(y)),
                                  reinterpret_cast<float*>(out), count);
    } else {
      reference::residual_row_qu8(op.residual, narrow_in.row(y), out, count);
    }
    emit(args, Layer::residual, y, out, args.output.row_bytes);
  }
}

}  // namespace

const Kernel inverted_residual_f32__scalar = {"inverted_residual_f32__scalar",
                                              OpKind::inverted_residual,
                                              Dtype::f32,
                                              Isa::scalar,
                                              nullptr,
                                              packed_bytes,
                                              pack,
                                              facts,
                                              run};
const Kernel inverted_residual_qu8__scalar = {"inverted_residual_qu8__scalar",
                                              OpKind::inverted_residual,
                                              Dtype::qu8,
                                              Isa::scalar,
                                              nullptr,
                                              packed_bytes,
                                              pack,
                                              facts,
                                              run};

}  // namespace mobilenetv2

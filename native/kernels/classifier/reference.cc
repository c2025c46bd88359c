#include <cmath>

#include "kernels/reference.h"
#include "kernels/reference_kernels.h"

namespace mobilenetv2 {
namespace {

size_t packed_bytes(const Op& op) { return reference::packed_conv_bytes(op.dense.conv, op.dtype); }

void pack(const Op& op, uint8_t* packed) { reference::pack_conv(op.dense.conv, op.dtype, packed); }

StageFacts facts(const Op& op, const StageShape&) {
  return {align_up(static_cast<size_t>(op.dense.conv.out_channels) * sizeof(int32_t)), 1};
}

reference::ConvInput one_pixel(const StageArgs& args) { return {args.input, 1, 1, 0, 0}; }

void run_f32(StageArgs& args, int32_t, int32_t) {
  reference::conv_row_f32(args.op->dense.conv, args.packed, one_pixel(args), 0, 1,
                          reinterpret_cast<float*>(args.scratch), reinterpret_cast<float*>(args.output.row(0)));
  emit(args, Layer::dense, 0, args.output.row(0), args.output.row_bytes);
}

void run_qu8(StageArgs& args, int32_t, int32_t) {
  const Dense& dense = args.op->dense;
  const Conv& conv = dense.conv;
  auto* accumulators = reinterpret_cast<int32_t*>(args.scratch);
  uint8_t* out = args.output.row(0);
  if (!dense.single_rounding) {
    reference::conv_row_qu8(conv, args.packed, one_pixel(args), 0, 1, accumulators, out);
  } else {
    reference::accumulate_qu8(conv, args.packed, one_pixel(args), 0, 0, accumulators);
    for (int32_t o = 0; o < conv.out_channels; ++o) {
      // std::round is half away from zero.
      const double q = std::round(accumulators[o] * dense.real_multiplier) + conv.output_zero_point;
      out[o] = static_cast<uint8_t>(std::clamp<double>(q, conv.min_q, conv.max_q));
    }
  }
  emit(args, Layer::dense, 0, out, args.output.row_bytes);
}

}  // namespace

const Kernel dense_f32__scalar = {"dense_f32__scalar", OpKind::dense, Dtype::f32, Isa::scalar, nullptr,
                                  packed_bytes,        pack,          facts,      run_f32};
const Kernel dense_qu8__scalar = {"dense_qu8__scalar", OpKind::dense, Dtype::qu8, Isa::scalar, nullptr,
                                  packed_bytes,        pack,          facts,      run_qu8};

}  // namespace mobilenetv2

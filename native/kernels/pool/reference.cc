#include "kernels/reference.h"
#include "kernels/reference_kernels.h"

namespace mobilenetv2 {
namespace {

size_t packed_bytes(const Op&) { return 0; }

void pack(const Op&, uint8_t*) {}

StageFacts facts(const Op&, const StageShape&) { return {}; }

void run_f32(StageArgs& args, int32_t, int32_t) {
  const StageShape& s = args.shape;
  float* out = reinterpret_cast<float*>(args.output.row(0));
  for (int32_t c = 0; c < s.in_channels; ++c) {
    double sum = 0;
    for (int32_t y = 0; y < s.in_height; ++y) {
      const float* row = reinterpret_cast<const float*>(args.input.row(y));
      for (int32_t x = 0; x < s.in_width; ++x) sum += row[static_cast<size_t>(x) * s.in_channels + c];
    }
    out[c] = static_cast<float>(sum / (static_cast<double>(s.in_height) * s.in_width));
  }
  emit(args, Layer::pool, 0, out, args.output.row_bytes);
}

// AVERAGE_POOL_2D: the file's own integers (u8 - bias), to nearest, halves away from zero.
int32_t average(const Pool& pool, int64_t sum, int64_t count) {
  const int64_t signed_sum = sum - count * pool.bias;
  const int64_t magnitude = (std::abs(signed_sum) + count / 2) / count;
  return static_cast<int32_t>((signed_sum < 0 ? -magnitude : magnitude) + pool.bias);
}

// MEAN: TFLite folds 1/count into the multiplier, truncating, so that it may end below 2^30.
int32_t mean(const Pool& pool, int64_t sum, int64_t count) {
  int32_t log2 = 0;
  while ((count >> (log2 + 1)) != 0) ++log2;
  const int32_t up = std::max(std::min({log2, 32, 31 + pool.shift}), 0);
  const auto multiplier = static_cast<int32_t>((int64_t{pool.multiplier} << up) / count);
  const int32_t centred = saturate_int32(sum - count * pool.input_zero_point);
  return mbqm(centred, multiplier, pool.shift - up) + pool.output_zero_point;
}

void run_qu8(StageArgs& args, int32_t, int32_t) {
  const StageShape& s = args.shape;
  const Pool& pool = args.op->pool;
  const int64_t count = int64_t{s.in_height} * s.in_width;
  uint8_t* out = args.output.row(0);
  for (int32_t c = 0; c < s.in_channels; ++c) {
    int64_t sum = 0;
    for (int32_t y = 0; y < s.in_height; ++y) {
      const uint8_t* row = args.input.row(y);
      for (int32_t x = 0; x < s.in_width; ++x) sum += row[static_cast<size_t>(x) * s.in_channels + c];
    }
    const int32_t q = pool.mean ? mean(pool, sum, count) : average(pool, sum, count);
    out[c] = static_cast<uint8_t>(std::clamp(q, pool.min_q, pool.max_q));
  }
  emit(args, Layer::pool, 0, out, args.output.row_bytes);
}

}  // namespace

const Kernel global_average_pool_f32__scalar = {"global_average_pool_f32__scalar",
                                                OpKind::global_average_pool,
                                                Dtype::f32,
                                                Isa::scalar,
                                                nullptr,
                                                packed_bytes,
                                                pack,
                                                facts,
                                                run_f32};
const Kernel global_average_pool_qu8__scalar = {"global_average_pool_qu8__scalar",
                                                OpKind::global_average_pool,
                                                Dtype::qu8,
                                                Isa::scalar,
                                                nullptr,
                                                packed_bytes,
                                                pack,
                                                facts,
                                                run_qu8};

}  // namespace mobilenetv2

// Quantised global average pool; the compiler's own vectors suffice. Include inside a target region; Tag keeps the
// instantiations of different instruction sets apart.
#pragma once

#include <cstdlib>

#include "kernels/common.h"

namespace mobilenetv2::qu8 {

template <class Tag>
class GlobalAveragePool {
 public:
  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::global_average_pool, Dtype::qu8, isa, nullptr, packed_bytes, pack, facts, run};
  }

 private:
  static size_t packed_bytes(const Op&) { return 0; }
  static void pack(const Op&, uint8_t*) {}

  // A sum per channel.
  static StageFacts facts(const Op& op, const StageShape&) {
    return {align_up(static_cast<size_t>(op.pool.channels) * sizeof(uint32_t)), 1};
  }

  static void run(StageArgs& args, int32_t, int32_t) {
    const StageShape& s = args.shape;
    const Pool& pool = args.op->pool;
    const int32_t channels = s.in_channels;
    auto* __restrict sums = reinterpret_cast<uint32_t*>(args.scratch);
    std::fill(sums, sums + channels, 0u);
    for (int32_t y = 0; y < s.in_height; ++y) {
      const uint8_t* pixel = args.input.row(y);
      for (int32_t x = 0; x < s.in_width; ++x, pixel += channels) {
        for (int32_t c = 0; c < channels; ++c) sums[c] += pixel[c];
      }
    }
    const int64_t count = int64_t{s.in_height} * s.in_width;
    if (pool.mean) {
      mean(pool, sums, count, args.output.row(0));
    } else {
      average(pool, sums, count, args.output.row(0));
    }
  }

  // To nearest, halves away from zero, of the file's own integers (u8 - bias). The quotient of two integers below 2^53
  // truncates right in double, and divides in vectors.
  static void average(const Pool& pool, const uint32_t* sums, int64_t count, uint8_t* __restrict out) {
    const double n = static_cast<double>(count), half = static_cast<double>(count / 2), bias = n * pool.bias;
    for (int32_t c = 0; c < pool.channels; ++c) {
      const double sum = sums[c] - bias;
      const auto magnitude = static_cast<int32_t>(((sum < 0 ? -sum : sum) + half) / n);
      const int32_t q = (sum < 0 ? -magnitude : magnitude) + pool.bias;
      out[c] = static_cast<uint8_t>(std::min(std::max(q, pool.min_q), pool.max_q));
    }
  }

  // One mbqm whose multiplier holds 1 / count, truncated as in TFLite.
  static void mean(const Pool& pool, const uint32_t* sums, int64_t count, uint8_t* __restrict out) {
    int32_t log2 = 0;
    while ((count >> (log2 + 1)) != 0) ++log2;
    const int32_t up = std::max(std::min({log2, 32, 31 + pool.shift}), 0);
    const auto multiplier = static_cast<int32_t>((int64_t{pool.multiplier} << up) / count);
    const int32_t shift = pool.shift - up;
    for (int32_t c = 0; c < pool.channels; ++c) {
      const int32_t centred = saturate_int32(int64_t{sums[c]} - count * pool.input_zero_point);
      const int32_t q = mbqm(centred, multiplier, shift) + pool.output_zero_point;
      out[c] = static_cast<uint8_t>(std::min(std::max(q, pool.min_q), pool.max_q));
    }
  }
};

}  // namespace mobilenetv2::qu8

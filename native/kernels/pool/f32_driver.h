// Mean over the map for any vector ISA. Include inside S's target region.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common.h"
#include "kernels/kernels.h"

namespace mobilenetv2 {

template <class S>
struct F32GlobalAveragePool {
  using Vec = typename S::Vec;
  using Reg = typename Vec::Reg;

  static size_t packed_bytes(const Op&) { return 0; }
  static void pack(const Op&, uint8_t*) {}
  static StageFacts facts(const Op&, const StageShape&) { return {}; }

  // Pixels in order, one sum per channel; a few vectors of channels at a time hide the addition's latency.
  static void run(StageArgs& args, int32_t, int32_t) {
    const StageShape& s = args.shape;
    auto* out = reinterpret_cast<float*>(args.output.row(0));
    const float inverse = 1.0f / (static_cast<float>(s.in_height) * static_cast<float>(s.in_width));
    constexpr int32_t kVectors = 4, kBlock = kVectors * Vec::kLanes;
    int32_t c = 0;
    for (; c + kBlock <= s.in_channels; c += kBlock) {
      Reg sum[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[v] = Vec::zero();
      for (int32_t y = 0; y < s.in_height; ++y) {
        const float* in = reinterpret_cast<const float*>(args.input.row(y)) + c;
        for (int32_t x = 0; x < s.in_width; ++x, in += s.in_channels) {
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) sum[v] = Vec::add(sum[v], Vec::load(in + v * Vec::kLanes));
        }
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        Vec::store(out + c + v * Vec::kLanes, Vec::mul(sum[v], Vec::broadcast(inverse)));
      }
    }
    for (; c < s.in_channels; c += Vec::kLanes) {
      const int32_t lanes = s.in_channels - c;
      Reg sum = Vec::zero();
      for (int32_t y = 0; y < s.in_height; ++y) {
        const float* in = reinterpret_cast<const float*>(args.input.row(y)) + c;
        for (int32_t x = 0; x < s.in_width; ++x, in += s.in_channels) sum = Vec::add(sum, Vec::load_first(in, lanes));
      }
      Vec::store_first(out + c, Vec::mul(sum, Vec::broadcast(inverse)), lanes);
    }
  }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::global_average_pool, Dtype::f32, isa, nullptr, packed_bytes, pack, facts, run};
  }
};

}  // namespace mobilenetv2

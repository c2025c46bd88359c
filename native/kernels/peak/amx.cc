#include "kernels/peak/peak.h"

#include "kernels/simd/x86_amx.h"

#if defined(MOBILENETV2_AMX)

namespace mobilenetv2 {
namespace {

constexpr int32_t kSide = 16, kBlock = 64;  // tiles of 16 pixels and 64 channels

uint32_t multiply_tiles(int64_t turns) {
  using namespace amx;
  TileConfig config;
  config.set(kWideSums, kWidePixels, kWideWeights, kSide, kBlock);
  config.set(kNarrowSums, kNarrowPixels, kNarrowWeights, kSide, kBlock);
  alignas(kVector) uint8_t bytes[kSide * kVector];
  for (int i = 0; i < kSide * kVector; ++i) bytes[i] = static_cast<uint8_t>(i % 7);
  hold(config);
  load<kWideSums>(bytes, kVector);
  load<kWideSums + 1>(bytes, kVector);
  load<kNarrowSums>(bytes, kVector);
  load<kNarrowSums + 1>(bytes, kVector);
  load<kWidePixels>(bytes, kVector);
  load<kWideWeights>(bytes, kVector);
  for (int64_t turn = 0; turn < turns; ++turn) {
    multiply_add<kWideSums, kWidePixels, kWideWeights>();
    multiply_add<kWideSums + 1, kWidePixels, kWideWeights>();
    multiply_add<kNarrowSums, kWidePixels, kWideWeights>();
    multiply_add<kNarrowSums + 1, kWidePixels, kWideWeights>();
  }
  uint32_t sums[4][kSide][kSide];
  store<kWideSums>(sums[0], kVector);
  store<kWideSums + 1>(sums[1], kVector);
  store<kNarrowSums>(sums[2], kVector);
  store<kNarrowSums + 1>(sums[3], kVector);
  release();
  uint32_t all = 0;
  for (const auto& tile : sums) all += tile[0][0];
  return all;
}

}  // namespace

const PeakLoop peak_qu8__amx = {Isa::amx, Dtype::qu8, 4 * int64_t{kSide * kSide * kBlock}, multiply_tiles};

}  // namespace mobilenetv2

#endif

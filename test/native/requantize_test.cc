// Requantisation at every accumulator that a channel can reach: random images meet too few of those where a float form
// would round to the wrong side.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness.h"
#include "kernels/registry.h"
#include "random_op.h"

namespace mobilenetv2::test {
namespace {

constexpr int32_t kInputs = 8, kOutputs = 40;
constexpr int32_t kDigit = 127;                                       // weight of all inputs but the first
constexpr int32_t kMost = (kInputs - 1) * 255 * kDigit + kDigit - 1;  // largest sum of the image below
constexpr int32_t kWidth = 512, kHeight = kMost / kWidth + 1;

// Pixel p sums to p: x0 + 127 (x1 + ... + x7).
std::vector<uint8_t> every_sum() {
  std::vector<uint8_t> image(size_t{kHeight} * kWidth * kInputs);
  for (int32_t p = 0; p < kHeight * kWidth; ++p) {
    const int32_t sum = std::min(p, kMost);
    uint8_t* pixel = &image[static_cast<size_t>(p) * kInputs];
    pixel[0] = static_cast<uint8_t>(sum % kDigit);
    int32_t rest = sum / kDigit;
    for (int32_t i = 1; i < kInputs; ++i) {
      const int32_t x = std::min(rest, 255);
      pixel[i] = static_cast<uint8_t>(x);
      rest -= x;
    }
  }
  return image;
}

// Channels with multipliers of published models (2^-11 to 2^-8) and accumulators of either sign, or of one.
std::unique_ptr<OwnedOp> sweeping_op(bool positive, Random* random) {
  auto owned = std::make_unique<OwnedOp>();
  owned->op.kind = OpKind::pointwise;
  owned->op.dtype = Dtype::qu8;
  Conv& conv = owned->op.conv;
  conv.in_channels = owned->shape.in_channels = kInputs;
  conv.out_channels = owned->shape.out_channels = kOutputs;
  owned->shape.in_height = owned->shape.out_height = kHeight;
  owned->shape.in_width = owned->shape.out_width = kWidth;
  auto& weights = owned->bytes.emplace_back(size_t{kInputs} * kOutputs, static_cast<uint8_t>(kDigit));
  auto& bias = owned->integers.emplace_back(kOutputs);
  auto& multipliers = owned->integers.emplace_back(kOutputs);
  auto& shifts = owned->integers.emplace_back(kOutputs);
  for (int32_t o = 0; o < kOutputs; ++o) {
    weights[static_cast<size_t>(o) * kInputs] = 1;
    bias[o] = positive ? random->integer(-kMost / 4, 0) : -kMost / 2 + random->integer(-1000, 1000);
    multipliers[o] = random->integer(1 << 30, INT32_MAX);
    shifts[o] = random->integer(-10, -8);
  }
  conv.weights_q = weights.data();
  conv.weight_signed = true;
  conv.bias_q = bias.data();
  conv.multipliers = multipliers.data();
  conv.shifts = shifts.data();
  conv.output_zero_point = positive ? 0 : 128;
  return owned;
}

}  // namespace

TEST(every_accumulator_is_requantised_like_the_reference) {
  const std::vector<uint8_t> image = every_sum();
  Random random(seed());
  for (int i = 0; i < 2 * sweep(); ++i) {
    const auto owned = sweeping_op(i % 2 != 0, &random);
    const Kernel& reference = reference_kernel(OpKind::pointwise, Dtype::qu8);
    const std::vector<uint8_t> want = run_kernel(reference, *owned, image, 0, &random);
    for (const Kernel* kernel : all_kernels()) {
      if (kernel->op != OpKind::pointwise || kernel->dtype != Dtype::qu8 || !cpu_has(kernel->isa)) continue;
      const std::vector<uint8_t> got = run_kernel(*kernel, *owned, image, 0, &random);
      for (size_t at = 0; at < want.size(); ++at) {
        if (got[at] == want[at]) continue;
        const size_t channel = at % kOutputs;
        fail(__FILE__, __LINE__,
             std::string(kernel->name) + ": sum " + std::to_string(at / kOutputs) + " and bias " +
                 std::to_string(owned->op.conv.bias_q[channel]) + " times " +
                 std::to_string(owned->op.conv.multipliers[channel]) + " >> " +
                 std::to_string(31 - owned->op.conv.shifts[channel]) + " gives " + std::to_string(got[at]) + ", not " +
                 std::to_string(want[at]));
        break;
      }
    }
  }
}

}  // namespace mobilenetv2::test

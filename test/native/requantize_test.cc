// Requantisation at every accumulator that a channel can reach: random images meet too few of those where a float form
// would round to the wrong side. Each test sweeps one convolution; what follows it in its operator changes nothing.
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

// Inputs x0 ... x(n-1) of which the first has weight 1 and the others `digit`, so that they reach every sum.
struct Digits {
  int32_t inputs, digit;

  int32_t most() const { return (inputs - 1) * 255 * digit + digit - 1; }
  int32_t weight(int32_t i) const { return i == 0 ? 1 : digit; }
  // Input i of those that sum to `sum`.
  uint8_t input(int32_t sum, int32_t i) const {
    if (i == 0) return static_cast<uint8_t>(sum % digit);
    return static_cast<uint8_t>(std::clamp(sum / digit - (i - 1) * 255, 0, 255));
  }
};

// A convolution's weights and what comes after its sums, all zero for now.
void allocate(OwnedOp* owned, Conv* conv, size_t weights) {
  const auto channels = static_cast<size_t>(conv->out_channels);
  conv->weights_q = owned->bytes.emplace_back(weights).data();
  conv->weight_signed = true;
  conv->bias_q = owned->integers.emplace_back(channels).data();
  conv->multipliers = owned->integers.emplace_back(channels, 1 << 30).data();
  conv->shifts = owned->integers.emplace_back(channels, 1).data();
}

// Of the convolution that was allocated last: multipliers like those of published models, which take the largest sum to
// some hundred, and accumulators of either sign, or of one.
void sweep(OwnedOp* owned, Conv* conv, int32_t most, bool positive, Random* random) {
  const size_t last = owned->integers.size();
  auto &bias = owned->integers[last - 3], &multipliers = owned->integers[last - 2], &shifts = owned->integers[last - 1];
  int32_t shift = 0;
  while (most >> -shift > 255) --shift;
  for (size_t o = 0; o < bias.size(); ++o) {
    bias[o] = positive ? random->integer(-most / 4, 0) : -most / 2 + random->integer(-1000, 1000);
    multipliers[o] = random->integer(1 << 30, INT32_MAX);
    shifts[o] = shift + random->integer(-1, 1);
  }
  conv->output_zero_point = positive ? 0 : 128;
}

// 1x1, input i of every output channel weighted as the digits say.
Conv sweeping_pointwise(OwnedOp* owned, Digits digits, int32_t out_channels, bool positive, Random* random) {
  Conv conv;
  conv.in_channels = digits.inputs;
  conv.out_channels = out_channels;
  allocate(owned, &conv, size_t{1} * out_channels * digits.inputs);
  auto& weights = owned->bytes.back();
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<uint8_t>(digits.weight(static_cast<int32_t>(i) % digits.inputs));
  }
  sweep(owned, &conv, digits.most(), positive, random);
  return conv;
}

Conv depthwise(OwnedOp* owned, int32_t channels, int32_t zero_point) {
  Conv conv;
  conv.kernel = 3;
  conv.depthwise = true;
  conv.in_channels = conv.out_channels = channels;
  conv.input_zero_point = conv.output_zero_point = zero_point;
  allocate(owned, &conv, size_t{9} * channels);
  return conv;
}

// Projects every channel on itself, unchanged.
Conv identity_projection(OwnedOp* owned, int32_t channels, int32_t zero_point) {
  Conv conv;
  conv.in_channels = conv.out_channels = channels;
  conv.input_zero_point = conv.output_zero_point = zero_point;
  allocate(owned, &conv, size_t{1} * channels * channels);
  for (int32_t c = 0; c < channels; ++c) owned->bytes.back()[static_cast<size_t>(c) * channels + c] = 1;
  return conv;
}

void set_shape(OwnedOp* owned, int32_t height, int32_t width, int32_t in_channels, int32_t out_channels) {
  StageShape& s = owned->shape;
  s.in_height = s.out_height = height;
  s.in_width = s.out_width = width;
  s.in_channels = in_channels;
  s.out_channels = out_channels;
  s.pad_top = s.pad_left = owned->op.kind == OpKind::inverted_residual ? 1 : 0;
}

// Pixel p sums to p, in rows of kWidth.
constexpr int32_t kWidth = 512;
int32_t height_of(Digits digits) { return digits.most() / kWidth + 1; }

std::vector<uint8_t> every_pixel_sum(Digits digits) {
  std::vector<uint8_t> image;
  for (int32_t p = 0; p < height_of(digits) * kWidth; ++p) {
    for (int32_t i = 0; i < digits.inputs; ++i) image.push_back(digits.input(std::min(p, digits.most()), i));
  }
  return image;
}

void check_kernels(const OwnedOp& owned, const std::vector<uint8_t>& image, const Conv& swept, Random* random) {
  const Op& op = owned.op;
  const std::vector<uint8_t> want = run_kernel(reference_kernel(op.kind, op.dtype), owned, image, 0, random);
  for (const Kernel* kernel : all_kernels()) {
    if (kernel->op != op.kind || kernel->dtype != op.dtype || !cpu_has(kernel->isa)) continue;
    const std::vector<uint8_t> got = run_kernel(*kernel, owned, image, 0, random);
    const size_t at = static_cast<size_t>(std::mismatch(want.begin(), want.end(), got.begin()).first - want.begin());
    if (at == want.size()) continue;
    const auto channels = static_cast<size_t>(swept.out_channels);
    const size_t channel = at % channels;
    fail(__FILE__, __LINE__,
         std::string(kernel->name) + ": pixel " + std::to_string(at / channels) + ", channel " +
             std::to_string(channel) + " (bias " + std::to_string(swept.bias_q[channel]) + ", times " +
             std::to_string(swept.multipliers[channel]) + " >> " + std::to_string(31 - swept.shifts[channel]) +
             ") is " + std::to_string(got[at]) + ", not " + std::to_string(want[at]));
  }
}

}  // namespace

TEST(every_accumulator_of_a_pointwise_is_requantised_like_the_reference) {
  constexpr Digits kDigits{8, 127};
  constexpr int32_t kChannels = 40;
  const std::vector<uint8_t> image = every_pixel_sum(kDigits);
  Random random(seed());
  for (int i = 0; i < 2 * test::sweep(); ++i) {
    OwnedOp owned;
    owned.op.kind = OpKind::pointwise;
    owned.op.dtype = Dtype::qu8;
    owned.op.conv = sweeping_pointwise(&owned, kDigits, kChannels, i % 2 != 0, &random);
    set_shape(&owned, height_of(kDigits), kWidth, kDigits.inputs, kChannels);
    check_kernels(owned, image, owned.op.conv, &random);
  }
}

TEST(every_accumulator_of_an_expansion_is_requantised_like_the_reference) {
  constexpr Digits kDigits{8, 127};
  constexpr int32_t kChannels = 40;
  const std::vector<uint8_t> image = every_pixel_sum(kDigits);
  Random random(seed());
  for (int i = 0; i < 4 * test::sweep(); ++i) {
    OwnedOp owned;
    Op& op = owned.op;
    op.kind = OpKind::inverted_residual;
    op.dtype = Dtype::qu8;
    op.has_expand = true;
    op.expand = sweeping_pointwise(&owned, kDigits, kChannels, i % 2 != 0, &random);
    op.depthwise = depthwise(&owned, kChannels, op.expand.output_zero_point);
    constexpr size_t kCentre = 4;
    std::fill_n(owned.bytes.back().begin() + kCentre * kChannels, kChannels, uint8_t{1});
    op.project = identity_projection(&owned, kChannels, op.expand.output_zero_point);
    set_shape(&owned, height_of(kDigits), kWidth, kDigits.inputs, kChannels);
    check_kernels(owned, image, op.expand, &random);
  }
}

TEST(every_accumulator_of_a_depthwise_is_requantised_like_the_reference) {
  constexpr Digits kDigits{9, 32};
  constexpr int32_t kChannels = 24, kWindowsInRow = 170;
  // 3x3 windows side by side, each of its own sum: those around every third pixel of every third row. What lies
  // between two of them has some sum, too.
  constexpr int32_t kImageWidth = 3 * kWindowsInRow;
  const int32_t rows = kDigits.most() / kWindowsInRow + 1;
  std::vector<uint8_t> image;
  for (int32_t y = 0; y < 3 * rows; ++y) {
    for (int32_t x = 0; x < kImageWidth; ++x) {
      const int32_t sum = std::min(y / 3 * kWindowsInRow + x / 3, kDigits.most());
      image.insert(image.end(), kChannels, kDigits.input(sum, y % 3 * 3 + x % 3));
    }
  }
  Random random(seed());
  for (int i = 0; i < 2 * test::sweep(); ++i) {
    OwnedOp owned;
    Op& op = owned.op;
    op.kind = OpKind::inverted_residual;
    op.dtype = Dtype::qu8;
    op.depthwise = depthwise(&owned, kChannels, 0);
    auto& weights = owned.bytes.back();
    for (size_t k = 0; k < weights.size(); ++k) {
      weights[k] = static_cast<uint8_t>(kDigits.weight(static_cast<int32_t>(k) / kChannels));
    }
    sweep(&owned, &op.depthwise, kDigits.most(), i % 2 != 0, &random);
    op.project = identity_projection(&owned, kChannels, op.depthwise.output_zero_point);
    set_shape(&owned, 3 * rows, kImageWidth, kChannels, kChannels);
    check_kernels(owned, image, op.depthwise, &random);
  }
}

}  // namespace mobilenetv2::test

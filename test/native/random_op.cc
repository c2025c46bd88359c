#include "random_op.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/aligned_buffer.h"
#include "guarded_bytes.h"
#include "kernels/common.h"
#include "pack/packed_model.h"

namespace mobilenetv2::test {
namespace {

int32_t random_channels(Random* r) {
  if (r->chance(30)) return r->integer(1, 8);
  if (r->chance(30)) return 8 * r->integer(1, 24);
  return r->integer(9, 130);
}

int32_t zero_point(Random* r) {
  if (r->chance(30)) return r->chance(50) ? 0 : 255;
  return r->chance(30) ? 128 : r->integer(0, 255);
}

void set_factor(double real, int32_t* multiplier, int32_t* shift) {
  const FixedPoint factor = to_fixed_point(real);
  *multiplier = factor.multiplier;
  *shift = factor.shift;
}

Conv random_conv(OwnedOp* owned, Dtype dtype, int32_t in, int32_t out, int32_t kernel, int32_t stride, bool depthwise,
                 int32_t input_zero, Random* r) {
  Conv conv;
  conv.in_channels = in;
  conv.out_channels = out;
  conv.kernel = kernel;
  conv.stride = stride;
  conv.depthwise = depthwise;
  const int32_t fan_in = kernel * kernel * (depthwise ? 1 : in);
  const auto count = static_cast<size_t>(fan_in) * out;
  if (dtype == Dtype::f32) {
    auto& weights = owned->floats.emplace_back(count);
    auto& bias = owned->floats.emplace_back(out);
    const float range = 2 / std::sqrt(static_cast<float>(fan_in));
    for (float& w : weights) w = r->chance(3) ? 0 : r->real(-range, range);
    for (float& b : bias) b = r->real(-1, 1);
    conv.weights_f32 = weights.data();
    conv.bias_f32 = bias.data();
    const bool linear = r->chance(40);
    conv.min_f32 = linear ? -std::numeric_limits<float>::infinity() : 0;
    conv.max_f32 = linear || r->chance(20) ? std::numeric_limits<float>::infinity() : 6;
    return conv;
  }
  conv.weight_signed = r->chance(50);
  conv.weight_zero_point = conv.weight_signed ? 0 : zero_point(r);
  auto& weights = owned->bytes.emplace_back(count);
  // Trained files cluster around the zero point; extremes occur one by one or everywhere.
  const int32_t wild = r->chance(20) ? 100 : r->chance(50) ? 2 : 0;
  for (uint8_t& w : weights) {
    const int32_t near = std::clamp(conv.weight_zero_point + r->integer(-40, 40), conv.weight_signed ? -128 : 0,
                                    conv.weight_signed ? 127 : 255);
    w = static_cast<uint8_t>(r->chance(wild) ? (r->chance(50)   ? r->integer(0, 255)
                                                : r->chance(50) ? 0x80
                                                                : 0x7f)
                                             : near);
  }
  conv.weights_q = weights.data();
  auto& bias = owned->integers.emplace_back(out);
  auto& multipliers = owned->integers.emplace_back(out);
  auto& shifts = owned->integers.emplace_back(out);
  const double spread = 40.0 * 70 * std::sqrt(static_cast<double>(fan_in));  // of an accumulator, roughly
  for (int32_t o = 0; o < out; ++o) {
    bias[o] = r->chance(10) ? r->integer(-(1 << 20), 1 << 20) : r->integer(-5000, 5000);
    const double factor = r->chance(20) ? std::ldexp(1.0, r->integer(-31, 2)) : std::ldexp(1.0, r->integer(-1, 1));
    set_factor(factor * 100 / spread * r->real(0.5f, 1.5f), &multipliers[o], &shifts[o]);
    if (r->chance(3)) shifts[o] = r->integer(-31, 3);
    if (r->chance(3)) multipliers[o] = shifts[o] = 0;
  }
  if (r->chance(15)) {  // dead channels of real files: no weights, an enormous bias
    const int32_t o = r->integer(0, out - 1);
    for (int32_t i = 0; i < fan_in; ++i) {
      weights[depthwise ? static_cast<size_t>(i) * out + o : static_cast<size_t>(o) * fan_in + i] =
          static_cast<uint8_t>(conv.weight_zero_point);
    }
    bias[o] = r->chance(50) ? (1 << 30) - 7 : -(1 << 30) + 5;
    shifts[o] = std::min(shifts[o], 0);
  }
  conv.bias_q = bias.data();
  conv.multipliers = multipliers.data();
  conv.shifts = shifts.data();
  conv.input_zero_point = input_zero;
  conv.output_zero_point = zero_point(r);
  conv.min_q = r->chance(60) ? 0 : r->integer(0, 120);
  conv.max_q = r->chance(60) ? 255 : r->integer(conv.min_q, 255);
  return conv;
}

Residual random_residual(Dtype dtype, Random* r) {
  Residual residual;
  residual.present = true;
  if (dtype == Dtype::f32) {
    residual.min_f32 = -std::numeric_limits<float>::infinity();
    residual.max_f32 = std::numeric_limits<float>::infinity();
    return residual;
  }
  const double a = r->real(0.01f, 1), b = r->chance(20) ? a : r->real(0.01f, 1), out = r->real(0.01f, 1);
  const double twice = 2 * std::max(a, b);
  set_factor(a / twice, &residual.a_multiplier, &residual.a_shift);
  set_factor(b / twice, &residual.b_multiplier, &residual.b_shift);
  set_factor(twice / ((1 << 20) * out), &residual.output_multiplier, &residual.output_shift);
  residual.a_zero_point = zero_point(r);
  residual.b_zero_point = zero_point(r);
  residual.output_zero_point = zero_point(r);
  return residual;
}

// TensorFlow's SAME, or one row on each side.
void pad(int32_t in, int32_t stride, bool same, int32_t* out, int32_t* before) {
  *out = (in + stride - 1) / stride;
  *before = same ? std::max((*out - 1) * stride + 3 - in, 0) / 2 : 1;
}

void random_image(StageShape* s, int32_t stride, Random* r) {
  const bool tiny = r->chance(25);
  const bool tall = !tiny && r->chance(20);  // bands of many rows
  s->in_height = tall ? r->integer(18, 60) : r->integer(1, tiny ? 4 : 17);
  s->in_width = r->integer(1, tiny ? 4 : tall ? 9 : r->chance(20) ? 64 : 33);
  const bool same = r->chance(50);
  pad(s->in_height, stride, same, &s->out_height, &s->pad_top);
  pad(s->in_width, stride, same, &s->out_width, &s->pad_left);
}

void make_op(OwnedOp* owned, OpKind kind, Dtype dtype, Random* r) {
  Op& op = owned->op;
  StageShape& s = owned->shape;
  op.kind = kind;
  op.dtype = dtype;
  switch (kind) {
    case OpKind::stem:
      s.in_channels = 3;
      s.out_channels = random_channels(r);
      op.conv = random_conv(owned, dtype, 3, s.out_channels, 3, r->chance(80) ? 2 : 1, false, zero_point(r), r);
      if (dtype == Dtype::qu8 && r->chance(50)) op.conv.input_flip = 0x80;
      random_image(&s, op.conv.stride, r);
      return;
    case OpKind::pointwise:
      s.in_channels = random_channels(r);
      s.out_channels = random_channels(r);
      op.conv = random_conv(owned, dtype, s.in_channels, s.out_channels, 1, 1, false, zero_point(r), r);
      s.in_height = s.out_height = r->integer(1, 9);
      s.in_width = s.out_width = r->integer(1, 33);
      return;
    case OpKind::inverted_residual: {
      const int32_t stride = r->chance(60) ? 1 : 2;
      const bool residual = stride == 1 && r->chance(50);
      op.has_expand = r->chance(75);
      s.in_channels = random_channels(r);
      const int32_t wide = op.has_expand ? (r->chance(50) ? s.in_channels * 6 : random_channels(r)) : s.in_channels;
      s.out_channels = residual ? s.in_channels : random_channels(r);
      const int32_t zero = zero_point(r);
      if (op.has_expand) op.expand = random_conv(owned, dtype, s.in_channels, wide, 1, 1, false, zero, r);
      op.depthwise =
          random_conv(owned, dtype, wide, wide, 3, stride, true, op.has_expand ? op.expand.output_zero_point : zero, r);
      op.project = random_conv(owned, dtype, wide, s.out_channels, 1, 1, false, op.depthwise.output_zero_point, r);
      if (residual) op.residual = random_residual(dtype, r);
      random_image(&s, stride, r);
      return;
    }
    case OpKind::global_average_pool:
      op.pool.channels = s.in_channels = s.out_channels = r->chance(50) ? 1280 : random_channels(r);
      s.in_height = r->integer(1, 9);
      s.in_width = r->integer(1, 9);
      s.out_height = s.out_width = 1;
      if (dtype == Dtype::f32) return;
      op.pool.mean = r->chance(50);
      op.pool.bias = r->chance(50) ? 128 : 0;
      op.pool.input_zero_point = zero_point(r);
      op.pool.output_zero_point = zero_point(r);
      set_factor(r->real(0.2f, 3), &op.pool.multiplier, &op.pool.shift);
      return;
    case OpKind::dense:
      s.in_height = s.in_width = s.out_height = s.out_width = 1;
      s.in_channels = r->chance(30) ? 1280 : random_channels(r);
      s.out_channels = r->chance(30) ? 1001 : random_channels(r);
      op.dense.conv = random_conv(owned, dtype, s.in_channels, s.out_channels, 1, 1, false, zero_point(r), r);
      op.dense.single_rounding = r->chance(50);
      op.dense.real_multiplier = 100.0 / (40.0 * 70 * std::sqrt(static_cast<double>(s.in_channels)));
      return;
    case OpKind::softmax:
      s.in_height = s.in_width = s.out_height = s.out_width = 1;
      s.in_channels = s.out_channels = op.softmax.classes = r->chance(30) ? 1001 : r->integer(1, 70);
      op.softmax.beta = r->chance(70) ? 1 : r->real(0.1f, 2);
      if (dtype == Dtype::f32) return;
      op.softmax.dequantize = r->chance(40);
      op.softmax.logit_scale = r->real(0.01f, 0.3f);
      op.softmax.logit_zero_point = zero_point(r);
      set_factor(static_cast<double>(op.softmax.beta) * op.softmax.logit_scale * (1 << 26), &op.softmax.multiplier,
                 &op.softmax.shift);
      op.softmax.diff_min = -static_cast<int32_t>(std::floor(31.0 * (1 << 26) / std::ldexp(1.0, op.softmax.shift)));
      return;
  }
}

}  // namespace

std::unique_ptr<OwnedOp> random_op(OpKind kind, Dtype dtype, Random* random) {
  for (;;) {
    auto owned = std::make_unique<OwnedOp>();
    make_op(owned.get(), kind, dtype, random);
    if (check_op(owned->op).ok()) return owned;  // accumulators may have been too large
  }
}

std::vector<uint8_t> random_input(const OwnedOp& owned, Random* random) {
  const StageShape& s = owned.shape;
  const size_t count = static_cast<size_t>(s.in_height) * s.in_width * s.in_channels;
  if (owned.op.dtype == Dtype::qu8) {
    std::vector<uint8_t> bytes(count);
    const bool extreme = random->chance(20);
    for (uint8_t& b : bytes)
      b = static_cast<uint8_t>(extreme ? (random->chance(50) ? 255 : 0) : random->integer(0, 255));
    return bytes;
  }
  std::vector<float> floats(count);
  for (float& f : floats) f = random->real(-4, 4);
  std::vector<uint8_t> bytes(count * sizeof(float));
  std::memcpy(bytes.data(), floats.data(), bytes.size());
  return bytes;
}

namespace {

constexpr size_t kGuard = 64;
constexpr uint8_t kPoison = 0x5a;

// What a kernel is given, with memory of the promised size exactly.
struct KernelRun {
  KernelRun(const Kernel& kernel, const OwnedOp& owned, const std::vector<uint8_t>& input_bytes, size_t scratch_bytes)
      : input(input_bytes.size(), 1), scratch(scratch_bytes, 64) {
    const Op& op = owned.op;
    const StageShape& s = owned.shape;
    CHECK(packed.allocate(kernel.packed_bytes(op)));
    kernel.pack(op, packed.data());
    std::memcpy(input.data(), input_bytes.data(), input_bytes.size());
    std::memset(scratch.data(), 0xa5, scratch_bytes);  // what an arena holds is what was there before
    const size_t element = op.kind == OpKind::softmax ? sizeof(float) : element_bytes(op.dtype);
    const size_t row_bytes = static_cast<size_t>(s.out_width) * s.out_channels * element;
    output.assign(row_bytes * s.out_height + kGuard, kPoison);
    args.op = &op;
    args.packed = packed.data();
    args.shape = s;
    args.input = {input.data(), s.in_height, static_cast<size_t>(s.in_width) * s.in_channels * element_bytes(op.dtype)};
    args.output = {output.data(), s.out_height, row_bytes};
    args.scratch = scratch.data();
  }

  std::vector<uint8_t> take_output() {
    CHECK(std::all_of(output.end() - kGuard, output.end(), [](uint8_t b) { return b == kPoison; }));
    output.resize(output.size() - kGuard);
    return std::move(output);
  }

  GuardedBytes input, scratch;
  AlignedBuffer packed;
  std::vector<uint8_t> output;
  StageArgs args;
};

}  // namespace

std::vector<uint8_t> run_kernel(const Kernel& kernel, const OwnedOp& owned, const std::vector<uint8_t>& input,
                                int32_t row_begin, Random* random, std::optional<bool> halved_vectors) {
  const Op& op = owned.op;
  const StageShape& s = owned.shape;
  const StageFacts facts = kernel.facts(op, s);
  KernelRun run(kernel, owned, input, facts.scratch_bytes);
  if (op.kind == OpKind::inverted_residual) {
    run.args.next_expanded = std::max(row_begin * op.depthwise.stride - s.pad_top, 0);
  }
  for (int32_t y = row_begin; y < s.out_height;) {
    const int32_t end = std::min(y + random->integer(1, std::max(facts.strip_rows, 1)), s.out_height);
    run.args.halved_vectors = halved_vectors.value_or(random->chance(50));
    kernel.run(run.args, y, end);
    y = end;
  }
  return run.take_output();
}

std::vector<uint8_t> run_kernel_sliced(const Kernel& kernel, const OwnedOp& owned, const std::vector<uint8_t>& input,
                                       int32_t slices) {
  KernelRun run(kernel, owned, input, kernel.sliced->scratch_bytes(owned.op, owned.shape, slices));
  run.args.halved_vectors = slices % 2 == 0;
  for (int32_t phase = 0; phase < kernel.sliced->phases; ++phase) {
    for (int32_t slice = slices; slice-- > 0;) kernel.sliced->run(run.args, phase, slice, slices);
  }
  return run.take_output();
}

std::string describe(const OwnedOp& owned) {
  const StageShape& s = owned.shape;
  const Op& op = owned.op;
  const auto size = [](int32_t h, int32_t w, int32_t c) {
    return std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(c);
  };
  std::string text = size(s.in_height, s.in_width, s.in_channels) + " -> " +
                     size(s.out_height, s.out_width, s.out_channels) + ", pads " + std::to_string(s.pad_top) + " " +
                     std::to_string(s.pad_left);
  if (op.kind == OpKind::inverted_residual) {
    text += ", wide " + std::to_string(op.depthwise.in_channels) + (op.has_expand ? ", expand" : "") + ", stride " +
            std::to_string(op.depthwise.stride) + (op.residual.present ? ", residual" : "");
  }
  return text;
}

}  // namespace mobilenetv2::test

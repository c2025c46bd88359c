// arm_layers f32|qu8 ISA: one inference of MobileNetV2 1.0 at 224x224 with made-up weights, operator by operator, for a
// plugin that counts instructions (count.c). Prints "NUMBER MACS KERNEL NAME" per operator.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "kernels/common.h"
#include "kernels/registry.h"
#include "pack/packed_model.h"

namespace mobilenetv2 {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// An operator, its size, and what its pointers point to.
struct Operator {
  std::string name;
  Op op;
  StageShape shape;
  int64_t macs = 0;
};

class Network {
 public:
  explicit Network(Dtype dtype) : dtype_(dtype) {
    stem(224, 32);
    struct Blocks {
      int32_t expansion, channels, count, stride;
    };
    for (const Blocks& b : {Blocks{1, 16, 1, 1},
                            {6, 24, 2, 2},
                            {6, 32, 3, 2},
                            {6, 64, 4, 2},
                            {6, 96, 3, 1},
                            {6, 160, 3, 2},
                            {6, 320, 1, 1}}) {
      for (int32_t i = 0; i < b.count; ++i) block(b.expansion, b.channels, i == 0 ? b.stride : 1);
    }
    head(1280);
    pool();
    dense(1001);
    softmax();
  }
  const std::deque<Operator>& operators() const { return operators_; }

 private:
  Dtype dtype_;
  std::deque<Operator> operators_;
  std::deque<std::vector<float>> floats_;
  std::deque<std::vector<int32_t>> integers_;
  std::deque<std::vector<uint8_t>> bytes_;
  int32_t side_ = 0, channels_ = 0, blocks_ = 0;
  uint32_t random_ = 1;

  // In [-1, 1).
  float random() {
    random_ = random_ * 1664525u + 1013904223u;
    return static_cast<float>(random_ >> 8) / (1 << 23) - 1;
  }

  static void fixed_point(double real, int32_t* multiplier, int32_t* shift) {
    *multiplier = static_cast<int32_t>(std::frexp(real, shift) * (int64_t{1} << 31));
  }

  int32_t zero_point(bool linear) const { return linear ? 128 : 0; }

  // 8 bits: signed weights with a factor per channel, as in TensorFlow's int8 files.
  Conv conv(int32_t in, int32_t out, int32_t kernel, int32_t stride, bool depthwise, bool linear, int32_t input_zero) {
    Conv c;
    c.in_channels = in, c.out_channels = out, c.kernel = kernel, c.stride = stride, c.depthwise = depthwise;
    const int32_t fan_in = kernel * kernel * (depthwise ? 1 : in);
    const auto count = static_cast<size_t>(fan_in) * out;
    const auto width = static_cast<size_t>(out);
    if (dtype_ == Dtype::f32) {
      std::vector<float>& weights = floats_.emplace_back(count);
      for (float& w : weights) w = 2 * random() / std::sqrt(static_cast<float>(fan_in));
      c.weights_f32 = weights.data();
      c.bias_f32 = floats_.emplace_back(width, 0.1f).data();
      c.min_f32 = linear ? -kInfinity : 0, c.max_f32 = linear ? kInfinity : 6;
      return c;
    }
    std::vector<uint8_t>& weights = bytes_.emplace_back(count);
    for (uint8_t& w : weights) w = static_cast<uint8_t>(static_cast<int8_t>(127 * random()));
    std::vector<int32_t>&multipliers = integers_.emplace_back(width), &shifts = integers_.emplace_back(width);
    for (size_t o = 0; o < width; ++o) {
      fixed_point((1.5 + 0.5 * random()) * 0.02 / std::sqrt(fan_in), &multipliers[o], &shifts[o]);
    }
    c.weights_q = weights.data();
    c.weight_signed = true;
    c.bias_q = integers_.emplace_back(width, 1000).data();
    c.multipliers = multipliers.data(), c.shifts = shifts.data();
    c.input_zero_point = input_zero;
    c.output_zero_point = zero_point(linear);
    return c;
  }

  Operator& add(std::string name, OpKind kind, int32_t out_channels, int32_t stride, int64_t macs_per_pixel) {
    Operator& stage = operators_.emplace_back();
    stage.name = std::move(name);
    stage.op.kind = kind;
    stage.op.dtype = dtype_;
    StageShape& s = stage.shape;
    s.in_height = s.in_width = side_;
    s.in_channels = channels_;
    side_ = (side_ + stride - 1) / stride;
    s.out_height = s.out_width = side_;
    s.out_channels = channels_ = out_channels;
    stage.macs = macs_per_pixel * side_ * side_;
    return stage;
  }

  // TensorFlow's SAME for a 3x3 kernel.
  static void pad(StageShape* s, int32_t stride) {
    s->pad_top = s->pad_left = std::max((s->out_width - 1) * stride + 3 - s->in_width, 0) / 2;
  }

  void stem(int32_t side, int32_t out) {
    side_ = side, channels_ = 3;
    Operator& stage = add("stem", OpKind::stem, out, 2, 27 * out);
    pad(&stage.shape, 2);
    stage.op.conv = conv(3, out, 3, 2, false, false, 128);
  }

  void block(int32_t expansion, int32_t out, int32_t stride) {
    const int32_t in = channels_, wide = in * expansion, in_side = side_;
    Operator& stage =
        add("block " + std::to_string(++blocks_), OpKind::inverted_residual, out, stride, int64_t{wide} * (9 + out));
    pad(&stage.shape, stride);
    Op& op = stage.op;
    op.has_expand = expansion != 1;
    if (op.has_expand) {
      stage.macs += int64_t{in} * wide * in_side * in_side;
      op.expand = conv(in, wide, 1, 1, false, false, zero_point(true));
    }
    op.depthwise = conv(wide, wide, 3, stride, true, false, zero_point(false));
    op.project = conv(wide, out, 1, 1, false, true, zero_point(false));
    if (stride != 1 || in != out) return;
    Residual& r = op.residual;
    r.present = true;
    r.min_f32 = -kInfinity, r.max_f32 = kInfinity;
    r.a_zero_point = r.b_zero_point = r.output_zero_point = zero_point(true);
    fixed_point(0.5, &r.a_multiplier, &r.a_shift);
    fixed_point(0.4, &r.b_multiplier, &r.b_shift);
    fixed_point(0.9 / (1 << 19), &r.output_multiplier, &r.output_shift);
  }

  void head(int32_t out) {
    const int32_t in = channels_;
    add("head", OpKind::pointwise, out, 1, int64_t{in} * out).op.conv =
        conv(in, out, 1, 1, false, false, zero_point(true));
  }

  void pool() {
    Pool& pool = add("pool", OpKind::global_average_pool, channels_, side_, 0).op.pool;
    pool.channels = channels_;
    pool.bias = dtype_ == Dtype::f32 ? 0 : 128;
  }

  void dense(int32_t classes) {
    const int32_t in = channels_;
    Dense& dense = add("classifier", OpKind::dense, classes, 1, int64_t{in} * classes).op.dense;
    dense.conv = conv(in, classes, 1, 1, false, true, zero_point(false));
  }

  void softmax() {
    Softmax& softmax = add("softmax", OpKind::softmax, channels_, 1, 0).op.softmax;
    softmax.classes = channels_;
    softmax.logit_scale = 0.1f;
    fixed_point(0.1 * (1 << 26), &softmax.multiplier, &softmax.shift);
    softmax.diff_min = -static_cast<int32_t>(31.0 * (1 << 26) / std::ldexp(1.0, softmax.shift));
  }
};

// For the plugin; no file has this descriptor.
void mark(int number) { close(-1000 - number); }

bool run(const Operator& stage, Isa ceiling, int number) {
  const Op& op = stage.op;
  const StageShape& s = stage.shape;
  if (const Status status = check_op(op); !status.ok()) return false;
  const Kernel& kernel = choose_kernel(op, ceiling);
  const StageFacts facts = kernel.facts(op, s);
  const size_t in_row = static_cast<size_t>(s.in_width) * s.in_channels * element_bytes(op.dtype);
  const size_t out_row = static_cast<size_t>(s.out_width) * s.out_channels * sizeof(float);
  AlignedBuffer packed, scratch, input, output;
  if (!packed.allocate(kernel.packed_bytes(op)) || !scratch.allocate(facts.scratch_bytes) ||
      !input.allocate(in_row * s.in_height) || !output.allocate(out_row * s.out_height)) {
    return false;
  }
  kernel.pack(op, packed.data());
  std::memset(input.data(), 0x3f, in_row * s.in_height);  // floats: 0.75
  StageArgs args;
  args.op = &op;
  args.packed = packed.data();
  args.shape = s;
  args.input = {input.data(), s.in_height, in_row};
  args.output = {output.data(), s.out_height, out_row};
  args.scratch = scratch.data();
  mark(number);
  for (int32_t y = 0; y < s.out_height; y += facts.strip_rows) {
    kernel.run(args, y, std::min(y + facts.strip_rows, s.out_height));
  }
  mark(0);
  std::printf("%d %lld %s %s\n", number, static_cast<long long>(stage.macs), kernel.name, stage.name.c_str());
  return true;
}

}  // namespace
}  // namespace mobilenetv2

int main(int argc, char** argv) {
  using namespace mobilenetv2;
  Isa ceiling;
  const std::string dtype = argc == 3 ? argv[1] : "";
  if ((dtype != "f32" && dtype != "qu8") || !isa_from_name(argv[2], &ceiling)) {
    std::fprintf(stderr, "usage: arm_layers f32|qu8 ISA\n");
    return 2;
  }
  if (!cpu_has(ceiling)) {
    std::fprintf(stderr, "this CPU does not have %s\n", argv[2]);
    return 1;
  }
  const Network network(dtype == "f32" ? Dtype::f32 : Dtype::qu8);
  int number = 0;
  for (const Operator& stage : network.operators()) {
    if (!run(stage, ceiling, ++number)) {
      std::fprintf(stderr, "%s: refused\n", stage.name.c_str());
      return 1;
    }
  }
}

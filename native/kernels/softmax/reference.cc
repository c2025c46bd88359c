#include <cmath>

#include "kernels/reference.h"
#include "kernels/reference_kernels.h"
#include "kernels/softmax/fixed_point.h"

namespace mobilenetv2 {
namespace {

constexpr size_t kExpTableBytes = 256 * sizeof(int32_t);

bool is_fixed_point(const Op& op) { return op.dtype == Dtype::qu8 && !op.softmax.dequantize; }

size_t packed_bytes(const Op& op) { return is_fixed_point(op) ? kExpTableBytes : 0; }

void pack(const Op& op, uint8_t* packed) {
  if (is_fixed_point(op)) fixed_point::make_exp_table(op.softmax, reinterpret_cast<int32_t*>(packed));
}

// Codes of one vector; only the fixed point needs them beside its float output.
StageFacts facts(const Op& op, const StageShape&) {
  return {is_fixed_point(op) ? align_up(static_cast<size_t>(op.softmax.classes)) : 0, 1};
}

// In place; double inside, so that the reference is better than what is held against it.
void softmax_f32(float* values, int32_t classes, float beta) {
  double largest = values[0];
  for (int32_t i = 1; i < classes; ++i) largest = std::max<double>(largest, values[i]);
  double sum = 0;
  for (int32_t i = 0; i < classes; ++i) sum += std::exp((values[i] - largest) * beta);
  for (int32_t i = 0; i < classes; ++i) {
    values[i] = static_cast<float>(std::exp((values[i] - largest) * beta) / sum);
  }
}

void run_f32(StageArgs& args, int32_t, int32_t) {
  const Softmax& softmax = args.op->softmax;
  auto* out = reinterpret_cast<float*>(args.output.row(0));
  const auto* logits = reinterpret_cast<const float*>(args.input.row(0));
  std::copy(logits, logits + softmax.classes, out);
  softmax_f32(out, softmax.classes, softmax.beta);
  emit(args, Layer::softmax, 0, out, args.output.row_bytes);
}

void run_fixed_point(StageArgs& args) {
  const Softmax& softmax = args.op->softmax;
  const auto* exps = reinterpret_cast<const int32_t*>(args.packed);
  const uint8_t* logits = args.input.row(0);
  uint8_t* codes = args.scratch;
  auto* out = reinterpret_cast<float*>(args.output.row(0));
  const int32_t largest = *std::max_element(logits, logits + softmax.classes);
  int64_t sum = 0;
  for (int32_t i = 0; i < softmax.classes; ++i) {
    const int32_t exp = exps[largest - logits[i]];
    if (exp >= 0) sum += rounding_shift_right(exp, 12);
  }
  const fixed_point::Normaliser normaliser = fixed_point::normaliser(sum);
  for (int32_t i = 0; i < softmax.classes; ++i) {
    codes[i] = normaliser.code(exps[largest - logits[i]]);
    out[i] = static_cast<float>(codes[i]) * (1.0f / 256);
  }
  emit(args, Layer::softmax, 0, codes, static_cast<size_t>(softmax.classes));
}

void run_qu8(StageArgs& args, int32_t, int32_t) {
  const Softmax& softmax = args.op->softmax;
  if (!softmax.dequantize) return run_fixed_point(args);
  auto* out = reinterpret_cast<float*>(args.output.row(0));
  const uint8_t* logits = args.input.row(0);
  for (int32_t i = 0; i < softmax.classes; ++i) {
    out[i] = softmax.logit_scale * static_cast<float>(logits[i] - softmax.logit_zero_point);
  }
  softmax_f32(out, softmax.classes, softmax.beta);
  emit(args, Layer::softmax, 0, out, args.output.row_bytes);
}

}  // namespace

const Kernel softmax_f32__scalar = {
    "softmax_f32__scalar", OpKind::softmax, Dtype::f32, Isa::scalar, nullptr, packed_bytes, pack, facts, run_f32};
const Kernel softmax_qu8__scalar = {
    "softmax_qu8__scalar", OpKind::softmax, Dtype::qu8, Isa::scalar, nullptr, packed_bytes, pack, facts, run_qu8};

}  // namespace mobilenetv2

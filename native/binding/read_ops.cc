#include <string>

#include "binding/read.h"
#include "core/quantization.h"

namespace mobilenetv2 {
namespace {

constexpr int32_t kMaxChannels = 1 << 16;            // check_op says the rest
constexpr uint64_t kMaxWeights = uint64_t{1} << 30;  // their bytes fit a 32-bit size_t; no file has as many

bool plausible(const Conv& conv) {
  return conv.in_channels > 0 && conv.in_channels <= kMaxChannels && conv.out_channels > 0 &&
         conv.out_channels <= kMaxChannels && (conv.kernel == 1 || conv.kernel == 3);
}

// Of every channel, input * weights / output: uint8 files round the product to float32 first, int8 files compute in
// double throughout.
void read_factors(const Fields& f, ReadOps* read, FieldErrors* errors, Conv* conv) {
  const auto outs = static_cast<size_t>(conv->out_channels);
  const float* const weights = f.elements<float>("weightScales", napi_float32_array, outs);
  const double input = f.number("inputScale"), output = f.number("outputScale");
  const bool as_float = f.boolean("floatProduct");
  if (!errors->ok()) return;
  int32_t* const multipliers = read->factors.emplace_back(new int32_t[2 * outs]).get();
  int32_t* const shifts = multipliers + outs;
  for (size_t o = 0; o < outs; ++o) {
    const double product = input * weights[o];
    const FixedPoint factor = to_fixed_point((as_float ? static_cast<float>(product) : product) / output);
    multipliers[o] = factor.multiplier;
    shifts[o] = factor.shift;
  }
  conv->multipliers = multipliers;
  conv->shifts = shifts;
}

Conv read_conv(const Fields& f, Dtype dtype, ReadOps* read, FieldErrors* errors) {
  Conv conv;
  conv.in_channels = f.integer("inChannels");
  conv.out_channels = f.integer("outChannels");
  conv.kernel = f.integer("kernel");
  conv.stride = f.integer("stride");
  conv.depthwise = f.boolean("depthwise");
  if (!errors->ok()) return conv;
  if (!plausible(conv)) {
    f.fail("outChannels", "or another size is out of range");
    return conv;
  }
  const auto outs = static_cast<size_t>(conv.out_channels);
  const uint64_t weights = uint64_t{outs} * static_cast<uint64_t>(conv.kernel * conv.kernel) *
                           static_cast<uint64_t>(conv.depthwise ? 1 : conv.in_channels);
  if (weights >= kMaxWeights) {
    f.fail("weights", "are too many");
    return conv;
  }
  const auto count = static_cast<size_t>(weights);
  if (dtype == Dtype::f32) {
    conv.weights_f32 = f.elements<float>("weights", napi_float32_array, count);
    conv.bias_f32 = f.elements<float>("bias", napi_float32_array, outs);
    conv.min_f32 = static_cast<float>(f.number("min"));
    conv.max_f32 = static_cast<float>(f.number("max"));
    return conv;
  }
  conv.weight_signed = f.boolean("weightSigned");
  conv.weights_q = f.elements<uint8_t>("weights", conv.weight_signed ? napi_int8_array : napi_uint8_array, count);
  conv.weight_zero_point = f.integer("weightZeroPoint");
  conv.bias_q = f.elements<int32_t>("bias", napi_int32_array, outs);
  read_factors(f, read, errors, &conv);
  conv.input_zero_point = f.integer("inputZeroPoint");
  conv.output_zero_point = f.integer("outputZeroPoint");
  conv.min_q = f.integer("min");
  conv.max_q = f.integer("max");
  conv.input_flip = f.boolean("inputSigned") ? 0x80 : 0;
  return conv;
}

void read_factor(const Fields& f, const char* name, int32_t* multiplier, int32_t* shift) {
  const FixedPoint factor = to_fixed_point(f.number(name));
  *multiplier = factor.multiplier;
  *shift = factor.shift;
}

Residual read_residual(const Fields& f, Dtype dtype) {
  Residual r;
  r.present = true;
  if (dtype == Dtype::f32) {
    r.min_f32 = static_cast<float>(f.number("min"));
    r.max_f32 = static_cast<float>(f.number("max"));
    return r;
  }
  r.a_zero_point = f.integer("aZeroPoint");
  read_factor(f, "aFactor", &r.a_multiplier, &r.a_shift);
  r.b_zero_point = f.integer("bZeroPoint");
  read_factor(f, "bFactor", &r.b_multiplier, &r.b_shift);
  r.output_zero_point = f.integer("outputZeroPoint");
  read_factor(f, "outputFactor", &r.output_multiplier, &r.output_shift);
  r.min_q = f.integer("min");
  r.max_q = f.integer("max");
  return r;
}

Pool read_pool(const Fields& f, Dtype dtype) {
  Pool pool;
  pool.channels = f.integer("channels");
  if (dtype == Dtype::f32) return pool;
  pool.mean = f.boolean("mean");
  pool.bias = f.integer("bias");
  pool.input_zero_point = f.integer("inputZeroPoint");
  pool.output_zero_point = f.integer("outputZeroPoint");
  read_factor(f, "factor", &pool.multiplier, &pool.shift);
  pool.min_q = f.integer("min");
  pool.max_q = f.integer("max");
  return pool;
}

Softmax read_softmax(const Fields& f, Dtype dtype) {
  Softmax softmax;
  softmax.classes = f.integer("classes");
  softmax.beta = static_cast<float>(f.number("beta"));
  if (dtype == Dtype::f32) return softmax;
  softmax.dequantize = f.boolean("dequantize");
  if (softmax.dequantize) {
    softmax.logit_scale = static_cast<float>(f.number("logitScale"));
    softmax.logit_zero_point = f.integer("logitZeroPoint");
  } else {
    read_factor(f, "factor", &softmax.multiplier, &softmax.shift);
    const bool shifts = softmax.shift >= 0 && softmax.shift <= 31;  // others are refused
    softmax.diff_min = shifts ? -static_cast<int32_t>((int64_t{31} << 26) >> softmax.shift) : 0;
  }
  return softmax;
}

Op read_op(const Fields& f, ReadOps* read, FieldErrors* errors) {
  Op op;
  const std::string kind = f.text("kind");
  op.dtype = f.text("dtype") == "f32" ? Dtype::f32 : Dtype::qu8;
  if (kind == "stem" || kind == "pointwise") {
    op.kind = kind == "stem" ? OpKind::stem : OpKind::pointwise;
    op.conv = read_conv(f.object("conv"), op.dtype, read, errors);
  } else if (kind == "invertedResidual") {
    op.kind = OpKind::inverted_residual;
    op.has_expand = f.has("expand");
    if (op.has_expand) op.expand = read_conv(f.object("expand"), op.dtype, read, errors);
    op.depthwise = read_conv(f.object("depthwise"), op.dtype, read, errors);
    op.project = read_conv(f.object("project"), op.dtype, read, errors);
    if (f.has("residual")) op.residual = read_residual(f.object("residual"), op.dtype);
  } else if (kind == "globalAveragePool") {
    op.kind = OpKind::global_average_pool;
    op.pool = read_pool(f.object("pool"), op.dtype);
  } else if (kind == "dense") {
    op.kind = OpKind::dense;
    op.dense.conv = read_conv(f.object("conv"), op.dtype, read, errors);
    op.dense.single_rounding = f.boolean("singleRounding");
    op.dense.real_multiplier = f.number("realMultiplier");
  } else if (kind == "softmax") {
    op.kind = OpKind::softmax;
    op.softmax = read_softmax(f.object("softmax"), op.dtype);
  } else {
    f.fail("kind", "is unknown");
  }
  return op;
}

}  // namespace

ReadOps read_ops(const Napi::Value& ops, FieldErrors* errors) {
  ReadOps read;
  const Napi::Object holder = Napi::Object::New(ops.Env());
  holder.Set("ops", ops);
  Fields(holder, "model", errors).each("ops", [&](const Fields& f) { read.ops.push_back(read_op(f, &read, errors)); });
  return read;
}

}  // namespace mobilenetv2

#include <string>

#include "binding/read.h"

namespace mobilenetv2 {
namespace {

constexpr int32_t kMaxChannels = 1 << 16;  // bounds the products below; check_op says the rest

bool plausible(const Conv& conv) {
  return conv.in_channels > 0 && conv.in_channels <= kMaxChannels && conv.out_channels > 0 &&
         conv.out_channels <= kMaxChannels && (conv.kernel == 1 || conv.kernel == 3);
}

Conv read_conv(const Fields& f, Dtype dtype, FieldErrors* errors) {
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
  const size_t count = outs * conv.kernel * conv.kernel * (conv.depthwise ? 1 : static_cast<size_t>(conv.in_channels));
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
  conv.multipliers = f.elements<int32_t>("multipliers", napi_int32_array, outs);
  conv.shifts = f.elements<int32_t>("shifts", napi_int32_array, outs);
  conv.input_zero_point = f.integer("inputZeroPoint");
  conv.output_zero_point = f.integer("outputZeroPoint");
  conv.min_q = f.integer("min");
  conv.max_q = f.integer("max");
  conv.input_flip = f.boolean("inputSigned") ? 0x80 : 0;
  return conv;
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
  r.a_multiplier = f.integer("aMultiplier");
  r.a_shift = f.integer("aShift");
  r.b_zero_point = f.integer("bZeroPoint");
  r.b_multiplier = f.integer("bMultiplier");
  r.b_shift = f.integer("bShift");
  r.output_zero_point = f.integer("outputZeroPoint");
  r.output_multiplier = f.integer("outputMultiplier");
  r.output_shift = f.integer("outputShift");
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
  pool.multiplier = f.integer("multiplier");
  pool.shift = f.integer("shift");
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
    softmax.multiplier = f.integer("multiplier");
    softmax.shift = f.integer("shift");
    softmax.diff_min = f.integer("diffMin");
  }
  return softmax;
}

Op read_op(const Fields& f, FieldErrors* errors) {
  Op op;
  const std::string kind = f.text("kind");
  op.dtype = f.text("dtype") == "f32" ? Dtype::f32 : Dtype::qu8;
  if (kind == "stem" || kind == "pointwise") {
    op.kind = kind == "stem" ? OpKind::stem : OpKind::pointwise;
    op.conv = read_conv(f.object("conv"), op.dtype, errors);
  } else if (kind == "invertedResidual") {
    op.kind = OpKind::inverted_residual;
    op.has_expand = f.has("expand");
    if (op.has_expand) op.expand = read_conv(f.object("expand"), op.dtype, errors);
    op.depthwise = read_conv(f.object("depthwise"), op.dtype, errors);
    op.project = read_conv(f.object("project"), op.dtype, errors);
    if (f.has("residual")) op.residual = read_residual(f.object("residual"), op.dtype);
  } else if (kind == "globalAveragePool") {
    op.kind = OpKind::global_average_pool;
    op.pool = read_pool(f.object("pool"), op.dtype);
  } else if (kind == "dense") {
    op.kind = OpKind::dense;
    op.dense.conv = read_conv(f.object("conv"), op.dtype, errors);
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

std::vector<Op> read_ops(const Napi::Value& ops, FieldErrors* errors) {
  std::vector<Op> result;
  const Napi::Object holder = Napi::Object::New(ops.Env());
  holder.Set("ops", ops);
  Fields(holder, "model", errors).each("ops", [&](const Fields& f) { result.push_back(read_op(f, errors)); });
  return result;
}

}  // namespace mobilenetv2

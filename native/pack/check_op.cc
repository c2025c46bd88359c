#include <cmath>
#include <cstdlib>

#include "pack/packed_model.h"

namespace mobilenetv2 {
namespace {

constexpr int32_t kMaxChannels = 1 << 16;

bool is_byte(int32_t v) { return v >= 0 && v <= 255; }

bool is_multiplier(int32_t multiplier, int32_t shift, int32_t max_shift) {
  return multiplier >= 0 && shift >= -31 && shift <= max_shift;
}

// |bias| + sum |w| * 255 bounds every partial sum, in any order, of a channel's accumulator.
bool accumulators_fit(const Conv& conv) {
  const int64_t taps = int64_t{conv.kernel} * conv.kernel;
  const int64_t ins = conv.depthwise ? 1 : conv.in_channels;
  for (int64_t o = 0; o < conv.out_channels; ++o) {
    int64_t bound = std::abs(int64_t{conv.bias_q[o]});
    if (bound + taps * ins * 255 * 255 <= INT32_MAX) continue;  // whatever the weights
    for (int64_t i = 0; i < taps * ins; ++i) {
      const int64_t at = conv.depthwise ? i * conv.out_channels + o : o * taps * ins + i;
      bound += int64_t{std::abs(conv.weight(at))} * 255;
    }
    if (bound > INT32_MAX) return false;
  }
  return true;
}

Status check_conv(const Conv& conv, Dtype dtype, const char* name) {
  const auto fail = [name](const char* what) { return failure(std::string(name) + ": " + what); };
  if (conv.in_channels < 1 || conv.in_channels > kMaxChannels || conv.out_channels < 1 ||
      conv.out_channels > kMaxChannels) {
    return fail("channels out of range");
  }
  if ((conv.kernel != 1 && conv.kernel != 3) || (conv.stride != 1 && conv.stride != 2)) {
    return fail("kernel must be 1 or 3 and stride 1 or 2");
  }
  if (conv.depthwise && conv.in_channels != conv.out_channels) return fail("depthwise channels differ");
  if (dtype == Dtype::f32) return conv.min_f32 <= conv.max_f32 ? Status{} : fail("empty clamp");

  if (!is_byte(conv.input_zero_point) || !is_byte(conv.output_zero_point) || !is_byte(conv.min_q) ||
      !is_byte(conv.max_q) || conv.min_q > conv.max_q) {
    return fail("zero points and clamp must be bytes");
  }
  if (conv.weight_signed ? conv.weight_zero_point != 0 : !is_byte(conv.weight_zero_point)) {
    return fail("weight zero point out of range");
  }
  for (int32_t o = 0; o < conv.out_channels; ++o) {
    if (!is_multiplier(conv.multipliers[o], conv.shifts[o], 30)) return fail("multiplier out of range");
  }
  return accumulators_fit(conv) ? Status{} : fail("an accumulator could leave 32 bits");
}

Status check_block(const Op& op) {
  if (op.has_expand) {
    const Status status = check_conv(op.expand, op.dtype, "expand");
    if (!status.ok()) return status;
    if (op.expand.kernel != 1 || op.expand.stride != 1 || op.expand.depthwise ||
        op.expand.out_channels != op.depthwise.in_channels) {
      return failure("expand must be 1x1 and fit the depthwise");
    }
  }
  for (const auto& [conv, name] : {std::pair{&op.depthwise, "depthwise"}, std::pair{&op.project, "project"}}) {
    const Status status = check_conv(*conv, op.dtype, name);
    if (!status.ok()) return status;
  }
  if (!op.depthwise.depthwise || op.depthwise.kernel != 3) return failure("depthwise must be 3x3");
  if (op.project.kernel != 1 || op.project.stride != 1 || op.project.depthwise ||
      op.project.in_channels != op.depthwise.out_channels) {
    return failure("project must be 1x1 and fit the depthwise");
  }
  const Residual& r = op.residual;
  if (!r.present) return {};
  const int32_t in_channels = op.has_expand ? op.expand.in_channels : op.depthwise.in_channels;
  if (op.depthwise.stride != 1 || in_channels != op.project.out_channels) {
    return failure("a residual needs stride 1 and equal channels");
  }
  if (op.dtype == Dtype::f32) return r.min_f32 <= r.max_f32 ? Status{} : failure("residual: empty clamp");
  const bool ok = is_byte(r.a_zero_point) && is_byte(r.b_zero_point) && is_byte(r.output_zero_point) &&
                  is_byte(r.min_q) && is_byte(r.max_q) && r.min_q <= r.max_q &&
                  is_multiplier(r.a_multiplier, r.a_shift, 0) && is_multiplier(r.b_multiplier, r.b_shift, 0) &&
                  is_multiplier(r.output_multiplier, r.output_shift, 30);
  return ok ? Status{} : failure("residual: quantisation out of range");
}

Status check_pool(const Op& op) {
  const Pool& p = op.pool;
  if (p.channels < 1 || p.channels > kMaxChannels) return failure("pool: channels out of range");
  if (op.dtype == Dtype::f32) return {};
  const bool ok = (p.bias == 0 || p.bias == 128) && is_byte(p.input_zero_point) && is_byte(p.output_zero_point) &&
                  is_byte(p.min_q) && is_byte(p.max_q) && p.min_q <= p.max_q &&
                  is_multiplier(p.multiplier, p.shift, 30);
  return ok ? Status{} : failure("pool: quantisation out of range");
}

Status check_softmax(const Op& op) {
  const Softmax& s = op.softmax;
  if (s.classes < 1 || s.classes > kMaxChannels) return failure("softmax: classes out of range");
  if (!std::isfinite(s.beta)) return failure("softmax: beta is not finite");
  if (op.dtype == Dtype::f32) return {};
  if (s.dequantize) {
    return std::isfinite(s.logit_scale) && is_byte(s.logit_zero_point) ? Status{}
                                                                       : failure("softmax: logits out of range");
  }
  const bool ok = s.shift >= 0 && s.shift <= 31 && s.multiplier >= 0 && s.diff_min <= 0;
  return ok ? Status{} : failure("softmax: multiplier out of range");
}

}  // namespace

Status check_op(const Op& op) {
  switch (op.kind) {
    case OpKind::stem: {
      const Status status = check_conv(op.conv, op.dtype, "stem");
      if (!status.ok()) return status;
      const bool ok = op.conv.kernel == 3 && op.conv.in_channels == 3 && !op.conv.depthwise &&
                      (op.conv.input_flip == 0 || op.conv.input_flip == 0x80);
      return ok ? Status{} : failure("stem must be a 3x3 convolution of RGB");
    }
    case OpKind::inverted_residual:
      return check_block(op);
    case OpKind::pointwise: {
      const Status status = check_conv(op.conv, op.dtype, "pointwise");
      if (!status.ok()) return status;
      const bool ok = op.conv.kernel == 1 && op.conv.stride == 1 && !op.conv.depthwise && op.conv.input_flip == 0;
      return ok ? Status{} : failure("pointwise must be 1x1 at stride 1");
    }
    case OpKind::global_average_pool:
      return check_pool(op);
    case OpKind::dense: {
      const Status status = check_conv(op.dense.conv, op.dtype, "dense");
      if (!status.ok()) return status;
      if (op.dense.conv.kernel != 1 || op.dense.conv.stride != 1 || op.dense.conv.depthwise) {
        return failure("dense must be 1x1");
      }
      return std::isfinite(op.dense.real_multiplier) ? Status{} : failure("dense: multiplier is not finite");
    }
    case OpKind::softmax:
      return check_softmax(op);
  }
  return failure("unknown op");
}

}  // namespace mobilenetv2

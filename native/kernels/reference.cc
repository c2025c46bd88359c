#include "kernels/reference.h"

#include <cstring>

namespace mobilenetv2::reference {
namespace {

size_t weight_count(const Conv& conv) {
  const size_t taps = static_cast<size_t>(conv.kernel) * conv.kernel;
  return taps * conv.out_channels * (conv.depthwise ? 1 : conv.in_channels);
}

size_t weights_bytes(const Conv& conv, Dtype dtype) {
  return align_up(weight_count(conv) * (dtype == Dtype::f32 ? sizeof(float) : sizeof(int16_t)));
}

template <typename Weight>
PackedConv<Weight> view(const Conv& conv, Dtype dtype, const uint8_t* packed) {
  const auto* tail = reinterpret_cast<const int32_t*>(packed + weights_bytes(conv, dtype));
  return {reinterpret_cast<const Weight*>(packed), tail, tail + conv.out_channels, tail + 2 * conv.out_channels};
}

// Calls tap(first weight of the tap, input pixel) for every tap of output pixel (y, x) that lies inside the image.
template <typename Value, typename Visit>
void for_each_tap(const Conv& conv, const ConvInput& input, int32_t y, int32_t x, const Visit& visit) {
  const size_t tap_weights = static_cast<size_t>(conv.out_channels) * (conv.depthwise ? 1 : conv.in_channels);
  for (int32_t ky = 0; ky < conv.kernel; ++ky) {
    const int32_t in_y = y * conv.stride - input.pad_top + ky;
    if (in_y < 0 || in_y >= input.height) continue;
    const Value* row = reinterpret_cast<const Value*>(input.rows.row(in_y));
    for (int32_t kx = 0; kx < conv.kernel; ++kx) {
      const int32_t in_x = x * conv.stride - input.pad_left + kx;
      if (in_x < 0 || in_x >= input.width) continue;
      visit((ky * conv.kernel + kx) * tap_weights, row + static_cast<size_t>(in_x) * conv.in_channels);
    }
  }
}

}  // namespace

size_t packed_conv_bytes(const Conv& conv, Dtype dtype) {
  return weights_bytes(conv, dtype) + align_up(size_t{3} * conv.out_channels * sizeof(int32_t));
}

void pack_conv(const Conv& conv, Dtype dtype, uint8_t* packed) {
  const int64_t taps = int64_t{conv.kernel} * conv.kernel;
  const int64_t outs = conv.out_channels, ins = conv.depthwise ? 1 : conv.in_channels;
  for (int64_t out = 0; out < outs; ++out) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t in = 0; in < ins; ++in) {
        const int64_t from = conv.depthwise ? tap * outs + out : (out * taps + tap) * ins + in;
        const int64_t to = (tap * ins + in) * outs + out;
        if (dtype == Dtype::f32) {
          reinterpret_cast<float*>(packed)[to] = conv.weights_f32[from];
        } else {
          reinterpret_cast<int16_t*>(packed)[to] = static_cast<int16_t>(conv.weight(from));
        }
      }
    }
  }
  const size_t channel_bytes = static_cast<size_t>(outs) * sizeof(int32_t);
  uint8_t* tail = packed + weights_bytes(conv, dtype);
  if (dtype == Dtype::f32) {
    std::memcpy(tail, conv.bias_f32, channel_bytes);
  } else {
    std::memcpy(tail, conv.bias_q, channel_bytes);
    std::memcpy(tail + channel_bytes, conv.multipliers, channel_bytes);
    std::memcpy(tail + 2 * channel_bytes, conv.shifts, channel_bytes);
  }
}

void conv_row_f32(const Conv& conv, const uint8_t* packed, const ConvInput& input, int32_t y, int32_t out_width,
                  float* accumulators, float* out) {
  const PackedConv<float> p = view<float>(conv, Dtype::f32, packed);
  const int32_t outs = conv.out_channels;
  for (int32_t x = 0; x < out_width; ++x, out += outs) {
    std::memcpy(accumulators, p.bias_bits, outs * sizeof(float));
    for_each_tap<float>(conv, input, y, x, [&](size_t first, const float* pixel) {
      const float* w = p.weights + first;
      if (conv.depthwise) {
        for (int32_t c = 0; c < outs; ++c) accumulators[c] += pixel[c] * w[c];
        return;
      }
      for (int32_t in = 0; in < conv.in_channels; ++in, w += outs) {
        for (int32_t o = 0; o < outs; ++o) accumulators[o] += pixel[in] * w[o];
      }
    });
    for (int32_t o = 0; o < outs; ++o) out[o] = std::clamp(accumulators[o], conv.min_f32, conv.max_f32);
  }
}

void accumulate_qu8(const Conv& conv, const uint8_t* packed, const ConvInput& input, int32_t y, int32_t x,
                    int32_t* accumulators) {
  const PackedConv<int16_t> p = view<int16_t>(conv, Dtype::qu8, packed);
  const int32_t outs = conv.out_channels, zero = conv.input_zero_point;
  std::memcpy(accumulators, p.bias_bits, outs * sizeof(int32_t));
  // Padding is the zero point, so a tap outside the image adds nothing.
  for_each_tap<uint8_t>(conv, input, y, x, [&](size_t first, const uint8_t* pixel) {
    const int16_t* w = p.weights + first;
    if (conv.depthwise) {
      for (int32_t c = 0; c < outs; ++c) accumulators[c] += (pixel[c] - zero) * w[c];
      return;
    }
    for (int32_t in = 0; in < conv.in_channels; ++in, w += outs) {
      const int32_t value = (pixel[in] ^ conv.input_flip) - zero;
      for (int32_t o = 0; o < outs; ++o) accumulators[o] += value * w[o];
    }
  });
}

void conv_row_qu8(const Conv& conv, const uint8_t* packed, const ConvInput& input, int32_t y, int32_t out_width,
                  int32_t* accumulators, uint8_t* out) {
  const PackedConv<int16_t> p = view<int16_t>(conv, Dtype::qu8, packed);
  const int32_t outs = conv.out_channels;
  for (int32_t x = 0; x < out_width; ++x, out += outs) {
    accumulate_qu8(conv, packed, input, y, x, accumulators);
    for (int32_t o = 0; o < outs; ++o) {
      const int64_t q = int64_t{mbqm(accumulators[o], p.multipliers[o], p.shifts[o])} + conv.output_zero_point;
      out[o] = static_cast<uint8_t>(std::clamp<int64_t>(q, conv.min_q, conv.max_q));
    }
  }
}

size_t convolution_packed_bytes(const Op& op) { return packed_conv_bytes(op.conv, op.dtype); }

void convolution_pack(const Op& op, uint8_t* packed) { pack_conv(op.conv, op.dtype, packed); }

StageFacts convolution_facts(const Op& op, const StageShape&) {
  return {align_up(static_cast<size_t>(op.conv.out_channels) * sizeof(int32_t)), 1};
}

void convolution_run(StageArgs& args, Layer layer, int32_t row_begin, int32_t row_end) {
  const Conv& conv = args.op->conv;
  const StageShape& s = args.shape;
  const ConvInput input{args.input, s.in_height, s.in_width, s.pad_top, s.pad_left};
  for (int32_t y = row_begin; y < row_end; ++y) {
    uint8_t* out = args.output.row(y);
    if (args.op->dtype == Dtype::f32) {
      conv_row_f32(conv, args.packed, input, y, s.out_width, reinterpret_cast<float*>(args.scratch),
                   reinterpret_cast<float*>(out));
    } else {
      conv_row_qu8(conv, args.packed, input, y, s.out_width, reinterpret_cast<int32_t*>(args.scratch), out);
    }
    emit(args, layer, y, out, args.output.row_bytes);
  }
}

void residual_row_f32(const Residual& residual, const float* a, float* b, size_t count) {
  for (size_t i = 0; i < count; ++i) b[i] = std::clamp(a[i] + b[i], residual.min_f32, residual.max_f32);
}

void residual_row_qu8(const Residual& r, const uint8_t* a, uint8_t* b, size_t count) {
  constexpr int32_t kLeftShift = 20;  // TFLite's headroom for 8-bit ADD
  for (size_t i = 0; i < count; ++i) {
    const int32_t x = mbqm((a[i] - r.a_zero_point) * (1 << kLeftShift), r.a_multiplier, r.a_shift);
    const int32_t y = mbqm((b[i] - r.b_zero_point) * (1 << kLeftShift), r.b_multiplier, r.b_shift);
    const int64_t q =
        int64_t{mbqm(saturate_int32(int64_t{x} + y), r.output_multiplier, r.output_shift)} + r.output_zero_point;
    b[i] = static_cast<uint8_t>(std::clamp<int64_t>(q, r.min_q, r.max_q));
  }
}

}  // namespace mobilenetv2::reference

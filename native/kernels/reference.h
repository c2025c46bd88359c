// The scalar reference: readable rows of convolution that define what every fast kernel must give. They work from one
// simple packing and make one output row per call.
#pragma once

#include "kernels/common.h"

namespace mobilenetv2::reference {

// Packed form of a Conv: weights as [tap][in][out] (depthwise: [tap][channel]) so that the innermost loop runs over
// output channels; f32 as floats, qu8 as int16 with the zero point removed; then bias, multipliers and shifts, 4 bytes
// per output channel each.
template <typename Weight>
struct PackedConv {
  const Weight* weights;
  const int32_t* bias_bits;  // float bits for f32
  const int32_t* multipliers;
  const int32_t* shifts;
};

size_t packed_conv_bytes(const Conv& conv, Dtype dtype);
void pack_conv(const Conv& conv, Dtype dtype, uint8_t* packed);

// What a convolution sees of its input: rows are absolute, rows and columns outside the image are padding.
struct ConvInput {
  Rows rows;
  int32_t height = 0, width = 0;
  int32_t pad_top = 0, pad_left = 0;
};

// One output row of `out_width` pixels. `accumulators` holds conv.out_channels values of 4 bytes.
void conv_row_f32(const Conv& conv, const uint8_t* packed, const ConvInput& input, int32_t y, int32_t out_width,
                  float* accumulators, float* out);
void conv_row_qu8(const Conv& conv, const uint8_t* packed, const ConvInput& input, int32_t y, int32_t out_width,
                  int32_t* accumulators, uint8_t* out);

// The accumulators of one output pixel, bias included, before requantisation.
void accumulate_qu8(const Conv& conv, const uint8_t* packed, const ConvInput& input, int32_t y, int32_t x,
                    int32_t* accumulators);

// The body of the stem and pointwise kernels (ops whose weights are op.conv).
size_t convolution_packed_bytes(const Op& op);
void convolution_pack(const Op& op, uint8_t* packed);
StageFacts convolution_facts(const Op& op, const StageShape& shape);
void convolution_run(StageArgs& args, Layer layer, int32_t row_begin, int32_t row_end);

// y = clamp(a + b), in place in b.
void residual_row_f32(const Residual& residual, const float* a, float* b, size_t count);
void residual_row_qu8(const Residual& residual, const uint8_t* a, uint8_t* b, size_t count);

}  // namespace mobilenetv2::reference

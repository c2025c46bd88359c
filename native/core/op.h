// What a network is made of, independent of the input size: operators with their weights as the file gives them.
// lib/compile builds these from a ModelSpec; pack() of the chosen kernel turns them into tiles.
#pragma once

#include <cstdint>

namespace mobilenetv2 {

// f32: float activations and weights. qu8: 8-bit affine activations real = scale * (q - zero_point), always held as
// u8 (signed files are moved by 128 on the way in, which changes no formula but the average pool's, see Pool).
enum class Dtype : uint8_t { f32, qu8 };

enum class OpKind : uint8_t { stem, inverted_residual, pointwise, global_average_pool, dense, softmax };

// y = clamp(bias + sum x * w), float or quantised. Weight layout: [out][ky][kx][in] for conv (TFLite's OHWI),
// [ky][kx][channel] for depthwise. All pointers are borrowed: valid only while packing.
//
// Quantised: acc_o = bias_o + sum (x - input_zero_point) * (w - weight_zero_point), then
// y = clamp(output_zero_point + mbqm(acc_o, multiplier_o, shift_o), min_q, max_q); see core/quantization.h.
// Padding outside the image counts as x = input_zero_point.
struct Conv {
  int32_t in_channels = 0, out_channels = 0;
  int32_t kernel = 1;  // 1 or 3
  int32_t stride = 1;  // 1 or 2
  bool depthwise = false;

  // f32
  const float* weights_f32 = nullptr;
  const float* bias_f32 = nullptr;  // [out_channels]
  float min_f32 = 0, max_f32 = 0;   // may be +-infinity

  // qu8: weights are bytes, read as int8 when weight_signed, else as uint8
  const uint8_t* weights_q = nullptr;
  bool weight_signed = false;
  int32_t weight_zero_point = 0;                        // 0 when weight_signed
  const int32_t* bias_q = nullptr;                      // [out_channels]
  const int32_t* multipliers = nullptr;                 // [out_channels], 0 or 2^30 <= m < 2^31
  const int32_t* shifts = nullptr;                      // [out_channels], > 0 to the left
  int32_t input_zero_point = 0, output_zero_point = 0;  // u8 domain
  int32_t min_q = 0, max_q = 255;                       // u8 domain
  uint8_t input_flip = 0;  // stem only: the caller's bytes are XORed with this (0x80 for an int8 file's input)

  // One weight as the reference sees it: w - weight_zero_point, in -255 ... 255.
  int32_t weight(int64_t i) const {
    return (weight_signed ? static_cast<int32_t>(static_cast<int8_t>(weights_q[i])) : weights_q[i]) - weight_zero_point;
  }
};

// The skip between narrow tensors: y = x + project output. Quantised as TFLite's ADD: both inputs to a common scale
// with 20 more bits, added, and back. a is the block's input, b the projection's output.
struct Residual {
  bool present = false;
  float min_f32 = 0, max_f32 = 0;
  int32_t a_zero_point = 0, a_multiplier = 0, a_shift = 0;
  int32_t b_zero_point = 0, b_multiplier = 0, b_shift = 0;
  int32_t output_zero_point = 0, output_multiplier = 0, output_shift = 0;
  int32_t min_q = 0, max_q = 255;
};

// Mean over height and width. Quantised in one of two ways:
//   average (AVERAGE_POOL_2D): the mean of the file's own integers to nearest, halves away from zero; `bias` is 128
//     for a signed file (its integers are u8 - 128), else 0;
//   mean (MEAN): mbqm of sum (x - input_zero_point) with 1/n folded into the multiplier.
struct Pool {
  int32_t channels = 0;
  bool mean = false;
  int32_t bias = 0;
  int32_t input_zero_point = 0, output_zero_point = 0;
  int32_t multiplier = 0, shift = 0;
  int32_t min_q = 0, max_q = 255;
};

// Over `classes` logits. f32 in, f32 out; or, quantised, TFLite's fixed point: u8 logits -> u8 codes of scale 1/256.
// `dequantize`: u8 logits -> real logits -> float softmax (a quantised network whose file leaves softmax out).
// Every kind ends in float32 probabilities.
struct Softmax {
  int32_t classes = 0;
  bool dequantize = false;
  float beta = 1;
  float logit_scale = 0;              // dequantize
  int32_t logit_zero_point = 0;       // dequantize
  int32_t multiplier = 0, shift = 0;  // fixed point: beta * scale * 2^26
  int32_t diff_min = 0;               // fixed point: logits further below the maximum count as exp = 0
};

// FULLY_CONNECTED of uint8 files rounds once, in double: y = clamp(zp + round_half_away(acc * real_multiplier)).
struct Dense {
  Conv conv;
  bool single_rounding = false;
  double real_multiplier = 0;
};

struct Op {
  OpKind kind = OpKind::stem;
  Dtype dtype = Dtype::f32;
  Conv expand, depthwise, project;  // inverted_residual; expand only when has_expand (t = 1 has none)
  bool has_expand = false;
  Residual residual;
  Conv conv;  // stem, pointwise
  Dense dense;
  Pool pool;
  Softmax softmax;
};

}  // namespace mobilenetv2

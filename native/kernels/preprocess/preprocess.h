// From decoded pixels to the network's input tensor in one step: crop, resize, normalise, quantise. lib/preprocess.ts
// turns a named recipe and an image size into these numbers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/isa.h"
#include "cpu/neon.h"

namespace mobilenetv2 {

// pillow: Pillow's antialiased BILINEAR on 8-bit pixels, bit for bit: a triangle filter as wide as the reduction,
//   22-bit fixed-point weights, one pass per axis, each rounded to 8 bits. The result is bytes.
// half_pixel: two taps per axis at half-pixel centres, no antialiasing, in float32 (tf.image.resize, Keras).
// align_corners: two taps per axis, corner pixels onto corner pixels, in double (TensorFlow.js, as nsfwjs asks for).
enum class Resize : uint8_t { pillow, half_pixel, align_corners };

// The box of the source is cut out first: no filter looks beyond it. The window is what is kept of the resized box;
// the rest of it is never computed.
struct PreprocessArgs {
  const uint8_t* pixels = nullptr;  // HWC, rows of width * channels bytes without gaps
  int32_t width = 0, height = 0;
  int32_t channels = 3;  // 1 (grey, repeated), 3 (RGB) or 4 (RGBA, alpha dropped)

  int32_t box_x = 0, box_y = 0, box_width = 0, box_height = 0;
  Resize resize = Resize::pillow;
  bool vertical_first = false;  // pillow: the order of the passes, which decides some last bits
  int32_t resized_width = 0, resized_height = 0;
  int32_t window_x = 0, window_y = 0, out_width = 0, out_height = 0;

  // Exactly one output: RGB, HWC, out_height * out_width * 3 values. Bytes of a signed tensor are its two's complement.
  float* out_f32 = nullptr;
  uint8_t* out_u8 = nullptr;

  // pillow: what a byte of channel c becomes is entry c * 256 + byte; the table of the output's type is needed.
  const float* table_f32 = nullptr;
  const uint8_t* table_u8 = nullptr;

  // half_pixel, align_corners: an interpolated value v of channel c becomes v * mul[c] + add[c]; for a byte output
  // that is floored and clamped to min_q ... min_q + 255 (rounding and zero point are part of add).
  double mul[3] = {1, 1, 1}, add[3] = {0, 0, 0};
  int32_t min_q = 0;  // 0, or -128 for a signed tensor

  uint8_t* scratch = nullptr;  // the kernel's scratch_bytes(args), 64-byte aligned
};

// Sides of image, box and output. Below it all filter weights are exact enough for 32-bit sums.
inline constexpr int32_t kMaxImageSide = 1 << 20;
// Sides of the resized box: a thin image may be blown up far beyond the window that is kept.
inline constexpr int32_t kMaxResizedSide = 1 << 30;

// What is wrong with the arguments, or null. Looks at all but scratch, whose size is only known afterwards; that
// pixels, output, table and scratch are long enough is the caller's to know.
const char* check_preprocess(const PreprocessArgs& args);

// A kernel does all resizes; arguments are checked. It reads no byte outside the pixels, writes none outside output and
// scratch, and equals the scalar one bit for bit.
struct PreprocessKernel {
  const char* name;
  Isa isa;
  // Pillow's filter takes the weights of every output column and, horizontal pass first, a ring of about as many
  // resized rows as the vertical filter is high: 0.06 ... 0.1 MB for a 12-megapixel photo to 224x224.
  size_t (*scratch_bytes)(const PreprocessArgs& args);
  void (*run)(const PreprocessArgs& args);
};

extern const PreprocessKernel preprocess__scalar;  // the reference: what every other one must equal
#if defined(__x86_64__) || defined(_M_X64)
extern const PreprocessKernel preprocess__avx512vnni, preprocess__avx2;
#endif
#if defined(MOBILENETV2_NEON)
extern const PreprocessKernel preprocess__neon;
#endif

struct PreprocessKernelList {
  const PreprocessKernel* const* begin_row;
  const PreprocessKernel* const* end_row;
  const PreprocessKernel* const* begin() const { return begin_row; }
  const PreprocessKernel* const* end() const { return end_row; }
};

// All rows compiled for this architecture, best first; the scalar reference is last.
PreprocessKernelList all_preprocess_kernels();

// The first row that the CPU has and the ceiling allows.
const PreprocessKernel& choose_preprocess(Isa ceiling);

}  // namespace mobilenetv2

// The contract every kernel keeps, whatever its ISA. A kernel is one operator kind in one dtype; registry.cc lists
// them, best first. Kernels never allocate, throw, lock or read globals.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/op.h"
#include "core/rows.h"
#include "cpu/isa.h"

namespace mobilenetv2 {

// Geometry of one stage. Padding is what lies before the image (what lies after follows from the sizes): the input
// row read by tap ky of output row y is y * stride - pad_top + ky. 1x1 stages have no padding.
// For dense and softmax: height = width = 1, channels = features or classes.
struct StageShape {
  int32_t in_height = 0, in_width = 0, in_channels = 0;
  int32_t out_height = 0, out_width = 0, out_channels = 0;
  int32_t pad_top = 0, pad_left = 0;
};

// What a plan must give a kernel. strip_rows is how many output rows it likes to make per call (the last call of an
// image may make fewer); scratch is 64-byte aligned, private to one stage of one running image or band, and keeps
// its contents between the calls of one image.
struct StageFacts {
  size_t scratch_bytes = 0;
  int32_t strip_rows = 1;
};

// Layers inside a stage, in order, for tracing.
enum class Layer : uint8_t { stem, expand, depthwise, project, residual, pointwise, pool, dense, softmax };

// Sees every row a reference kernel makes, also of tensors that never exist whole. Only reference kernels call it.
struct Tap {
  void (*emit)(void* context, Layer layer, int32_t row, const void* data, size_t bytes) = nullptr;
  void* context = nullptr;
};

// Rows [row_begin, row_end) of the output, in ascending order without gaps within an image (or band).
// input.row(y) is valid for every input row the new output rows need that was not consumed by an earlier call:
//   inverted_residual: the rows from next_expanded on, and with a residual also rows [row_begin, row_end);
//   stem, pointwise: the rows their taps touch; pool, dense, softmax: the whole input.
// Rows are dense: reading beyond a row's end is not allowed (tails are masked or copied).
// Alignment: input, output rows may have any alignment (a float's for f32); scratch and packed are 64-byte aligned.
struct StageArgs {
  const Op* op = nullptr;  // sizes and scalars only: its weight pointers are gone after packing
  const uint8_t* packed = nullptr;
  StageShape shape;
  Rows input, output;
  uint8_t* scratch = nullptr;
  bool halved_vectors = false;  // halves_wide_vectors(): decides which tiles are fastest, not what they give
  int32_t next_expanded = 0;    // state of inverted_residual: first input row not yet expanded (kernel updates it)
  const Tap* tap = nullptr;
};

// Maps of few rows: bands of rows would repeat much of each other's expansion, or share out unevenly. With seven rows
// to a band slices of channels lose more, because the wide tensor passes from one core's cache to another's (measured).
bool slices_of_channels_wanted(const Op&, const StageShape&, int32_t slices);

// The other way to share a stage between threads: not independent bands of rows, but slices (of channels, or of rows)
// that pass each other what they made. Slices of one phase run at the same time; a phase begins when every slice of the
// one before has ended. Input and output are whole tensors, scratch is common to all slices and phases of a stage, and
// the result equals run()'s. A slice may find nothing left to do.
struct SlicedRun {
  int32_t phases;
  size_t (*scratch_bytes)(const Op&, const StageShape&, int32_t slices);
  void (*run)(const StageArgs&, int32_t phase, int32_t slice, int32_t slices);
  // Whether that is faster than bands, for two slices or more.
  bool (*wanted)(const Op&, const StageShape&, int32_t slices) = slices_of_channels_wanted;
};

struct Kernel {
  const char* name;  // <op>_<dtype>[_<tile>]__<isa>
  OpKind op;
  Dtype dtype;
  Isa isa;
  bool (*supports)(const Op&);  // null: every op of that kind and dtype
  size_t (*packed_bytes)(const Op&);
  void (*pack)(const Op&, uint8_t* packed);  // packed is zero-filled and 64-byte aligned
  StageFacts (*facts)(const Op&, const StageShape&);
  void (*run)(StageArgs&, int32_t row_begin, int32_t row_end);
  const SlicedRun* sliced = nullptr;  // null: only by rows
};

}  // namespace mobilenetv2

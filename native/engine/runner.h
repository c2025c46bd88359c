// Runs a checked program on one image. Allocates nothing; everything it writes lies in the arena.
#pragma once

#include <atomic>

#include "engine/program.h"

namespace mobilenetv2 {

// Runs body(context, i) for i in [0, count), possibly at the same time, and returns when all are done.
struct Parallel {
  void (*run)(void* pool, int32_t count, void (*body)(void* context, int32_t i), void* context) = nullptr;
  void* pool = nullptr;
};

struct RunOptions {
  Parallel parallel;                                // empty: the lanes of a step run one after the other
  const std::atomic<int32_t>* cancelled = nullptr;  // not 0: stop; looked at before every row strip
  void (*on_row)(void* context, size_t op, Layer layer, int32_t row, const void* data, size_t bytes) = nullptr;
  void* on_row_context = nullptr;    // tracing; only scalar kernels report rows
  double* op_nanoseconds = nullptr;  // added to, one entry per op of the model; with a single lane only
};

// input: one image, program.input_bytes(). arena: program.arena_bytes, 64-byte aligned. False when cancelled.
bool run_image(const PackedModel& model, const Program& program, const uint8_t* input, uint8_t* arena,
               const RunOptions& options);

}  // namespace mobilenetv2

// What lib/compile plans: the ops of a packed model at one input size, with every byte they touch placed in an arena.
#pragma once

#include <memory>
#include <vector>

#include "core/status.h"
#include "kernels/kernels.h"
#include "pack/packed_model.h"

namespace mobilenetv2 {

// Longest chain: more than any MobileNet has ops.
inline constexpr size_t kMaxStages = 32;

// One op of a step. The output is a ring of output_rows rows; it is a whole tensor when output_rows is its height.
struct Stage {
  size_t op = 0;
  StageShape shape;
  int32_t output_rows = 0;
};

// One thread's share of a step: rows [row_begin, row_end) of the last stage's output, and where each stage's output
// and scratch lie in the arena for it. The lanes of a step share the last stage's output and nothing else, so that
// they run at the same time; rows at the border between two lanes are computed by both.
struct Lane {
  struct Place {
    size_t output_offset = 0, scratch_offset = 0;
  };
  int32_t row_begin = 0, row_end = 0;
  std::vector<Place> places;  // one per stage
};

// A row chain: every stage but the last keeps only a ring of rows, and the stages take turns row strip by row strip.
// A plain step is a chain of one stage.
struct Step {
  bool external_input = false;  // the image itself, else
  size_t input_offset = 0;      // a whole tensor in the arena
  std::vector<Stage> stages;
  std::vector<Lane> lanes;
  // The lanes are slices (see SlicedRun): one stage, and every lane has all rows and the same places.
  bool sliced = false;
};

// A tensor the caller gets, as float32: values of `dtype` in the arena, real = scale * (q - zero_point) if quantised.
struct Output {
  size_t offset = 0;
  size_t count = 0;
  Dtype dtype = Dtype::f32;
  float scale = 1;
  int32_t zero_point = 0;
};

struct Program {
  Dtype dtype = Dtype::f32;
  size_t arena_bytes = 0;
  std::vector<Output> outputs;
  std::vector<Step> steps;

  const StageShape& input_shape() const { return steps.front().stages.front().shape; }
  size_t input_bytes() const;  // of one image
  int32_t max_lanes() const;
};

// Bytes of one row of a stage's output; softmax gives floats whatever it is given.
size_t output_row_bytes(const PackedModel& model, const Stage& stage);

// Whether a step has stages and lanes, and its stages' shapes fit their ops and each other.
Status check_stages(const Step& step, const PackedModel& model);

// Sets the output_rows of each stage to the least that suffices for all lanes; of these only the rows are read.
Status size_rings(Step* step, const PackedModel& model);

// Everything run() relies on: shapes follow from each other, every offset lies in the arena, the buffers of a step
// share no byte, and, by playing the row order through once, no ring forgets a row that is still needed.
Status check_program(const Program& program, const PackedModel& model);

}  // namespace mobilenetv2

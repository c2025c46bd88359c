#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/program.h"
#include "engine/row_chain.h"
#include "kernels/common.h"

namespace mobilenetv2 {
namespace {

constexpr int32_t kMaxSide = 1 << 15;
constexpr size_t kMaxSlices = 1024;
// A terabyte; half the address space where that is less (32-bit ARM).
constexpr auto kMaxArena = static_cast<size_t>(std::min<uint64_t>(uint64_t{1} << 40, SIZE_MAX / 2));

bool fits(size_t offset, size_t bytes, size_t arena) { return offset <= arena && bytes <= arena - offset; }

// 1x1 stages keep the size; 3x3 stages pad by at most one row and column on each side.
bool window_fits(const Conv& conv, int32_t in, int32_t out, int32_t pad) {
  if (conv.kernel == 1) return pad == 0 && conv.stride == 1 && in == out;
  const int32_t last = (out - 1) * conv.stride - pad + conv.kernel;  // one past the last tap
  return (pad == 0 || pad == 1) && last <= in + 1 && last + conv.stride > in;
}

bool shape_fits(const Op& op, const StageShape& s) {
  const auto conv_fits = [&s](const Conv& conv, int32_t in_channels) {
    return s.in_channels == in_channels && window_fits(conv, s.in_height, s.out_height, s.pad_top) &&
           window_fits(conv, s.in_width, s.out_width, s.pad_left);
  };
  const bool one_pixel = s.in_height == 1 && s.in_width == 1;
  const bool to_one_pixel = s.out_height == 1 && s.out_width == 1;
  switch (op.kind) {
    case OpKind::stem:
    case OpKind::pointwise:
      return conv_fits(op.conv, op.conv.in_channels) && s.out_channels == op.conv.out_channels;
    case OpKind::inverted_residual:
      return conv_fits(op.depthwise, op.has_expand ? op.expand.in_channels : op.depthwise.in_channels) &&
             s.out_channels == op.project.out_channels;
    case OpKind::global_average_pool:
      return s.in_channels == op.pool.channels && s.out_channels == op.pool.channels && to_one_pixel;
    case OpKind::dense:
      return one_pixel && to_one_pixel && s.in_channels == op.dense.conv.in_channels &&
             s.out_channels == op.dense.conv.out_channels;
    case OpKind::softmax:
      return one_pixel && to_one_pixel && s.in_channels == op.softmax.classes && s.out_channels == op.softmax.classes;
  }
  return false;
}

bool sides_in_range(const StageShape& s) {
  for (int32_t side : {s.in_height, s.in_width, s.out_height, s.out_width}) {
    if (side < 1 || side > kMaxSide) return false;
  }
  return true;
}

size_t scratch_bytes(const Step& step, const Stage& stage, const PackedModel& model) {
  const Kernel& kernel = model.kernel(stage.op);
  const Op& op = model.op(stage.op);
  return step.sliced ? kernel.sliced->scratch_bytes(op, stage.shape, static_cast<int32_t>(step.lanes.size()))
                     : kernel.facts(op, stage.shape).scratch_bytes;
}

// Whatever a stage reads must have been made and not yet overwritten.
bool rings_suffice(const Step& step, const Lane& lane, const PackedModel& model) {
  const std::vector<int32_t> rings = rings_of(RowOrder(model, step, lane.row_begin, lane.row_end));
  for (size_t k = 0; k < rings.size(); ++k) {
    if (step.stages[k].output_rows < rings[k]) return false;
  }
  return true;
}

// Kernels keep pointers in their scratch, so that two buffers of one step that share a byte could send them anywhere.
bool disjoint(const Step& step, size_t input_bytes, const PackedModel& model) {
  std::vector<std::pair<size_t, size_t>> spans;  // begin, end
  const auto add = [&spans](size_t offset, size_t bytes) {
    if (bytes > 0) spans.emplace_back(offset, offset + bytes);
  };
  if (!step.external_input) add(step.input_offset, input_bytes);
  for (size_t k = 0; k < step.stages.size(); ++k) {
    const Stage& stage = step.stages[k];
    const bool shared = k + 1 == step.stages.size();  // the last output is all lanes'; so is everything of slices
    for (size_t l = 0; l < step.lanes.size(); ++l) {
      const Lane::Place& place = step.lanes[l].places[k];
      if (l == 0 || !shared) add(place.output_offset, output_row_bytes(model, stage) * stage.output_rows);
      if (l == 0 || !step.sliced) add(place.scratch_offset, scratch_bytes(step, stage, model));
    }
  }
  std::sort(spans.begin(), spans.end());
  for (size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].first < spans[i - 1].second) return false;
  }
  return true;
}

Status check_slices(const Step& step, size_t arena_bytes, const PackedModel& model) {
  const Stage& stage = step.stages.front();
  const SlicedRun* sliced = model.kernel(stage.op).sliced;
  if (step.stages.size() != 1 || sliced == nullptr) return failure("slices are for one stage whose kernel has them");
  if (step.lanes.size() > kMaxSlices) return failure("too many slices");
  const size_t scratch = scratch_bytes(step, stage, model);
  for (const Lane& lane : step.lanes) {
    if (lane.places.size() != 1 || lane.row_begin != 0 || lane.row_end != stage.shape.out_height) {
      return failure("a slice needs one place and all rows");
    }
    const Lane::Place &place = lane.places.front(), &first = step.lanes.front().places.front();
    if (place.output_offset != first.output_offset || place.scratch_offset != first.scratch_offset) {
      return failure("slices must share output and scratch");
    }
    if (place.output_offset % kAlignment != 0 || place.scratch_offset % kAlignment != 0 ||
        !fits(place.output_offset, output_row_bytes(model, stage) * stage.output_rows, arena_bytes) ||
        !fits(place.scratch_offset, scratch, arena_bytes)) {
      return failure("a stage lies outside the arena");
    }
  }
  return {};
}

Status check_step(const Step& step, size_t arena_bytes, Dtype dtype, const PackedModel& model) {
  const Status stages = check_stages(step, model);
  if (!stages.ok()) return stages;
  for (const Stage& stage : step.stages) {
    if (model.op(stage.op).dtype != dtype) return failure("an op of another dtype");
    if (stage.output_rows < 1 || stage.output_rows > stage.shape.out_height) return failure("ring size out of range");
  }
  const StageShape& in = step.stages.front().shape;
  const size_t input_bytes = static_cast<size_t>(in.in_height) * in.in_width * in.in_channels * element_bytes(dtype);
  if (!step.external_input &&
      (step.input_offset % kAlignment != 0 || !fits(step.input_offset, input_bytes, arena_bytes))) {
    return failure("the input lies outside the arena");
  }
  const Stage& last = step.stages.back();
  if (last.output_rows != last.shape.out_height) return failure("the last stage must keep its whole output");
  if (step.sliced) {
    const Status status = check_slices(step, arena_bytes, model);
    if (!status.ok()) return status;
    return disjoint(step, input_bytes, model) ? Status{} : failure("buffers overlap");
  }
  int32_t row = 0;
  for (const Lane& lane : step.lanes) {
    if (lane.row_begin != row || lane.row_end <= row || lane.row_end > last.shape.out_height) {
      return failure("lanes must cover the rows in order");
    }
    row = lane.row_end;
    if (lane.places.size() != step.stages.size()) return failure("a lane needs a place per stage");
    for (size_t k = 0; k < step.stages.size(); ++k) {
      const Stage& stage = step.stages[k];
      const Lane::Place& place = lane.places[k];
      if (place.output_offset % kAlignment != 0 || place.scratch_offset % kAlignment != 0 ||
          !fits(place.output_offset, output_row_bytes(model, stage) * stage.output_rows, arena_bytes) ||
          !fits(place.scratch_offset, scratch_bytes(step, stage, model), arena_bytes)) {
        return failure("a stage lies outside the arena");
      }
    }
    if (lane.places.back().output_offset != step.lanes.front().places.back().output_offset) {
      return failure("lanes must share the last output");
    }
    if (!rings_suffice(step, lane, model)) return failure("a ring is too small");
  }
  if (row != last.shape.out_height) return failure("lanes must cover every row");
  return disjoint(step, input_bytes, model) ? Status{} : failure("buffers overlap");
}

}  // namespace

size_t Program::input_bytes() const {
  const StageShape& s = input_shape();
  return static_cast<size_t>(s.in_height) * s.in_width * s.in_channels * element_bytes(dtype);
}

int32_t Program::max_lanes() const {
  size_t lanes = 1;
  for (const Step& step : steps) lanes = std::max(lanes, step.lanes.size());
  return static_cast<int32_t>(lanes);
}

size_t output_row_bytes(const PackedModel& model, const Stage& stage) {
  const Op& op = model.op(stage.op);
  const size_t element = op.kind == OpKind::softmax ? sizeof(float) : element_bytes(op.dtype);
  return static_cast<size_t>(stage.shape.out_width) * stage.shape.out_channels * element;
}

Status check_stages(const Step& step, const PackedModel& model) {
  if (step.stages.empty() || step.lanes.empty()) return failure("a step needs stages and lanes");
  if (step.stages.size() > kMaxStages) return failure("a chain is too long");
  for (size_t k = 0; k < step.stages.size(); ++k) {
    const Stage& stage = step.stages[k];
    if (stage.op >= model.op_count()) return failure("no such op");
    if (!sides_in_range(stage.shape) || !shape_fits(model.op(stage.op), stage.shape)) {
      return failure("shapes do not fit the op");
    }
    if (k == 0) continue;
    const StageShape &from = step.stages[k - 1].shape, &to = stage.shape;
    if (from.out_height != to.in_height || from.out_width != to.in_width || from.out_channels != to.in_channels) {
      return failure("a stage does not fit the one before it");
    }
  }
  return {};
}

Status check_program(const Program& program, const PackedModel& model) {
  if (program.steps.empty()) return failure("a program needs steps");
  if (program.arena_bytes > kMaxArena) return failure("the arena is too large");
  for (size_t i = 0; i < program.steps.size(); ++i) {
    Status status = check_step(program.steps[i], program.arena_bytes, program.dtype, model);
    if (status.ok() && program.steps[i].external_input != (i == 0)) {
      status = failure("the first step, and only it, reads the image");
    }
    if (!status.ok()) return failure("step " + std::to_string(i) + ": " + status.error);
  }
  for (const Output& output : program.outputs) {
    const size_t element = element_bytes(output.dtype);
    if (output.count == 0 || output.offset % kAlignment != 0 || output.count > program.arena_bytes / element ||
        !fits(output.offset, output.count * element, program.arena_bytes)) {
      return failure("an output lies outside the arena");
    }
  }
  return {};
}

}  // namespace mobilenetv2

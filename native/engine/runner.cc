#include "engine/runner.h"

#include <array>
#include <chrono>

#include "engine/row_chain.h"
#include "kernels/common.h"

namespace mobilenetv2 {
namespace {

struct StepRun {
  const PackedModel& model;
  const Step& step;
  const uint8_t* input;
  uint8_t* arena;
  const RunOptions& options;
  std::atomic<bool> complete{true};

  bool cancelled() const {
    return options.cancelled != nullptr && options.cancelled->load(std::memory_order_relaxed) != 0;
  }
};

// A tap that knows which op its rows belong to.
struct OpTap {
  const RunOptions* options;
  size_t op;
};

void forward_row(void* context, Layer layer, int32_t row, const void* data, size_t bytes) {
  const auto* tap = static_cast<const OpTap*>(context);
  tap->options->on_row(tap->options->on_row_context, tap->op, layer, row, data, bytes);
}

// The whole tensor that the step reads.
Rows step_input(const StepRun& run) {
  const Stage& first = run.step.stages.front();
  const StageShape& s = first.shape;
  return {const_cast<uint8_t*>(run.input), s.in_height,
          static_cast<size_t>(s.in_width) * s.in_channels * element_bytes(run.model.op(first.op).dtype)};
}

StageArgs stage_args(const StepRun& run, const Stage& stage, const Lane::Place& place, const Rows& input) {
  StageArgs args;
  args.op = &run.model.op(stage.op);
  args.packed = run.model.packed(stage.op);
  args.shape = stage.shape;
  args.input = input;
  args.output = {run.arena + place.output_offset, stage.output_rows, output_row_bytes(run.model, stage)};
  args.scratch = run.arena + place.scratch_offset;
  args.halved_vectors = halves_wide_vectors();
  return args;
}

void run_lane(StepRun& run, const Lane& lane) {
  const Step& step = run.step;
  std::array<StageArgs, kMaxStages> args;
  std::array<OpTap, kMaxStages> op_taps;
  std::array<Tap, kMaxStages> taps;
  RowOrder order(run.model, step, lane.row_begin, lane.row_end);

  Rows input = step_input(run);
  for (size_t k = 0; k < step.stages.size(); ++k) {
    const Stage& stage = step.stages[k];
    StageArgs& a = args[k];
    a = stage_args(run, stage, lane.places[k], input);
    a.next_expanded = first_input_row(*a.op, stage.shape, order.next(k));
    if (run.options.on_row != nullptr) {
      op_taps[k] = {&run.options, stage.op};
      taps[k] = {forward_row, &op_taps[k]};
      a.tap = &taps[k];
    }
    input = a.output;
  }
  const bool done = order.run([&](size_t k, int32_t row_begin, int32_t row_end) {
    if (run.cancelled()) return false;
    const size_t op = step.stages[k].op;
    if (run.options.op_nanoseconds == nullptr) {
      run.model.kernel(op).run(args[k], row_begin, row_end);
      return true;
    }
    const auto started = std::chrono::steady_clock::now();
    run.model.kernel(op).run(args[k], row_begin, row_end);
    run.options.op_nanoseconds[op] +=
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - started).count();
    return true;
  });
  if (!done) run.complete.store(false, std::memory_order_relaxed);
}

void run_lane_at(void* context, int32_t i) {
  auto* run = static_cast<StepRun*>(context);
  run_lane(*run, run->step.lanes[static_cast<size_t>(i)]);
}

struct PhaseRun {
  StepRun& step_run;
  const StageArgs& args;
  int32_t phase;
};

void run_slice_at(void* context, int32_t slice) {
  auto* phase_run = static_cast<PhaseRun*>(context);
  StepRun& run = phase_run->step_run;
  if (run.cancelled()) return run.complete.store(false, std::memory_order_relaxed);
  const Stage& stage = run.step.stages.front();
  run.model.kernel(stage.op).sliced->run(phase_run->args, phase_run->phase, slice,
                                         static_cast<int32_t>(run.step.lanes.size()));
}

void run_parallel(const RunOptions& options, int32_t count, void (*body)(void*, int32_t), void* context) {
  if (count > 1 && options.parallel.run != nullptr)
    return options.parallel.run(options.parallel.pool, count, body, context);
  for (int32_t i = 0; i < count; ++i) body(context, i);
}

void run_slices(StepRun& run) {
  const Stage& stage = run.step.stages.front();
  const StageArgs args = stage_args(run, stage, run.step.lanes.front().places.front(), step_input(run));
  const int32_t phases = run.model.kernel(stage.op).sliced->phases;
  for (int32_t phase = 0; phase < phases && run.complete.load(std::memory_order_relaxed); ++phase) {
    PhaseRun phase_run{run, args, phase};
    run_parallel(run.options, static_cast<int32_t>(run.step.lanes.size()), run_slice_at, &phase_run);
  }
}

}  // namespace

bool run_image(const PackedModel& model, const Program& program, const uint8_t* input, uint8_t* arena,
               const RunOptions& options) {
  for (const Step& step : program.steps) {
    StepRun run{model, step, step.external_input ? input : arena + step.input_offset, arena, options};
    if (step.sliced) {
      run_slices(run);
    } else {
      run_parallel(options, static_cast<int32_t>(step.lanes.size()), run_lane_at, &run);
    }
    if (!run.complete.load(std::memory_order_relaxed)) return false;
  }
  return true;
}

}  // namespace mobilenetv2

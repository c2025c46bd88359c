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

void run_lane(StepRun& run, const Lane& lane) {
  const Step& step = run.step;
  std::array<StageArgs, kMaxStages> args;
  std::array<OpTap, kMaxStages> op_taps;
  std::array<Tap, kMaxStages> taps;
  RowOrder order(run.model, step, lane.row_begin, lane.row_end);

  const StageShape& first = step.stages.front().shape;
  const Dtype dtype = run.model.op(step.stages.front().op).dtype;
  Rows input{const_cast<uint8_t*>(run.input), first.in_height,
             static_cast<size_t>(first.in_width) * first.in_channels * element_bytes(dtype)};
  for (size_t k = 0; k < step.stages.size(); ++k) {
    const Stage& stage = step.stages[k];
    StageArgs& a = args[k];
    a = StageArgs{};
    a.op = &run.model.op(stage.op);
    a.packed = run.model.packed(stage.op);
    a.shape = stage.shape;
    a.input = input;
    a.output = {run.arena + lane.places[k].output_offset, stage.output_rows, output_row_bytes(run.model, stage)};
    a.scratch = run.arena + lane.places[k].scratch_offset;
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

}  // namespace

bool run_image(const PackedModel& model, const Program& program, const uint8_t* input, uint8_t* arena,
               const RunOptions& options) {
  for (const Step& step : program.steps) {
    StepRun run{model, step, step.external_input ? input : arena + step.input_offset, arena, options};
    const auto lanes = static_cast<int32_t>(step.lanes.size());
    if (lanes > 1 && options.parallel.run != nullptr) {
      options.parallel.run(options.parallel.pool, lanes, run_lane_at, &run);
    } else {
      for (int32_t i = 0; i < lanes; ++i) run_lane_at(&run, i);
    }
    if (!run.complete.load(std::memory_order_relaxed)) return false;
  }
  return true;
}

}  // namespace mobilenetv2

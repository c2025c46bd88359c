// The order in which the stages of a chain take turns, which running follows and the sizes of rings are found by.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "engine/program.h"

namespace mobilenetv2 {

// What the order depends on. The op outlives it.
struct ChainStage {
  const Op* op = nullptr;
  StageShape shape;
  int32_t strip_rows = 1;  // output rows per turn
};

// One past the last input row that output rows below row_end read.
inline int32_t input_rows_needed(const Op& op, const StageShape& s, int32_t row_end) {
  switch (op.kind) {
    case OpKind::stem:
      return std::min((row_end - 1) * op.conv.stride - s.pad_top + op.conv.kernel, s.in_height);
    case OpKind::inverted_residual:
      return std::min((row_end - 1) * op.depthwise.stride - s.pad_top + op.depthwise.kernel, s.in_height);
    case OpKind::pointwise:
      return row_end;
    default:
      return s.in_height;
  }
}

// First input row that output row `row` reads when it is the first row made.
inline int32_t first_input_row(const Op& op, const StageShape& s, int32_t row) {
  switch (op.kind) {
    case OpKind::stem:
      return std::max(row * op.conv.stride - s.pad_top, 0);
    case OpKind::inverted_residual:
      return std::max(row * op.depthwise.stride - s.pad_top, 0);
    case OpKind::pointwise:
      return row;
    default:
      return 0;
  }
}

// First input row still needed when output rows from `row_begin` on are made and expansion has come to next_expanded.
inline int32_t first_live_row(const Op& op, const StageShape& s, int32_t row_begin, int32_t next_expanded) {
  if (op.kind != OpKind::inverted_residual || !op.has_expand) return first_input_row(op, s, row_begin);
  return op.residual.present ? std::min(next_expanded, row_begin) : next_expanded;
}

// Calls visit(stage, row_begin, row_end) in execution order until rows [.., row_end) of the last stage are made.
// Demand driven: a stage first asks its producer for the rows it reads, then makes one strip.
class RowOrder {
 public:
  // At most kMaxStages stages.
  RowOrder(const std::vector<ChainStage>& stages, int32_t row_begin, int32_t row_end)
      : count_(stages.size()), row_end_(row_end) {
    std::copy(stages.begin(), stages.end(), stages_.begin());
    start(row_begin);
  }

  RowOrder(const PackedModel& model, const Step& step, int32_t row_begin, int32_t row_end)
      : count_(step.stages.size()), row_end_(row_end) {
    for (size_t k = 0; k < count_; ++k) {
      const Stage& stage = step.stages[k];
      const Op& op = model.op(stage.op);
      stages_[k] = {&op, stage.shape, std::max(model.kernel(stage.op).facts(op, stage.shape).strip_rows, 1)};
    }
    start(row_begin);
  }

  size_t stages() const { return count_; }
  const ChainStage& stage(size_t k) const { return stages_[k]; }
  int32_t next(size_t k) const { return next_[k]; }

  // visit returns false to stop.
  template <typename Visit>
  bool run(Visit&& visit) {
    return produce(count_ - 1, row_end_, visit);
  }

 private:
  void start(int32_t row) {
    for (size_t k = count_; k-- > 0;) {
      next_[k] = row;
      row = first_input_row(*stages_[k].op, stages_[k].shape, row);
    }
  }

  template <typename Visit>
  bool produce(size_t k, int32_t until, Visit& visit) {
    const ChainStage& stage = stages_[k];
    const bool last = k + 1 == count_;
    while (next_[k] < until) {
      const int32_t begin = next_[k];
      const int32_t end = std::min(begin + stage.strip_rows, last ? row_end_ : stage.shape.out_height);
      if (k > 0 && !produce(k - 1, input_rows_needed(*stage.op, stage.shape, end), visit)) return false;
      if (!visit(k, begin, end)) return false;
      next_[k] = end;
    }
    return true;
  }

  size_t count_;
  int32_t row_end_;
  // Per stage. Arrays, because running allocates nothing.
  std::array<ChainStage, kMaxStages> stages_;
  std::array<int32_t, kMaxStages> next_{};  // first row not yet made
};

// Rows that each stage's output must keep, found by playing the order; the last stage keeps all it has.
std::vector<int32_t> rings_of(RowOrder order);

}  // namespace mobilenetv2

// The order in which the stages of a chain take turns. lib/compile/row-order.ts plays the same order to size the rings.
#pragma once

#include <algorithm>
#include <array>

#include "engine/program.h"

namespace mobilenetv2 {

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
  RowOrder(const PackedModel& model, const Step& step, int32_t row_begin, int32_t row_end)
      : model_(model), step_(step), row_end_(row_end) {
    int32_t row = row_begin;
    for (size_t k = step.stages.size(); k-- > 0;) {
      next_[k] = row;
      const Stage& stage = step.stages[k];
      row = first_input_row(model.op(stage.op), stage.shape, row);
      strips_[k] = std::max(model.kernel(stage.op).facts(model.op(stage.op), stage.shape).strip_rows, 1);
    }
  }

  int32_t next(size_t stage) const { return next_[stage]; }

  // visit returns false to stop.
  template <typename Visit>
  bool run(Visit&& visit) {
    return produce(step_.stages.size() - 1, row_end_, visit);
  }

 private:
  template <typename Visit>
  bool produce(size_t k, int32_t until, Visit& visit) {
    const Stage& stage = step_.stages[k];
    const bool last = k + 1 == step_.stages.size();
    while (next_[k] < until) {
      const int32_t begin = next_[k];
      const int32_t end = std::min(begin + strips_[k], last ? row_end_ : stage.shape.out_height);
      if (k > 0 && !produce(k - 1, input_rows_needed(model_.op(stage.op), stage.shape, end), visit)) return false;
      if (!visit(k, begin, end)) return false;
      next_[k] = end;
    }
    return true;
  }

  const PackedModel& model_;
  const Step& step_;
  int32_t row_end_;
  // Per stage. Arrays, because running allocates nothing.
  std::array<int32_t, kMaxStages> next_{};    // first row not yet made
  std::array<int32_t, kMaxStages> strips_{};  // rows per turn
};

}  // namespace mobilenetv2

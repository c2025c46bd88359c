#include <algorithm>
#include <vector>

#include "engine/row_chain.h"

namespace mobilenetv2 {

std::vector<int32_t> rings_of(RowOrder order) {
  const size_t last = order.stages() - 1;
  std::vector<int32_t> rings(last + 1, 1), made(last + 1), expanded(last + 1);
  rings[last] = order.stage(last).shape.out_height;
  if (last == 0) return rings;
  for (size_t k = 0; k <= last; ++k) {
    made[k] = order.next(k);
    expanded[k] = first_input_row(*order.stage(k).op, order.stage(k).shape, made[k]);
  }
  order.run([&](size_t k, int32_t begin, int32_t end) {
    const ChainStage& stage = order.stage(k);
    rings[k] = std::max(rings[k], end - begin);
    if (k > 0) {
      const int32_t live = made[k - 1] - first_live_row(*stage.op, stage.shape, begin, expanded[k]);
      rings[k - 1] = std::max(rings[k - 1], live);
    }
    expanded[k] = std::max(expanded[k], input_rows_needed(*stage.op, stage.shape, end));
    made[k] = end;
    return true;
  });
  return rings;
}

Status size_rings(Step* step, const PackedModel& model) {
  const Status status = check_stages(*step, model);
  if (!status.ok()) return status;
  const int32_t height = step->stages.back().shape.out_height;
  for (Stage& stage : step->stages) stage.output_rows = 1;
  for (const Lane& lane : step->lanes) {
    if (lane.row_begin < 0 || lane.row_end <= lane.row_begin || lane.row_end > height) {
      return failure("a lane leaves the rows of the last stage");
    }
    const std::vector<int32_t> rings = rings_of(RowOrder(model, *step, lane.row_begin, lane.row_end));
    for (size_t k = 0; k < rings.size(); ++k) {
      step->stages[k].output_rows = std::max(step->stages[k].output_rows, rings[k]);
    }
  }
  return {};
}

}  // namespace mobilenetv2

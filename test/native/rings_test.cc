// Ring sizes of row chains, worked out by hand for two and three stages.
#include <algorithm>
#include <vector>

#include "engine/row_chain.h"
#include "harness.h"

namespace mobilenetv2::test {

constexpr int32_t kHeight = 16;

// An op and how it runs; a chain of these must not outlive them.
struct Link {
  Op op;
  StageShape shape;
  int32_t strip_rows;
};

static Link pointwise(int32_t strip_rows) {
  Link link{{}, {}, strip_rows};
  link.op.kind = OpKind::pointwise;
  link.op.conv.kernel = link.op.conv.stride = 1;
  link.shape.in_height = link.shape.out_height = kHeight;
  return link;
}

enum Parts { kPlain = 0, kExpand = 1, kResidual = 2 };

// pad_top 1 at stride 1; 0 at stride 2, as SAME has it on even sizes.
static Link block(int32_t strip_rows, int parts = kPlain, int32_t stride = 1) {
  Link link = pointwise(strip_rows);
  link.op.kind = OpKind::inverted_residual;
  link.op.has_expand = (parts & kExpand) != 0;
  link.op.residual.present = (parts & kResidual) != 0;
  link.op.depthwise.kernel = 3;
  link.op.depthwise.stride = stride;
  link.shape.out_height = kHeight / stride;
  link.shape.pad_top = stride == 1 ? 1 : 0;
  return link;
}

static std::vector<int32_t> rings(const std::vector<Link>& links, int32_t row_begin, int32_t row_end) {
  std::vector<ChainStage> stages;
  for (const Link& link : links) stages.push_back({&link.op, link.shape, link.strip_rows});
  return rings_of(RowOrder(stages, row_begin, row_end));
}

// Of a 1x1 producer.
static int32_t ring(int32_t producer_strip, const Link& consumer) {
  return rings({pointwise(producer_strip), consumer}, 0, consumer.shape.out_height).front();
}

TEST(rings_the_last_stage_keeps_its_output_whatever_part_is_made) {
  CHECK(rings({pointwise(4)}, 3, 5) == std::vector<int32_t>{kHeight});
}

TEST(rings_of_a_window_are_its_rows_and_one_more_for_each_further_row_of_a_strip) {
  CHECK_EQ(ring(1, block(1)), 3);
  CHECK_EQ(ring(1, block(2)), 4);
  CHECK_EQ(ring(1, block(5)), 7);
}

TEST(rings_have_room_for_rows_made_ahead) {
  // For row 1 the window is rows 0 ... 2, but strips of two come to row 3.
  CHECK_EQ(ring(2, block(1)), 4);
  // At stride 2 the window of row 1 begins at 2 when rows up to 5 exist.
  CHECK_EQ(ring(2, block(1, kPlain, 2)), 4);
}

TEST(rings_at_stride_2_move_on_by_two_rows) {
  CHECK_EQ(ring(1, block(1, kPlain, 2)), 3);
  CHECK_EQ(ring(1, block(2, kPlain, 2)), 5);
}

TEST(rings_forget_rows_once_they_are_expanded) {
  // Row 0 asks for rows 0 and 1; every further row for one that is not expanded yet.
  CHECK_EQ(ring(1, block(1, kExpand)), 2);
  CHECK_EQ(ring(1, block(2, kExpand)), 3);
  CHECK_EQ(ring(1, block(1, kExpand, 2)), 3);
}

TEST(rings_keep_rows_that_a_skip_adds_again) {
  // Row y is added when row y + 1 has been expanded.
  CHECK_EQ(ring(1, block(1, kExpand | kResidual)), 2);
  CHECK_EQ(ring(1, block(2, kExpand | kResidual)), 3);
  // Strips of two end at y + 2, while y is still to be added.
  CHECK_EQ(ring(2, block(1, kExpand | kResidual)), 3);
}

TEST(rings_of_a_pointwise_consumer_are_its_strip) {
  CHECK_EQ(ring(1, pointwise(1)), 1);
  CHECK_EQ(ring(1, pointwise(3)), 3);
  CHECK_EQ(ring(4, pointwise(3)), 6);  // rows 6, 7 and 8 are asked for when 8 is not made: four more, to 12
}

TEST(rings_never_exceed_the_tensor) {
  CHECK_EQ(ring(100, block(1)), kHeight);
  CHECK_EQ(ring(1, block(100)), kHeight);
}

TEST(rings_go_through_all_stages_for_a_band_as_for_the_whole) {
  const std::vector<Link> chain = {pointwise(1), block(1), block(1)};
  const std::vector<int32_t> whole = {3, 3, kHeight};
  CHECK(rings(chain, 0, kHeight) == whole);
  CHECK(rings(chain, 8, kHeight) == whole);
  CHECK(rings(chain, 8, 9) == whole);
  // The first row alone needs two rows of the stage before, which need three of theirs.
  CHECK((rings(chain, 0, 1) == std::vector<int32_t>{3, 2, kHeight}));
}

}  // namespace mobilenetv2::test

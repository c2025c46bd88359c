#include "binding/read.h"

namespace mobilenetv2 {
namespace {

Stage read_op_and_shape(const Fields& f) {
  Stage stage;
  stage.op = f.size("op");
  stage.shape = read_shape(f.object("shape"));
  return stage;
}

Stage read_stage(const Fields& f) {
  Stage stage = read_op_and_shape(f);
  stage.output_rows = f.integer("outputRows");
  return stage;
}

Lane read_rows(const Fields& f) {
  Lane lane;
  lane.row_begin = f.integer("rowBegin");
  lane.row_end = f.integer("rowEnd");
  return lane;
}

Lane read_lane(const Fields& f) {
  Lane lane = read_rows(f);
  f.each("places", [&lane](const Fields& place) {
    lane.places.push_back({place.size("outputOffset"), place.size("scratchOffset")});
  });
  return lane;
}

Step read_step(const Fields& f) {
  Step step;
  step.external_input = !f.has("inputOffset");
  if (!step.external_input) step.input_offset = f.size("inputOffset");
  step.sliced = f.boolean("sliced");
  f.each("stages", [&step](const Fields& stage) { step.stages.push_back(read_stage(stage)); });
  f.each("lanes", [&step](const Fields& lane) { step.lanes.push_back(read_lane(lane)); });
  return step;
}

Output read_output(const Fields& f) {
  Output output;
  output.offset = f.size("offset");
  output.count = f.size("count");
  output.dtype = f.text("dtype") == "f32" ? Dtype::f32 : Dtype::qu8;
  output.scale = static_cast<float>(f.number("scale"));
  output.zero_point = f.integer("zeroPoint");
  return output;
}

}  // namespace

StageShape read_shape(const Fields& f) {
  StageShape s;
  s.in_height = f.integer("inHeight");
  s.in_width = f.integer("inWidth");
  s.in_channels = f.integer("inChannels");
  s.out_height = f.integer("outHeight");
  s.out_width = f.integer("outWidth");
  s.out_channels = f.integer("outChannels");
  s.pad_top = f.integer("padTop");
  s.pad_left = f.integer("padLeft");
  return s;
}

Step read_chain(const Napi::Value& value, FieldErrors* errors) {
  Step step;
  const Fields f(value, "chain", errors);
  f.each("stages", [&step](const Fields& stage) { step.stages.push_back(read_op_and_shape(stage)); });
  f.each("lanes", [&step](const Fields& lane) { step.lanes.push_back(read_rows(lane)); });
  return step;
}

Program read_program(const Napi::Value& value, FieldErrors* errors) {
  Program program;
  const Fields f(value, "program", errors);
  program.dtype = f.text("dtype") == "f32" ? Dtype::f32 : Dtype::qu8;
  program.arena_bytes = f.size("arenaBytes");
  f.each("outputs", [&program](const Fields& output) { program.outputs.push_back(read_output(output)); });
  f.each("steps", [&program](const Fields& step) { program.steps.push_back(read_step(step)); });
  return program;
}

}  // namespace mobilenetv2

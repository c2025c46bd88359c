// JavaScript descriptions -> engine structs. Types are checked here, values by check_op and check_program.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "binding/fields.h"
#include "engine/program.h"

namespace mobilenetv2 {

// Operators as they are packed: their weights are borrowed from the typed arrays, fixed-point factors are kept here.
struct ReadOps {
  std::vector<Op> ops;
  std::vector<std::unique_ptr<int32_t[]>> factors;
};

ReadOps read_ops(const Napi::Value& ops, FieldErrors* errors);
Program read_program(const Napi::Value& program, FieldErrors* errors);
// { stages: [{ op, shape }], lanes: [{ rowBegin, rowEnd }] }: a step without places.
Step read_chain(const Napi::Value& chain, FieldErrors* errors);
StageShape read_shape(const Fields& fields);

}  // namespace mobilenetv2

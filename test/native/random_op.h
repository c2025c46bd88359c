// Random operators with the memory they need, and running a kernel on them the way the engine does.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "harness.h"
#include "kernels/kernels.h"

namespace mobilenetv2::test {

// Owns what an Op borrows.
struct OwnedOp {
  Op op;
  StageShape shape;
  std::deque<std::vector<float>> floats;  // deques: growing moves nothing
  std::deque<std::vector<int32_t>> integers;
  std::deque<std::vector<uint8_t>> bytes;
};

// An op of that kind, small and odd in every way the contract allows: tails, borders, extreme weights and zero points,
// shifts of either sign, empty-looking clamps. Always one that check_op accepts.
std::unique_ptr<OwnedOp> random_op(OpKind kind, Dtype dtype, Random* random);

// The whole input tensor: random values, extremes included.
std::vector<uint8_t> random_input(const OwnedOp& owned, Random* random);

// Packs and runs; output rows in random strips, starting at row_begin. Output is poisoned and guarded, scratch is of
// the promised size exactly, and input is only as long as it must be, so that a sanitizer, or the page behind them,
// sees every step aside. halved_vectors as in StageArgs; if not said, either.
std::vector<uint8_t> run_kernel(const Kernel& kernel, const OwnedOp& owned, const std::vector<uint8_t>& input,
                                int32_t row_begin, Random* random, std::optional<bool> halved_vectors = {});

// The same through kernel.sliced, the slices of each phase one after the other, last first.
std::vector<uint8_t> run_kernel_sliced(const Kernel& kernel, const OwnedOp& owned, const std::vector<uint8_t>& input,
                                       int32_t slices);

// For messages.
std::string describe(const OwnedOp& owned);

}  // namespace mobilenetv2::test

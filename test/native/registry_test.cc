// Every row of the registry against the scalar reference: int8 bit for bit, float within a tolerance.
#include <cmath>
#include <cstring>
#include <string>

#include "emulated_isa.h"
#include "harness.h"
#include "kernels/registry.h"
#include "random_op.h"

namespace mobilenetv2::test {
namespace {

constexpr OpKind kKinds[] = {OpKind::stem,  OpKind::inverted_residual,   OpKind::pointwise,
                             OpKind::dense, OpKind::global_average_pool, OpKind::softmax};

// Of values that are sums of some hundred products around 1.
constexpr float kTolerance = 2e-5f;

bool floats_close(const std::vector<uint8_t>& got, const std::vector<uint8_t>& want, size_t first, size_t* at) {
  for (size_t i = first; i + sizeof(float) <= want.size(); i += sizeof(float)) {
    float a, b;
    std::memcpy(&a, &got[i], sizeof a);
    std::memcpy(&b, &want[i], sizeof b);
    if (!(std::fabs(a - b) <= kTolerance * std::max(1.0f, std::fabs(b)))) {
      *at = i;
      return false;
    }
  }
  return true;
}

bool bytes_equal(const std::vector<uint8_t>& got, const std::vector<uint8_t>& want, size_t first, size_t* at) {
  for (size_t i = first; i < want.size(); ++i) {
    if (got[i] != want[i]) {
      *at = i;
      return false;
    }
  }
  return true;
}

bool outputs_agree(const OwnedOp& owned, const std::vector<uint8_t>& got, const std::vector<uint8_t>& want,
                   size_t first, size_t* at) {
  // A dequantising softmax computes in float whatever it is given.
  const bool exact = owned.op.dtype == Dtype::qu8 && !(owned.op.kind == OpKind::softmax && owned.op.softmax.dequantize);
  return exact ? bytes_equal(got, want, first, at) : floats_close(got, want, first, at);
}

// The same output whatever the number of slices, in whatever order those of a phase run.
void check_slices(const Kernel& kernel, const OwnedOp& owned, const std::vector<uint8_t>& input,
                  const std::vector<uint8_t>& want, int test_case) {
  for (int32_t slices : {1, 2, 3, 5}) {
    const std::vector<uint8_t> got = run_kernel_sliced(kernel, owned, input, slices);
    size_t at = 0;
    if (!outputs_agree(owned, got, want, 0, &at)) {
      fail(__FILE__, __LINE__,
           std::string(kernel.name) + " in " + std::to_string(slices) + " slices, case " + std::to_string(test_case) +
               ": " + describe(owned) + ": differs first at byte " + std::to_string(at));
    }
  }
}

int64_t multiply_adds(const OwnedOp& owned) {
  const Op& op = owned.op;
  const StageShape& s = owned.shape;
  const int64_t inputs = int64_t{s.in_height} * s.in_width, outputs = int64_t{s.out_height} * s.out_width;
  if (op.kind == OpKind::global_average_pool) return 0;
  if (op.kind != OpKind::inverted_residual) {
    const int32_t taps = op.kind == OpKind::stem ? 9 : 1;
    return outputs * taps * s.in_channels * s.out_channels;
  }
  const int64_t wide = op.depthwise.in_channels;
  return (op.has_expand ? inputs * s.in_channels * wide : 0) + outputs * wide * (9 + s.out_channels);
}

// Of the largest op that is run where each 32 of them take microseconds.
constexpr int64_t kMostEmulated = 1 << 16;

void check_kernel(const Kernel& kernel, int cases) {
  Random random(seed() + std::strlen(kernel.name));
  const Kernel& reference = reference_kernel(kernel.op, kernel.dtype);
  int run = 0;
  for (int i = 0; i < cases; ++i) {
    const auto owned = random_op(kernel.op, kernel.dtype, &random);
    if (kernel.supports != nullptr && !kernel.supports(owned->op)) continue;
    if (!cpu_has(kernel.isa) && multiply_adds(*owned) > kMostEmulated) continue;
    ++run;
    const std::vector<uint8_t> input = random_input(*owned, &random);
    const bool whole = kernel.op == OpKind::dense || kernel.op == OpKind::softmax ||
                       kernel.op == OpKind::global_average_pool || random.chance(60);
    const std::vector<uint8_t> want = run_kernel(reference, *owned, input, 0, &random);
    if (kernel.sliced != nullptr) check_slices(kernel, *owned, input, want, i);
    const int32_t row_begin = whole ? 0 : random.integer(0, owned->shape.out_height - 1);
    const std::vector<uint8_t> got = run_kernel(kernel, *owned, input, row_begin, &random);
    const size_t first = want.size() / owned->shape.out_height * row_begin;
    size_t at = 0;
    const bool same = outputs_agree(*owned, got, want, first, &at);
    if (!same) {
      const int32_t element = kernel.dtype == Dtype::f32 ? 4 : 1;
      const size_t value = at / element, channels = static_cast<size_t>(owned->shape.out_channels);
      fail(__FILE__, __LINE__,
           std::string(kernel.name) + ", case " + std::to_string(i) + ": " + describe(*owned) +
               ": differs first at pixel " + std::to_string(value / channels) + ", channel " +
               std::to_string(value % channels) + " (got " + std::to_string(got[at]) + ", want " +
               std::to_string(want[at]) + "), from row " + std::to_string(row_begin));
    }
  }
  CHECK(run > 0);
}

}  // namespace

TEST(every_op_has_its_reference) {
  for (OpKind kind : kKinds) {
    for (Dtype dtype : {Dtype::f32, Dtype::qu8}) {
      const Kernel& kernel = reference_kernel(kind, dtype);
      CHECK(kernel.op == kind && kernel.dtype == dtype && kernel.isa == Isa::scalar);
      CHECK(kernel.supports == nullptr);
    }
  }
}

TEST(registry_names_say_what_the_rows_are) {
  for (const Kernel* kernel : all_kernels()) {
    const std::string name = kernel->name;
    CHECK(name.size() > 2 && name.substr(name.rfind("__") + 2) == isa_name(kernel->isa));
    CHECK(name.find(kernel->dtype == Dtype::f32 ? "f32" : "qu8") != std::string::npos);
  }
}

TEST(kernels_equal_the_reference) {
  constexpr int kCases = 60;
  std::string missing;
  for (const Kernel* kernel : all_kernels()) {
    if (kernel->isa == Isa::scalar) continue;
    if (can_run(kernel->isa)) {
      check_kernel(*kernel, kCases * sweep());
    } else {
      missing += std::string(" ") + kernel->name;
    }
  }
  if (!missing.empty()) std::printf("    this CPU cannot run:%s\n", missing.c_str());
}

TEST(float_results_do_not_depend_on_how_vectors_are_executed) {
  Random random(seed());
  for (const Kernel* kernel : all_kernels()) {
    if (kernel->dtype != Dtype::f32 || !cpu_has(kernel->isa)) continue;
    for (int i = 0; i < 40 * sweep(); ++i) {
      const auto owned = random_op(kernel->op, Dtype::f32, &random);
      if (kernel->supports != nullptr && !kernel->supports(owned->op)) continue;
      const std::vector<uint8_t> input = random_input(*owned, &random);
      CHECK(run_kernel(*kernel, *owned, input, 0, &random, true) ==
            run_kernel(*kernel, *owned, input, 0, &random, false));
    }
  }
}

// Starting a block in the middle, as a thread's band does, gives what the whole gives.
TEST(reference_rows_do_not_depend_on_where_they_begin) {
  Random random(seed());
  for (int i = 0; i < 40 * sweep(); ++i) {
    for (Dtype dtype : {Dtype::f32, Dtype::qu8}) {
      const auto owned = random_op(OpKind::inverted_residual, dtype, &random);
      const std::vector<uint8_t> input = random_input(*owned, &random);
      const Kernel& kernel = reference_kernel(OpKind::inverted_residual, dtype);
      const std::vector<uint8_t> whole = run_kernel(kernel, *owned, input, 0, &random);
      const int32_t row = random.integer(0, owned->shape.out_height - 1);
      const std::vector<uint8_t> band = run_kernel(kernel, *owned, input, row, &random);
      const size_t first = whole.size() / owned->shape.out_height * row;
      CHECK(std::memcmp(&whole[first], &band[first], whole.size() - first) == 0);
    }
  }
}

}  // namespace mobilenetv2::test

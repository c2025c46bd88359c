// Every kernel there is. Dispatch, tests and benchmarks walk the same rows.
#pragma once

#include "kernels/kernels.h"

namespace mobilenetv2 {

struct KernelList {
  const Kernel* const* begin_row;
  const Kernel* const* end_row;
  const Kernel* const* begin() const { return begin_row; }
  const Kernel* const* end() const { return end_row; }
};

// All rows compiled for this architecture, best first; whether a row may run is the CPU's matter (cpu/isa.h).
KernelList all_kernels();

// The first row for this op that the CPU has and the ceiling allows. The scalar reference always fits.
const Kernel& choose_kernel(const Op& op, Isa ceiling);

// The scalar reference of an op.
const Kernel& reference_kernel(OpKind op, Dtype dtype);

}  // namespace mobilenetv2

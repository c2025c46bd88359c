#include <iterator>

#include "kernels/preprocess/preprocess.h"

namespace mobilenetv2 {
namespace {

// Best first.
constexpr const PreprocessKernel* kKernels[] = {
#if defined(__x86_64__) || defined(_M_X64)
    &preprocess__avx512vnni,
    &preprocess__avx2,
#endif
#if defined(MOBILENETV2_NEON)
    &preprocess__neon,
#endif
    &preprocess__scalar,
};

}  // namespace

PreprocessKernelList all_preprocess_kernels() { return {std::begin(kKernels), std::end(kKernels)}; }

const PreprocessKernel& choose_preprocess(Isa ceiling) {
  for (const PreprocessKernel* kernel : kKernels) {
    if (isa_allowed(kernel->isa, ceiling)) return *kernel;
  }
  return preprocess__scalar;
}

}  // namespace mobilenetv2

#include "kernels/registry.h"

#include <iterator>

#include "kernels/arm_f32.h"
#include "kernels/arm_qu8.h"
#include "kernels/reference_kernels.h"
#include "kernels/x86_f32.h"
#include "kernels/x86_qu8.h"

namespace mobilenetv2 {
namespace {

// Best first. The scalar rows at the end are the definition of correct.
constexpr const Kernel* kKernels[] = {
#if defined(__x86_64__) || defined(_M_X64)
#if defined(MOBILENETV2_AMX)
    &inverted_residual_qu8__amx,
    &pointwise_qu8__amx,
#endif
    &stem_qu8__avx512vnni,
    &stem_qu8__avxvnni,
    &stem_qu8__avx2,
    &inverted_residual_qu8__avx512vnni,
    &inverted_residual_qu8__avxvnni,
    &inverted_residual_qu8__avx2,
    &pointwise_qu8__avx512vnni,
    &pointwise_qu8__avxvnni,
    &pointwise_qu8__avx2,
    &global_average_pool_qu8__avx512vnni,
    &global_average_pool_qu8__avxvnni,
    &global_average_pool_qu8__avx2,
    &dense_qu8__avx512vnni,
    &dense_qu8__avxvnni,
    &dense_qu8__avx2,
    &stem_f32__avx512,
    &stem_f32__avx2,
    &inverted_residual_f32__avx512,
    &inverted_residual_f32__avx2,
    &pointwise_f32__avx512,
    &pointwise_f32__avx2,
    &global_average_pool_f32__avx512,
    &global_average_pool_f32__avx2,
    &dense_f32__avx512,
    &dense_f32__avx2,
    &softmax_f32__avx512,
    &softmax_f32__avx2,
#endif
#if defined(MOBILENETV2_NEON_DOT)
    &stem_qu8__i8mm,
    &stem_qu8__neondot,
    &inverted_residual_qu8__i8mm,
    &inverted_residual_qu8__neondot,
    &pointwise_qu8__i8mm,
    &pointwise_qu8__neondot,
    &dense_qu8__i8mm,
    &dense_qu8__neondot,
#endif
#if defined(MOBILENETV2_NEON)
    &stem_qu8__neon,
    &inverted_residual_qu8__neon,
    &pointwise_qu8__neon,
    &global_average_pool_qu8__neon,
    &dense_qu8__neon,
    &stem_f32__neon,
    &inverted_residual_f32__neon,
    &pointwise_f32__neon,
    &global_average_pool_f32__neon,
    &dense_f32__neon,
    &softmax_f32__neon,
#endif
    &stem_f32__scalar,
    &stem_qu8__scalar,
    &inverted_residual_f32__scalar,
    &inverted_residual_qu8__scalar,
    &pointwise_f32__scalar,
    &pointwise_qu8__scalar,
    &global_average_pool_f32__scalar,
    &global_average_pool_qu8__scalar,
    &dense_f32__scalar,
    &dense_qu8__scalar,
    &softmax_f32__scalar,
    &softmax_qu8__scalar,
};

}  // namespace

KernelList all_kernels() { return {std::begin(kKernels), std::end(kKernels)}; }

const Kernel& reference_kernel(OpKind op, Dtype dtype) {
  for (const Kernel* kernel : kKernels) {
    if (kernel->isa == Isa::scalar && kernel->op == op && kernel->dtype == dtype) return *kernel;
  }
  return *kKernels[0];  // unreachable: every op has its scalar rows (tested)
}

const Kernel& choose_kernel(const Op& op, Isa ceiling) {
  for (const Kernel* kernel : kKernels) {
    if (kernel->op != op.kind || kernel->dtype != op.dtype || !isa_allowed(kernel->isa, ceiling)) continue;
    if (kernel->supports == nullptr || kernel->supports(op)) return *kernel;
  }
  return reference_kernel(op.kind, op.dtype);
}

bool slices_of_channels_wanted(const Op&, const StageShape& s, int32_t slices) {
  constexpr int32_t kMaxRows = 14, kMinBandRows = 7;
  return s.out_height <= kMaxRows && s.out_height < kMinBandRows * slices;
}

}  // namespace mobilenetv2

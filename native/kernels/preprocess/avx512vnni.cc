#include "kernels/preprocess/preprocess.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/preprocess/taps.h"

#include "kernels/simd/x86_avx512vnni_begin.h"

#include "kernels/preprocess/avx512vnni_pillow.h"
#include "kernels/preprocess/pillow_driver.h"

namespace mobilenetv2::avx512vnni {
namespace {

using Pillow = PillowDriver<PillowFilter>;

// The two-tap resizes work on single pixels, which wider registers do not make faster: they stay AVX2's.
size_t scratch_bytes(const PreprocessArgs& args) {
  return args.resize == Resize::pillow ? Pillow::scratch_bytes(args) : preprocess__avx2.scratch_bytes(args);
}

void run(const PreprocessArgs& args) { args.resize == Resize::pillow ? Pillow::run(args) : preprocess__avx2.run(args); }

}  // namespace
}  // namespace mobilenetv2::avx512vnni

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const PreprocessKernel preprocess__avx512vnni = {"preprocess__avx512vnni", Isa::avx512vnni, avx512vnni::scratch_bytes,
                                                 avx512vnni::run};

}  // namespace mobilenetv2

#endif

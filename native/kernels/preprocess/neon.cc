#include "kernels/preprocess/preprocess.h"

#if defined(MOBILENETV2_NEON)

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/preprocess/taps.h"

#include "kernels/simd/arm_neon_begin.h"

#include "kernels/preprocess/neon_pillow.h"
#include "kernels/preprocess/pillow_driver.h"
#if defined(__aarch64__)
#include "kernels/preprocess/neon_two_taps.h"
#include "kernels/preprocess/two_taps_driver.h"
#endif

namespace mobilenetv2::neon {
namespace {

using Pillow = PillowDriver<PillowFilter>;

size_t scratch_bytes(const PreprocessArgs& args) {
  return args.resize == Resize::pillow ? Pillow::scratch_bytes(args) : two_taps_scratch_bytes(args);
}

void run(const PreprocessArgs& args) {
  if (args.resize == Resize::pillow) return Pillow::run(args);
#if defined(__aarch64__)
  args.resize == Resize::half_pixel ? TwoTaps<Float4>::run(args, half_pixel_tap)
                                    : TwoTaps<Double4>::run(args, align_corners_tap);
#else
  preprocess__scalar.run(args);  // two taps end in doubles, which ARMv7's NEON does not have
#endif
}

}  // namespace
}  // namespace mobilenetv2::neon

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const PreprocessKernel preprocess__neon = {"preprocess__neon", Isa::neon, neon::scratch_bytes, neon::run};

}  // namespace mobilenetv2

#endif

#include "kernels/preprocess/preprocess.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/preprocess/taps.h"

#include "kernels/simd/x86_avx2_begin.h"

#include "kernels/preprocess/avx2_pillow.h"
#include "kernels/preprocess/avx2_two_taps.h"
#include "kernels/preprocess/pillow_driver.h"
#include "kernels/preprocess/two_taps_driver.h"

namespace mobilenetv2::avx2 {
namespace {

using Pillow = PillowDriver<PillowFilter>;

size_t scratch_bytes(const PreprocessArgs& args) {
  return args.resize == Resize::pillow ? Pillow::scratch_bytes(args) : two_taps_scratch_bytes(args);
}

void run(const PreprocessArgs& args) {
  switch (args.resize) {
    case Resize::pillow:
      return Pillow::run(args);
    case Resize::half_pixel:
      return TwoTaps<Float4>::run(args, half_pixel_tap);
    case Resize::align_corners:
      return TwoTaps<Double4>::run(args, align_corners_tap);
  }
}

}  // namespace
}  // namespace mobilenetv2::avx2

#include "kernels/simd/target_end.h"

namespace mobilenetv2 {

const PreprocessKernel preprocess__avx2 = {"preprocess__avx2", Isa::avx2, avx2::scratch_bytes, avx2::run};

}  // namespace mobilenetv2

#endif

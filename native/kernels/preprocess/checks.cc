// What every preprocess kernel may rely on.
#include <cmath>

#include "kernels/preprocess/preprocess.h"

namespace mobilenetv2 {
namespace {

bool side_ok(int32_t side, int32_t limit) { return side >= 1 && side <= limit; }

// [begin, begin + length) lies in [0, whole); all are within limits that cannot overflow.
bool inside(int32_t begin, int32_t length, int32_t whole) {
  return length >= 1 && length <= whole && begin >= 0 && begin <= whole - length;
}

}  // namespace

const char* check_preprocess(const PreprocessArgs& args) {
  if (!side_ok(args.width, kMaxImageSide) || !side_ok(args.height, kMaxImageSide))
    return "image width and height must be 1 ... 1048576";
  if (args.channels != 1 && args.channels != 3 && args.channels != 4) return "image channels must be 1, 3 or 4";
  if (!inside(args.box_x, args.box_width, args.width) || !inside(args.box_y, args.box_height, args.height))
    return "the box must lie inside the image";
  if (args.resize != Resize::pillow && args.resize != Resize::half_pixel && args.resize != Resize::align_corners)
    return "unknown resize";
  if (!side_ok(args.resized_width, kMaxResizedSide) || !side_ok(args.resized_height, kMaxResizedSide))
    return "resized width and height must be 1 ... 1073741824";
  if (!side_ok(args.out_width, kMaxImageSide) || !side_ok(args.out_height, kMaxImageSide))
    return "output width and height must be 1 ... 1048576";
  if (!inside(args.window_x, args.out_width, args.resized_width) ||
      !inside(args.window_y, args.out_height, args.resized_height))
    return "the window must lie inside the resized image";
  for (int c = 0; c < 3; ++c)
    if (!std::isfinite(args.mul[c]) || !std::isfinite(args.add[c])) return "mul and add must be finite";
  if (args.min_q != 0 && args.min_q != -128) return "min_q must be 0 or -128";
  if ((args.out_f32 != nullptr) == (args.out_u8 != nullptr)) return "exactly one output is needed";
  if (args.resize == Resize::pillow && (args.out_f32 ? args.table_f32 == nullptr : args.table_u8 == nullptr))
    return "the table of the output's type is missing";
  if (args.pixels == nullptr) return "pixels are missing";
  return nullptr;
}

}  // namespace mobilenetv2

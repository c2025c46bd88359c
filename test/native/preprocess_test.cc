// Every preprocess kernel against the scalar reference, bit for bit, on random images and geometry; what the reference
// itself must satisfy; what check_preprocess refuses. What the resizes mean is tested against Pillow and TensorFlow.js
// in test/preprocess.
#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "harness.h"
#include "kernels/preprocess/preprocess.h"

namespace mobilenetv2::test {
namespace {

constexpr Resize kResizes[] = {Resize::pillow, Resize::half_pixel, Resize::align_corners};
constexpr const char* kResizeNames[] = {"pillow", "half_pixel", "align_corners"};
constexpr int32_t kChannels[] = {1, 3, 4};
constexpr size_t kGuard = 64;  // bytes behind output and scratch that must stay as they are
constexpr uint8_t kPoison = 0xa5;

// Arguments and the memory behind them. The pixels end where their allocation ends, for AddressSanitizer.
struct Case {
  PreprocessArgs args;
  bool to_float = false;
  std::vector<uint8_t> pixels;
  std::vector<float> table_f32;
  std::vector<uint8_t> table_u8;

  size_t output_bytes() const {
    return size_t{3} * args.out_width * args.out_height * (to_float ? sizeof(float) : sizeof(uint8_t));
  }
};

std::string describe(const Case& c) {
  const PreprocessArgs& a = c.args;
  const auto n = [](int32_t value) { return std::to_string(value); };
  return std::string(kResizeNames[static_cast<int>(a.resize)]) + (a.vertical_first ? " vertical first" : "") + ", " +
         n(a.width) + "x" + n(a.height) + "x" + n(a.channels) + " box " + n(a.box_width) + "x" + n(a.box_height) + "+" +
         n(a.box_x) + "+" + n(a.box_y) + " -> " + n(a.resized_width) + "x" + n(a.resized_height) + " window " +
         n(a.out_width) + "x" + n(a.out_height) + "+" + n(a.window_x) + "+" + n(a.window_y) +
         (c.to_float ? " f32" : " u8");
}

// A side that is small as often as not: remainders and borders live there.
int32_t random_side(Random* random, int32_t largest) {
  const int32_t limit = random->chance(25) ? 4 : random->chance(50) ? 40 : largest;
  return random->integer(1, std::min(limit, largest));
}

void random_part(Random* random, int32_t whole, int32_t largest, int32_t* begin, int32_t* length) {
  *length = random->chance(50) ? std::min(whole, largest) : random->integer(1, std::min(whole, largest));
  *begin = random->chance(30) ? whole - *length : random->integer(0, whole - *length);
}

Case random_case(Random* random, Resize resize, int32_t channels, bool to_float) {
  constexpr int32_t kLargestOut = 70;
  Case c;
  c.to_float = to_float;
  PreprocessArgs& a = c.args;
  a.resize = resize;
  a.channels = channels;
  a.width = random_side(random, 400);
  a.height = random_side(random, 400);
  random_part(random, a.width, a.width, &a.box_x, &a.box_width);
  random_part(random, a.height, a.height, &a.box_y, &a.box_height);
  a.vertical_first = random->chance(30);
  // Now and then blown up beyond reason: the window is all that is computed.
  a.resized_width = random->chance(5) ? random->integer(1, kMaxResizedSide) : random_side(random, 120);
  a.resized_height = random->chance(5) ? random->integer(1, kMaxResizedSide) : random_side(random, 120);
  random_part(random, a.resized_width, kLargestOut, &a.window_x, &a.out_width);
  random_part(random, a.resized_height, kLargestOut, &a.window_y, &a.out_height);

  c.pixels.resize(static_cast<size_t>(a.width) * a.height * channels);
  const bool extremes = random->chance(30);
  for (uint8_t& p : c.pixels) p = static_cast<uint8_t>(extremes ? (random->chance(50) ? 255 : 0) : random->next());
  c.pixels.shrink_to_fit();
  a.pixels = c.pixels.data();
  for (int i = 0; i < 3 * 256; ++i) {
    c.table_f32.push_back(random->real(-3, 3));
    c.table_u8.push_back(static_cast<uint8_t>(random->next()));
  }
  a.min_q = random->chance(50) ? -128 : 0;
  for (int i = 0; i < 3; ++i) {
    a.mul[i] = random->real(-2, 2);
    a.add[i] = random->real(-200, 200);
  }
  return c;
}

// The case with its pointers set to this memory; an empty result if something beyond output or scratch was written.
std::vector<uint8_t> run_case(const PreprocessKernel& kernel, const Case& c, Random* random) {
  PreprocessArgs args = c.args;
  std::vector<uint8_t> output(c.output_bytes() + kGuard, kPoison);
  args.out_f32 = c.to_float ? reinterpret_cast<float*>(output.data()) : nullptr;
  args.out_u8 = c.to_float ? nullptr : output.data();
  args.table_f32 = c.to_float ? c.table_f32.data() : nullptr;
  args.table_u8 = c.to_float ? nullptr : c.table_u8.data();
  const char* problem = check_preprocess(args);
  if (problem != nullptr) {
    fail(__FILE__, __LINE__, describe(c) + " is refused: " + problem);
    return {};
  }
  const size_t scratch_bytes = kernel.scratch_bytes(args);
  AlignedBuffer scratch;
  CHECK(scratch.allocate(scratch_bytes + kGuard));
  // Nothing may depend on what scratch holds.
  std::memset(scratch.data(), static_cast<int>(random->next() & 255), scratch_bytes);
  std::memset(scratch.data() + scratch_bytes, kPoison, kGuard);
  args.scratch = scratch.data();
  kernel.run(args);
  const auto untouched = [](const uint8_t* guard) {
    return std::all_of(guard, guard + kGuard, [](uint8_t byte) { return byte == kPoison; });
  };
  if (!untouched(scratch.data() + scratch_bytes) || !untouched(output.data() + c.output_bytes())) {
    fail(__FILE__, __LINE__, std::string(kernel.name) + " writes out of bounds: " + describe(c));
    return {};
  }
  output.resize(c.output_bytes());
  return output;
}

void check_equal(const PreprocessKernel& kernel, const Case& c, Random* random) {
  const std::vector<uint8_t> want = run_case(preprocess__scalar, c, random);
  const std::vector<uint8_t> got = run_case(kernel, c, random);
  if (got.empty() || want.empty() || got == want) return;
  const size_t at = std::mismatch(got.begin(), got.end(), want.begin()).first - got.begin();
  const size_t value = at / (c.to_float ? sizeof(float) : 1);
  fail(__FILE__, __LINE__,
       std::string(kernel.name) + ": " + describe(c) + ": differs first at row " +
           std::to_string(value / 3 / c.args.out_width) + ", column " + std::to_string(value / 3 % c.args.out_width) +
           ", channel " + std::to_string(value % 3));
}

// 12x9 RGB to bytes, all of it, to 5x4; valid but for output and table.
Case plain_case() {
  Case c;
  PreprocessArgs& a = c.args;
  a.width = a.box_width = 12;
  a.height = a.box_height = 9;
  a.resized_width = a.out_width = 5;
  a.resized_height = a.out_height = 4;
  c.pixels.assign(12 * 9 * 3, 1);
  a.pixels = c.pixels.data();
  c.table_u8.assign(3 * 256, 2);
  a.table_u8 = c.table_u8.data();
  return c;
}

void identity_tables(Case* c) {
  for (int i = 0; i < 3 * 256; ++i) {
    c->table_u8[i] = static_cast<uint8_t>(i);
    c->table_f32[i] = static_cast<float>(i % 256);
  }
  for (int i = 0; i < 3; ++i) {
    c->args.mul[i] = 1;
    c->args.add[i] = c->to_float ? 0 : 0.5;
  }
  c->args.min_q = 0;
}

}  // namespace

TEST(preprocess_kernels_equal_the_reference) {
  constexpr int kCases = 120;  // of each resize, channels and output
  std::string missing;
  for (const PreprocessKernel* kernel : all_preprocess_kernels()) {
    if (!cpu_has(kernel->isa)) {
      missing += std::string(" ") + kernel->name;
      continue;
    }
    if (kernel == &preprocess__scalar) continue;
    Random random(seed() + std::strlen(kernel->name));
    for (Resize resize : kResizes)
      for (int32_t channels : kChannels)
        for (bool to_float : {false, true})
          for (int i = 0; i < kCases * sweep(); ++i)
            check_equal(*kernel, random_case(&random, resize, channels, to_float), &random);
  }
  if (!missing.empty()) std::printf("    this CPU cannot run:%s\n", missing.c_str());
}

// Whatever the weights, a picture of one colour stays that colour: in every kernel, at every reduction.
TEST(preprocess_keeps_a_constant_image) {
  Random random(seed());
  for (const PreprocessKernel* kernel : all_preprocess_kernels()) {
    if (!cpu_has(kernel->isa)) continue;
    for (Resize resize : kResizes) {
      for (int i = 0; i < 60 * sweep(); ++i) {
        Case c = random_case(&random, resize, kChannels[i % 3], false);
        identity_tables(&c);
        const auto colour = static_cast<uint8_t>(i % 4 == 0 ? 255 : random.next());
        std::fill(c.pixels.begin(), c.pixels.end(), colour);
        const std::vector<uint8_t> got = run_case(*kernel, c, &random);
        if (!std::all_of(got.begin(), got.end(), [&](uint8_t byte) { return byte == colour; }))
          fail(__FILE__, __LINE__, std::string(kernel->name) + ": " + describe(c));
      }
    }
  }
}

// An image of the window's size passes unchanged: grey is repeated, alpha dropped.
TEST(preprocess_copies_what_keeps_its_size) {
  Random random(seed());
  for (const PreprocessKernel* kernel : all_preprocess_kernels()) {
    if (!cpu_has(kernel->isa)) continue;
    for (Resize resize : kResizes) {
      for (int32_t channels : kChannels) {
        Case c = random_case(&random, resize, channels, true);
        PreprocessArgs& a = c.args;
        identity_tables(&c);
        a.box_x = a.box_y = a.window_x = a.window_y = 0;
        a.box_width = a.resized_width = a.out_width = a.width;
        a.box_height = a.resized_height = a.out_height = a.height;
        const std::vector<uint8_t> got = run_case(*kernel, c, &random);
        bool same = true;
        for (size_t i = 0; i < got.size() / sizeof(float); ++i) {
          float value;
          std::memcpy(&value, &got[i * sizeof value], sizeof value);
          same = same && value == static_cast<float>(c.pixels[i / 3 * channels + (channels == 1 ? 0 : i % 3)]);
        }
        if (!same) fail(__FILE__, __LINE__, std::string(kernel->name) + ": " + describe(c));
      }
    }
  }
}

TEST(preprocess_dispatch_obeys_the_ceiling) {
  CHECK(&choose_preprocess(Isa::scalar) == &preprocess__scalar);
  for (const PreprocessKernel* kernel : all_preprocess_kernels()) {
    const std::string name = kernel->name;
    CHECK(name == std::string("preprocess__") + isa_name(kernel->isa));
    if (cpu_has(kernel->isa)) CHECK(&choose_preprocess(kernel->isa) == kernel);
  }
}

TEST(preprocess_check_refuses) {
  uint8_t output[5 * 4 * 3];
  float output_f32[1];
  const auto refuses = [&](const char* part, void (*change)(PreprocessArgs*)) {
    Case c = plain_case();
    c.args.out_u8 = output;
    CHECK(check_preprocess(c.args) == nullptr);
    change(&c.args);
    const char* problem = check_preprocess(c.args);
    if (problem == nullptr || std::strstr(problem, part) == nullptr)
      fail(__FILE__, __LINE__, std::string("expected ...") + part + "..., got " + (problem ? problem : "nothing"));
  };
  using Args = PreprocessArgs;
  refuses("image width", [](Args* a) { a->width = 0; });
  refuses("image width", [](Args* a) { a->height = -1; });
  refuses("image width", [](Args* a) { a->width = kMaxImageSide + 1; });
  refuses("channels", [](Args* a) { a->channels = 2; });
  refuses("box", [](Args* a) { a->box_x = 1; });
  refuses("box", [](Args* a) { a->box_y = -1; });
  refuses("box", [](Args* a) { a->box_width = 0; });
  refuses("box", [](Args* a) { a->box_height = std::numeric_limits<int32_t>::max(); });
  refuses("unknown resize", [](Args* a) { a->resize = static_cast<Resize>(9); });
  refuses("resized width", [](Args* a) { a->resized_width = 0; });
  refuses("resized width", [](Args* a) { a->resized_height = kMaxResizedSide + 1; });
  refuses("output width", [](Args* a) { a->out_width = 0; });
  refuses("output width", [](Args* a) { a->out_height = kMaxImageSide + 1; });
  refuses("window", [](Args* a) { a->window_x = 1; });
  refuses("window", [](Args* a) { a->window_y = std::numeric_limits<int32_t>::min(); });
  refuses("window", [](Args* a) { a->out_width = 6; });
  refuses("finite", [](Args* a) { a->mul[1] = std::numeric_limits<double>::infinity(); });
  refuses("finite", [](Args* a) { a->add[2] = std::numeric_limits<double>::quiet_NaN(); });
  refuses("min_q", [](Args* a) { a->min_q = 1; });
  refuses("exactly one output", [](Args* a) { a->out_u8 = nullptr; });
  refuses("table", [](Args* a) { a->table_u8 = nullptr; });
  refuses("pixels", [](Args* a) { a->pixels = nullptr; });

  Case both = plain_case();
  both.args.out_u8 = output;
  both.args.out_f32 = output_f32;
  CHECK(check_preprocess(both.args) != nullptr);
  both.args.out_u8 = nullptr;  // a float output needs the float table, though there is one for bytes
  CHECK(check_preprocess(both.args) != nullptr);
  both.args.resize = Resize::half_pixel;  // and the float resizes need none
  CHECK(check_preprocess(both.args) == nullptr);
}

}  // namespace mobilenetv2::test

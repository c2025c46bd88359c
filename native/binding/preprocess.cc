#include "binding/preprocess.h"

#include <string>

#include "binding/fields.h"
#include "binding/jobs.h"
#include "core/aligned_buffer.h"
#include "kernels/preprocess/preprocess.h"

namespace mobilenetv2 {
namespace {

constexpr size_t kTableEntries = 3 * 256;

class PreprocessJob final : public AsyncJob {
 public:
  PreprocessJob() : AsyncJob(1, 1, 1) {}

  void run_item(int32_t, int32_t, const Parallel&) override {
    if (!cancelled()) kernel->run(args);
  }

  Napi::Value result(Napi::Env env) override { return Napi::Boolean::New(env, !cancelled()); }

  const PreprocessKernel* kernel = nullptr;
  PreprocessArgs args;
  AlignedBuffer scratch;
};

Resize read_resize(const Fields& plan) {
  const std::string name = plan.text("resize");
  if (name == "pillow") return Resize::pillow;
  if (name == "half_pixel") return Resize::half_pixel;
  if (name != "align_corners") plan.fail("resize", "is unknown");
  return Resize::align_corners;
}

void read_plan(const Fields& plan, bool to_float, PreprocessArgs* args) {
  const Fields image = plan.object("image"), box = plan.object("box"), resized = plan.object("resized"),
               window = plan.object("window");
  args->width = image.integer("width");
  args->height = image.integer("height");
  args->channels = image.integer("channels");
  args->box_x = box.integer("x");
  args->box_y = box.integer("y");
  args->box_width = box.integer("width");
  args->box_height = box.integer("height");
  args->resize = read_resize(plan);
  args->vertical_first = plan.boolean("verticalFirst");
  args->resized_width = resized.integer("width");
  args->resized_height = resized.integer("height");
  args->window_x = window.integer("x");
  args->window_y = window.integer("y");
  args->out_width = window.integer("width");
  args->out_height = window.integer("height");
  args->min_q = plan.integer("minQ");
  if (to_float) {
    args->table_f32 = plan.elements<float>("table", napi_float32_array, kTableEntries);
  } else {
    args->table_u8 = plan.elements<uint8_t>("table", napi_uint8_array, kTableEntries);
  }
  const auto* mul = plan.elements<double>("mul", napi_float64_array, 3);
  const auto* add = plan.elements<double>("add", napi_float64_array, 3);
  for (int c = 0; c < 3 && mul != nullptr && add != nullptr; ++c) {
    args->mul[c] = mul[c];
    args->add[c] = add[c];
  }
}

// preprocess(plan, pixels, output, threads, isa) -> Promise<boolean>: false when cancelled
Napi::Value preprocess(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  FieldErrors errors;
  auto job = std::make_shared<PreprocessJob>();
  PreprocessArgs& args = job->args;
  const Fields plan(info[0], "plan", &errors);
  const bool to_float = plan.text("dtype") == "float32";
  read_plan(plan, to_float, &args);
  if (errors.ok() && args.width > 0 && args.height > 0 && args.channels > 0 && args.out_width > 0 &&
      args.out_height > 0) {
    const size_t pixels = static_cast<size_t>(args.width) * args.height * args.channels;
    const size_t values = size_t{3} * args.out_width * args.out_height;
    args.pixels = bytes_of(info[1], pixels, "pixels", &errors);
    auto* output = bytes_of(info[2], to_float ? values * sizeof(float) : values, "output", &errors);
    args.out_f32 = to_float ? reinterpret_cast<float*>(output) : nullptr;
    args.out_u8 = to_float ? nullptr : output;
  }
  if (!info[3].IsNumber()) errors.add("threads is not a number");
  Isa ceiling = Isa::scalar;
  if (!info[4].IsString() || !isa_from_name(info[4].As<Napi::String>().Utf8Value().c_str(), &ceiling)) {
    errors.add("isa is unknown");
  }
  job->kernel = &choose_preprocess(ceiling);
  if (errors.ok()) {
    const char* problem = check_preprocess(args);
    if (problem != nullptr) errors.add(problem);
  }
  if (errors.ok() && !job->scratch.allocate(job->kernel->scratch_bytes(args)))
    errors.add("not enough memory to resize");
  if (!errors.ok()) {
    Napi::Error::New(env, errors.first).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  args.scratch = job->scratch.data();
  Napi::Object pinned = Napi::Object::New(env);
  pinned.Set("plan", info[0]);
  pinned.Set("pixels", info[1]);
  pinned.Set("output", info[2]);
  return Environment::of(env).start(env, std::move(job), pinned, info[3].As<Napi::Number>().Int32Value());
}

}  // namespace

void define_preprocess(Napi::Env env, Napi::Object exports) {
  exports.Set("preprocess", Napi::Function::New(env, preprocess));
}

}  // namespace mobilenetv2

// The module's exports; lib/native.ts types them. Only this folder knows N-API.
#include <napi.h>

#include "binding/fields.h"
#include "binding/jobs.h"
#include "binding/peak.h"
#include "binding/preprocess.h"
#include "binding/run.h"
#include "binding/stay_loaded.h"
#include "core/first_outside.h"
#include "cpu/isa.h"
#include "kernels/registry.h"

namespace mobilenetv2 {
namespace {

// isas(withoutAmx?) -> { best, available: [...] }. Without it Linux is not asked for the matrix unit (cpu/isa.h).
Napi::Value isas(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool without_amx = info[0].ToBoolean();
  Napi::Array available = Napi::Array::New(env);
  Isa best = Isa::scalar;
  for (Isa isa : kAllIsas) {
    if ((without_amx && isa == Isa::amx) || !cpu_has(isa)) continue;
    available.Set(available.Length(), isa_name(isa));
    best = isa;
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("best", isa_name(best));
  result.Set("available", available);
  return result;
}

// kernels() -> [{ name, isa }]: the registry, best first
Napi::Value kernels(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array rows = Napi::Array::New(env);
  for (const Kernel* kernel : all_kernels()) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", kernel->name);
    row.Set("isa", isa_name(kernel->isa));
    rows.Set(rows.Length(), row);
  }
  return rows;
}

// firstOutside(values: Float32Array, low, high) -> index of the first value that is not between them, or -1
Napi::Value find_outside(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ArrayView values;
  if (!view_of(info[0], &values) || values.type != napi_float32_array || !info[1].IsNumber() || !info[2].IsNumber()) {
    Napi::Error::New(env, "firstOutside takes a Float32Array and two numbers").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const int64_t index = first_outside(reinterpret_cast<const float*>(values.data), values.elements,
                                      info[1].As<Napi::Number>().FloatValue(), info[2].As<Napi::Number>().FloatValue());
  return Napi::Number::New(env, static_cast<double>(index));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  Environment::create(env);
  exports.Set("isas", Napi::Function::New(env, isas));
  exports.Set("kernels", Napi::Function::New(env, kernels));
  exports.Set("firstOutside", Napi::Function::New(env, find_outside));
  define_run(env, exports);
  define_peak(env, exports);
  define_preprocess(env, exports);
  return exports;
}

}  // namespace
}  // namespace mobilenetv2

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return mobilenetv2::init(env, exports); }

NODE_API_MODULE(mobilenetv2, init_addon)

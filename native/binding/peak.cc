#include "binding/peak.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "kernels/peak/peak.h"

namespace mobilenetv2 {
namespace {

using Clock = std::chrono::steady_clock;

// The best of a few short runs: interruptions can only make a run slower.
double macs_per_second(const PeakLoop& loop) {
  constexpr int64_t kTurns = 1'000'000;  // 2-15 ms
  constexpr int kRuns = 12;
  double best = 0;
  uint32_t all = 0;
  for (int i = 0; i < kRuns; ++i) {
    const Clock::time_point start = Clock::now();
    all ^= loop.run(kTurns);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    best = std::max(best, static_cast<double>(kTurns * loop.macs_per_turn) / seconds.count());
  }
  volatile uint32_t kept = all;
  (void)kept;
  return best;
}

// machinePeak(isa) -> { f32, qu8 }: MACs per second of one thread, by the fastest loop the set allows (a wider one is
// not always faster), null where there is none. Takes up to 0.5 s on the calling thread.
Napi::Value machine_peak(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Isa ceiling;
  if (!info[0].IsString() || !isa_from_name(info[0].As<Napi::String>().Utf8Value().c_str(), &ceiling)) {
    Napi::TypeError::New(env, "isa is not the name of an instruction set").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto measure = [&](Dtype dtype) -> Napi::Value {
    double best = 0;
    for (const PeakLoop* loop : all_peak_loops()) {
      if (loop->dtype == dtype && isa_allowed(loop->isa, ceiling)) best = std::max(best, macs_per_second(*loop));
    }
    return best == 0 ? env.Null() : Napi::Number::New(env, best);
  };
  Napi::Object result = Napi::Object::New(env);
  result.Set("f32", measure(Dtype::f32));
  result.Set("qu8", measure(Dtype::qu8));
  return result;
}

}  // namespace

void define_peak(Napi::Env env, Napi::Object exports) {
  exports.Set("machinePeak", Napi::Function::New(env, machine_peak));
}

}  // namespace mobilenetv2

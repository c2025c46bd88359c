// The machine's multiply-accumulate peak.
#pragma once

#include <napi.h>

namespace mobilenetv2 {

void define_peak(Napi::Env env, Napi::Object exports);

}  // namespace mobilenetv2

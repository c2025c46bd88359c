// The JavaScript classes Model (packed weights) and Program, and running a program on images.
#pragma once

#include <napi.h>

namespace mobilenetv2 {

void define_run(Napi::Env env, Napi::Object exports);

}  // namespace mobilenetv2

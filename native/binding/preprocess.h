// Preprocessing raw pixels into an input tensor, off the JavaScript thread.
#pragma once

#include <napi.h>

namespace mobilenetv2 {

void define_preprocess(Napi::Env env, Napi::Object exports);

}  // namespace mobilenetv2

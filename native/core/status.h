// Errors as values: native code below the binding never throws.
#pragma once

#include <string>
#include <utility>

namespace mobilenetv2 {

// Empty text means success. The binding turns anything else into a typed JavaScript error.
struct Status {
  std::string error;
  bool ok() const { return error.empty(); }
};

inline Status failure(std::string text) { return Status{std::move(text)}; }

}  // namespace mobilenetv2

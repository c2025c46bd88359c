// Reads plain JavaScript objects of the contract in lib/native.ts. The first thing that does not fit is remembered, so
// that callers read everything and look at ok() once.
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace mobilenetv2 {

struct FieldErrors {
  std::string first;
  void add(const std::string& text) {
    if (first.empty()) first = text;
  }
  bool ok() const { return first.empty(); }
};

// What a typed array shows. `data` may be null if there are no bytes: a detached buffer's views have none left.
struct ArrayView {
  napi_typedarray_type type;
  size_t elements, bytes;
  uint8_t* data;
};

// False if `value` is no typed array of a known type. Asks for no ArrayBuffer, which memory shared between threads is
// not: whatever of N-API takes one fails there, and an error that cannot be thrown ends the process.
inline bool view_of(const Napi::Value& value, ArrayView* view) {
  if (value.IsEmpty() || !value.IsTypedArray()) return false;
  constexpr int kUnknown = -1;
  auto type = static_cast<napi_typedarray_type>(kUnknown);  // stays for types younger than this Node-API
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &type, &view->elements, &data, nullptr, nullptr) != napi_ok) {
    return false;
  }
  size_t element_bytes = 1;
  switch (static_cast<int>(type)) {
    case napi_int8_array:
    case napi_uint8_array:
    case napi_uint8_clamped_array:
      break;
    case napi_int16_array:
    case napi_uint16_array:
      element_bytes = 2;
      break;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      element_bytes = 4;
      break;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      element_bytes = 8;
      break;
    default:
      return false;
  }
  view->type = type;
  view->bytes = view->elements * element_bytes;
  view->data = view->bytes == 0 ? nullptr : static_cast<uint8_t*>(data);
  return true;
}

// What a view of exactly so many bytes shows; else null, and an error.
inline uint8_t* bytes_of(const Napi::Value& value, size_t bytes, const char* name, FieldErrors* errors) {
  ArrayView view;
  if (view_of(value, &view) && view.bytes == bytes) return view.data;
  errors->add(std::string(name) + " is not a view of " + std::to_string(bytes) + " bytes");
  return nullptr;
}

class Fields {
 public:
  Fields(const Napi::Value& value, std::string path, FieldErrors* errors) : path_(std::move(path)), errors_(errors) {
    if (!value.IsEmpty() && value.IsObject()) {
      object_ = value.As<Napi::Object>();
    } else {
      errors_->add(path_ + " is not an object");
    }
  }

  bool has(const char* name) const {
    if (object_.IsEmpty()) return false;
    const Napi::Value v = object_.Get(name);
    return !v.IsUndefined() && !v.IsNull();
  }

  Napi::Value get(const char* name) const {
    return object_.IsEmpty() ? Napi::Value() : static_cast<Napi::Value>(object_.Get(name));
  }

  double number(const char* name) const {
    const Napi::Value v = get(name);
    if (!v.IsEmpty() && v.IsNumber()) return v.As<Napi::Number>().DoubleValue();
    fail(name, "is not a number");
    return 0;
  }

  int32_t integer(const char* name) const {
    const double d = number(name);
    if (d == std::floor(d) && d >= INT32_MIN && d <= INT32_MAX) return static_cast<int32_t>(d);
    fail(name, "is not a 32-bit integer");
    return 0;
  }

  size_t size(const char* name) const {
    // What a double counts without gaps and, on 32-bit systems, what memory can hold.
    constexpr double kMaxSize = sizeof(size_t) > 4 ? 9007199254740991.0 : 4294967295.0;
    const double d = number(name);
    if (d == std::floor(d) && d >= 0 && d <= kMaxSize) return static_cast<size_t>(d);
    fail(name, "is not a size");
    return 0;
  }

  bool boolean(const char* name) const {
    const Napi::Value v = get(name);
    if (!v.IsEmpty() && v.IsBoolean()) return v.As<Napi::Boolean>().Value();
    fail(name, "is not a boolean");
    return false;
  }

  std::string text(const char* name) const {
    const Napi::Value v = get(name);
    if (!v.IsEmpty() && v.IsString()) return v.As<Napi::String>().Utf8Value();
    fail(name, "is not a string");
    return {};
  }

  Fields object(const char* name) const { return Fields(get(name), path_ + "." + name, errors_); }

  // Calls visit(element fields) for each element of an array.
  template <typename Visit>
  void each(const char* name, const Visit& visit) const {
    const Napi::Value v = get(name);
    if (v.IsEmpty() || !v.IsArray()) return fail(name, "is not an array");
    const Napi::Array array = v.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length() && errors_->ok(); ++i) {
      const Napi::HandleScope scope(array.Env());
      visit(Fields(array.Get(i), path_ + "." + name + "[" + std::to_string(i) + "]", errors_));
    }
  }

  // The elements of a typed array of exactly `length` elements; null (and an error) otherwise. Valid while the array
  // lives.
  template <typename T>
  const T* elements(const char* name, napi_typedarray_type type, size_t length) const {
    ArrayView view;
    if (!view_of(get(name), &view) || view.type != type) {
      fail(name, "is not a typed array of the right type");
      return nullptr;
    }
    if (view.elements != length) {
      fail(name, ("has " + std::to_string(view.elements) + " elements, not " + std::to_string(length)).c_str());
      return nullptr;
    }
    return reinterpret_cast<const T*>(view.data);
  }

  void fail(const char* name, const char* what) const { errors_->add(path_ + "." + name + " " + what); }

 private:
  Napi::Object object_;
  std::string path_;
  FieldErrors* errors_;
};

}  // namespace mobilenetv2

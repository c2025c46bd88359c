// Small things that kernels, packing and the engine share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/op.h"
#include "core/quantization.h"
#include "kernels/kernels.h"

namespace mobilenetv2 {

inline constexpr size_t kAlignment = 64;

constexpr size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

constexpr size_t element_bytes(Dtype dtype) { return dtype == Dtype::f32 ? 4 : 1; }

inline void emit(const StageArgs& args, Layer layer, int32_t row, const void* data, size_t bytes) {
  if (args.tap != nullptr) args.tap->emit(args.tap->context, layer, row, data, bytes);
}

}  // namespace mobilenetv2

// Float softmax for any vector ISA. Include inside S's target region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/common.h"
#include "kernels/kernels.h"

namespace mobilenetv2 {

template <class S>
struct F32Softmax {
  using Vec = typename S::Vec;
  using Reg = typename Vec::Reg;
  static constexpr int32_t kLanes = Vec::kLanes;

  static size_t packed_bytes(const Op&) { return 0; }
  static void pack(const Op&, uint8_t*) {}
  static StageFacts facts(const Op&, const StageShape&) { return {}; }

  static void run(StageArgs& args, int32_t, int32_t) {
    const int32_t classes = args.op->softmax.classes;
    const auto* logits = reinterpret_cast<const float*>(args.input.row(0));
    auto* out = reinterpret_cast<float*>(args.output.row(0));
    // Of several equal maxima and of the tail's unused lanes nothing shows: unused lanes repeat the first logit.
    Reg most = Vec::broadcast(logits[0]);
    int32_t i = 0;
    for (; i + kLanes <= classes; i += kLanes) most = Vec::max(most, Vec::load(logits + i));
    float largest = Vec::max_of(most);
    for (; i < classes; ++i) largest = std::max(largest, logits[i]);

    const Reg beta = Vec::broadcast(args.op->softmax.beta), offset = Vec::broadcast(largest);
    Reg sums = Vec::zero();
    for (i = 0; i + kLanes <= classes; i += kLanes) {
      const Reg e = exp(Vec::mul(Vec::sub(Vec::load(logits + i), offset), beta));
      sums = Vec::add(sums, e);
      Vec::store(out + i, e);
    }
    float sum = Vec::sum_of(sums);
    if (const int32_t left = classes - i; left > 0) {
      Vec::store_first(out + i, exp(Vec::mul(Vec::sub(Vec::load_first(logits + i, left), offset), beta)), left);
      for (; i < classes; ++i) sum += out[i];
    }
    const Reg inverse = Vec::broadcast(1.0f / sum);
    for (i = 0; i < classes; i += kLanes) {
      Vec::store_first(out + i, Vec::mul(Vec::load_first(out + i, classes - i), inverse), classes - i);
    }
  }

  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::softmax, Dtype::f32, isa, nullptr, packed_bytes, pack, facts, run};
  }

 private:
  // e^x for x <= 0 within 1.5 units in the last place; below -87 (1.6e-38, the smallest normal float) it stays there.
  // x = n ln 2 + r with |r| <= ln 2 / 2, ln 2 in two parts; e^r by its Taylor series to the seventh power.
  static Reg exp(Reg x) {
    x = Vec::max(x, Vec::broadcast(-87.0f));
    const Reg n = Vec::round(Vec::mul(x, Vec::broadcast(1.44269504f)));
    Reg r = Vec::fma(n, Vec::broadcast(-0.693359375f), x);
    r = Vec::fma(n, Vec::broadcast(2.12194440e-4f), r);
    Reg p = Vec::broadcast(1.0f / 5040);
    p = Vec::fma(p, r, Vec::broadcast(1.0f / 720));
    p = Vec::fma(p, r, Vec::broadcast(1.0f / 120));
    p = Vec::fma(p, r, Vec::broadcast(1.0f / 24));
    p = Vec::fma(p, r, Vec::broadcast(1.0f / 6));
    p = Vec::fma(p, r, Vec::broadcast(1.0f / 2));
    p = Vec::fma(p, r, Vec::broadcast(1.0f));
    p = Vec::fma(p, r, Vec::broadcast(1.0f));
    return Vec::mul(p, Vec::exp2_whole(n));
  }
};

}  // namespace mobilenetv2

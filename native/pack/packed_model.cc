#include "pack/packed_model.h"

#include <numeric>
#include <utility>

#include "kernels/common.h"
#include "kernels/registry.h"

namespace mobilenetv2 {
namespace {

void forget_weights(Conv& conv) {
  conv.weights_f32 = nullptr;
  conv.bias_f32 = nullptr;
  conv.weights_q = nullptr;
  conv.bias_q = conv.multipliers = conv.shifts = nullptr;
}

}  // namespace

void one_by_one(int32_t count, const std::function<void(int32_t)>& body) {
  for (int32_t i = 0; i < count; ++i) body(i);
}

std::shared_ptr<const PackedModel> PackedModel::pack(std::vector<Op> ops, Isa ceiling, Status* status,
                                                     const Spread& spread) {
  auto model = std::make_shared<PackedModel>();
  for (size_t i = 0; i < ops.size(); ++i) {
    *status = check_op(ops[i]);
    if (!status->ok()) {
      status->error = "op " + std::to_string(i) + ": " + status->error;
      return nullptr;
    }
  }
  size_t total = 0;
  for (const Op& op : ops) {
    const Kernel& kernel = choose_kernel(op, ceiling);
    model->kernels_.push_back(&kernel);
    model->offsets_.push_back(total);
    total += align_up(kernel.packed_bytes(op));
  }
  auto bytes = std::make_shared<AlignedBuffer>();
  if (!bytes->allocate(total)) {
    *status = failure("not enough memory for " + std::to_string(total) + " bytes of packed weights");
    return nullptr;
  }
  const auto count = static_cast<int32_t>(ops.size());
  std::vector<uint64_t> hashes(ops.size());
  spread(count, [&](int32_t turn) {
    const auto i =
        static_cast<size_t>(count - 1 - turn);  // the last ops are the longest: one at the end has no company
    uint8_t* const packed = bytes->data() + model->offsets_[i];
    model->kernels_[i]->pack(ops[i], packed);
    hashes[i] = hash_of(packed, (i + 1 < ops.size() ? model->offsets_[i + 1] : total) - model->offsets_[i]);
  });
  for (Op& op : ops) {
    for (Conv* conv : {&op.expand, &op.depthwise, &op.project, &op.conv, &op.dense.conv}) forget_weights(*conv);
  }
  model->weights_ =
      share_bytes(std::move(bytes), std::accumulate(hashes.begin(), hashes.end(), uint64_t{0}, combine_hashes));
  model->ops_ = std::move(ops);
  return model;
}

Isa PackedModel::isa() const {
  Isa strongest = Isa::scalar;
  for (const Kernel* kernel : kernels_) strongest = std::max(strongest, kernel->isa);
  return strongest;
}

}  // namespace mobilenetv2

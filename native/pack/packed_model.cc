#include "pack/packed_model.h"

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

std::shared_ptr<const PackedModel> PackedModel::pack(std::vector<Op> ops, Isa ceiling, Status* status) {
  auto model = std::make_shared<PackedModel>();
  for (size_t i = 0; i < ops.size(); ++i) {
    *status = check_op(ops[i]);
    if (!status->ok()) {
      status->error = "op " + std::to_string(i) + ": " + status->error;
      return nullptr;
    }
  }
  for (Op& op : ops) {
    const Kernel& kernel = choose_kernel(op, ceiling);
    auto bytes = std::make_shared<AlignedBuffer>();
    const size_t size = align_up(kernel.packed_bytes(op));
    if (!bytes->allocate(size)) {
      *status = failure("not enough memory for " + std::to_string(size) + " bytes of packed weights");
      return nullptr;
    }
    kernel.pack(op, bytes->data());
    for (Conv* conv : {&op.expand, &op.depthwise, &op.project, &op.conv, &op.dense.conv}) forget_weights(*conv);
    model->kernels_.push_back(&kernel);
    model->weights_.push_back(share_bytes(std::move(bytes)));
    model->packed_bytes_ += size;
    model->content_hash_ = combine_hashes(model->content_hash_, model->weights_.back().hash);
  }
  model->ops_ = std::move(ops);
  return model;
}

Isa PackedModel::isa() const {
  Isa strongest = Isa::scalar;
  for (const Kernel* kernel : kernels_) strongest = std::max(strongest, kernel->isa);
  return strongest;
}

}  // namespace mobilenetv2

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
  size_t total = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    *status = check_op(ops[i]);
    if (!status->ok()) {
      status->error = "op " + std::to_string(i) + ": " + status->error;
      return nullptr;
    }
    const Kernel& kernel = choose_kernel(ops[i], ceiling);
    model->kernels_.push_back(&kernel);
    model->offsets_.push_back(total);
    total += align_up(kernel.packed_bytes(ops[i]));
  }
  if (!model->buffer_.allocate(total)) {
    *status = failure("not enough memory for " + std::to_string(total) + " bytes of packed weights");
    return nullptr;
  }
  for (size_t i = 0; i < ops.size(); ++i) {
    model->kernels_[i]->pack(ops[i], model->buffer_.data() + model->offsets_[i]);
    for (Conv* conv : {&ops[i].expand, &ops[i].depthwise, &ops[i].project, &ops[i].conv, &ops[i].dense.conv}) {
      forget_weights(*conv);
    }
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

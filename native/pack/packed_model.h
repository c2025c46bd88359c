// A network's weights in the tiles of the kernels chosen for this CPU. Immutable after packing, so that running
// images share it; the bytes are shared by all models that pack the same ones (shared_bytes.h).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/status.h"
#include "kernels/kernels.h"
#include "pack/shared_bytes.h"

namespace mobilenetv2 {

// Calls the body once for every number below `count`, on any threads and in any order, and returns when all have ended.
using Spread = std::function<void(int32_t count, const std::function<void(int32_t)>& body)>;

void one_by_one(int32_t count, const std::function<void(int32_t)>& body);

class PackedModel {
 public:
  // Checks and packs, op by op through `spread`; the bytes are the same whatever that does. The ops' weight pointers
  // are only read during the call. On failure returns null and says why.
  static std::shared_ptr<const PackedModel> pack(std::vector<Op> ops, Isa ceiling, Status* status,
                                                 const Spread& spread = one_by_one);

  size_t op_count() const { return ops_.size(); }
  const Op& op(size_t i) const { return ops_[i]; }
  const Kernel& kernel(size_t i) const { return *kernels_[i]; }
  // In the order of the ops and without gaps, so that fetching ahead beyond one op warms the next.
  const uint8_t* packed(size_t i) const { return weights_.buffer->data() + offsets_[i]; }
  size_t packed_bytes() const { return weights_.buffer->size(); }
  // Of the packed weights.
  uint64_t content_hash() const { return weights_.hash; }

  // The strongest instruction set among the chosen kernels.
  Isa isa() const;

 private:
  std::vector<Op> ops_;
  std::vector<const Kernel*> kernels_;
  std::vector<size_t> offsets_;
  SharedBytes weights_;
};

// Refuses what no kernel may be handed: sizes out of range, multipliers that are none, accumulators that could leave
// 32 bits. Everything comes from a file, so nothing is taken on trust.
Status check_op(const Op& op);

}  // namespace mobilenetv2

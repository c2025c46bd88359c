// A network's weights in the tiles of the kernels chosen for this CPU. Immutable after packing, so that running
// images, models and threads share it.
#pragma once

#include <memory>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/status.h"
#include "kernels/kernels.h"

namespace mobilenetv2 {

class PackedModel {
 public:
  // Checks and packs. The ops' weight pointers are only read during the call. On failure returns null and says why.
  static std::shared_ptr<const PackedModel> pack(std::vector<Op> ops, Isa ceiling, Status* status);

  size_t op_count() const { return ops_.size(); }
  const Op& op(size_t i) const { return ops_[i]; }
  const Kernel& kernel(size_t i) const { return *kernels_[i]; }
  const uint8_t* packed(size_t i) const { return buffer_.data() + offsets_[i]; }
  size_t packed_bytes() const { return buffer_.size(); }

  // The strongest instruction set among the chosen kernels.
  Isa isa() const;

 private:
  std::vector<Op> ops_;
  std::vector<const Kernel*> kernels_;
  std::vector<size_t> offsets_;
  AlignedBuffer buffer_;
};

// Refuses what no kernel may be handed: sizes out of range, multipliers that are none, accumulators that could leave
// 32 bits. Everything comes from a file, so nothing is taken on trust.
Status check_op(const Op& op);

}  // namespace mobilenetv2

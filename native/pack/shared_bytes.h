// Packed weights that are equal exist once in the process, whichever model, thread or environment packed them.
#pragma once

#include <cstdint>
#include <memory>

#include "core/aligned_buffer.h"

namespace mobilenetv2 {

// Immutable bytes and their hash.
struct SharedBytes {
  std::shared_ptr<const AlignedBuffer> buffer;
  uint64_t hash = 0;
};

// Returns equal bytes that somebody holds already, and lets go of these, or these. The hash only finds candidates: all
// bytes are compared, so that no file can be made to pass for another. They are freed with their last holder.
SharedBytes share_bytes(std::shared_ptr<AlignedBuffer> bytes);

}  // namespace mobilenetv2

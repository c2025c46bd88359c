// Packed weights that are equal exist once in the process, whichever model, thread or environment packed them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/aligned_buffer.h"

namespace mobilenetv2 {

// Immutable bytes and their hash.
struct SharedBytes {
  std::shared_ptr<const AlignedBuffer> buffer;
  uint64_t hash = 0;
};

uint64_t hash_of(const uint8_t* bytes, size_t size);
uint64_t combine_hashes(uint64_t a, uint64_t b);

// Returns equal bytes that somebody holds already, and lets go of these, or these. `hash` must follow from the bytes,
// and only finds candidates: all bytes are compared, so that no file can be made to pass for another. They are freed
// with their last holder.
SharedBytes share_bytes(std::shared_ptr<AlignedBuffer> bytes, uint64_t hash);

}  // namespace mobilenetv2

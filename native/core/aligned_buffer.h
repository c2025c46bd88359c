// Owned memory on a 64-byte boundary, zero-filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

namespace mobilenetv2 {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer() { release(); }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  // Replaces the contents. False when there is not that much memory.
  bool allocate(size_t bytes) {
    release();
    data_ = static_cast<uint8_t*>(::operator new(bytes == 0 ? 1 : bytes, std::align_val_t{kBoundary}, std::nothrow));
    if (data_ == nullptr) return false;
    size_ = bytes;
    std::memset(data_, 0, bytes);
    return true;
  }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kBoundary = 64;

  void release() {
    if (data_ != nullptr) ::operator delete(data_, std::align_val_t{kBoundary});
    data_ = nullptr;
    size_ = 0;
  }

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mobilenetv2

// Memory that ends at a page which may not be touched: a step beyond it ends the program, also one that no sanitizer
// sees, such as that of an instruction written as assembly. Under AddressSanitizer and on Windows plain memory, of
// which the former sees more.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/aligned_buffer.h"
#include "harness.h"

#if defined(__SANITIZE_ADDRESS__) || defined(_WIN32)
#define MOBILENETV2_GUARD_PAGES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MOBILENETV2_GUARD_PAGES 0
#else
#define MOBILENETV2_GUARD_PAGES 1
#endif
#else
#define MOBILENETV2_GUARD_PAGES 1
#endif

#if MOBILENETV2_GUARD_PAGES
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace mobilenetv2::test {

#if MOBILENETV2_GUARD_PAGES

class GuardedBytes {
 public:
  // `alignment`, a power of two, of the first byte; up to as many bytes less one remain between the last and the page.
  GuardedBytes(size_t bytes, size_t alignment) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t reserved = (bytes + alignment - 1) / alignment * alignment;
    const size_t usable = (reserved + page - 1) / page * page;
    mapped_ = usable + page;
    start_ = static_cast<uint8_t*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(start_ != MAP_FAILED && mprotect(start_ + usable, page, PROT_NONE) == 0);
    data_ = start_ + usable - reserved;
  }
  ~GuardedBytes() { munmap(start_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  uint8_t* data() const { return data_; }

 private:
  uint8_t *start_, *data_;
  size_t mapped_;
};

#else

class GuardedBytes {
 public:
  GuardedBytes(size_t bytes, size_t) { CHECK(memory_.allocate(bytes)); }
  uint8_t* data() const { return memory_.data(); }

 private:
  AlignedBuffer memory_;
};

#endif

}  // namespace mobilenetv2::test

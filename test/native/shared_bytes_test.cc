// Packed weights that are equal exist once, and go with their last holder.
#include "pack/shared_bytes.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "harness.h"

namespace mobilenetv2::test {

static std::shared_ptr<AlignedBuffer> bytes_of(size_t size, uint8_t fill) {
  auto buffer = std::make_shared<AlignedBuffer>();
  buffer->allocate(size);
  std::memset(buffer->data(), fill, size);
  return buffer;
}

static SharedBytes share(std::shared_ptr<AlignedBuffer> bytes) {
  const uint64_t hash = hash_of(bytes->data(), bytes->size());
  return share_bytes(std::move(bytes), hash);
}

TEST(shared_bytes_equal_ones_are_one) {
  const SharedBytes first = share(bytes_of(1000, 7));
  CHECK(share(bytes_of(1000, 7)).buffer == first.buffer);
  CHECK(share(bytes_of(1001, 7)).buffer != first.buffer);
  for (size_t at = 0; at < 1000; ++at) {  // wherever one byte differs, in the hash's blocks or after them
    auto other = bytes_of(1000, 7);
    other->data()[at] ^= 1;
    const SharedBytes shared = share(other);
    CHECK(shared.buffer != first.buffer && shared.hash != first.hash);
  }
}

// Bytes that differ under one hash are told apart.
TEST(shared_bytes_are_compared) {
  const SharedBytes first = share_bytes(bytes_of(100, 1), 5);
  const SharedBytes second = share_bytes(bytes_of(100, 2), 5);
  CHECK(second.buffer != first.buffer && second.buffer->data()[0] == 2);
  CHECK(share_bytes(bytes_of(100, 2), 5).buffer == second.buffer);
}

TEST(shared_bytes_are_freed_with_their_last_holder) {
  std::weak_ptr<AlignedBuffer> watched;
  {
    auto bytes = bytes_of(64, 9);
    watched = bytes;
    SharedBytes first = share(std::move(bytes));
    const SharedBytes second = share(bytes_of(64, 9));
    first = {};
    CHECK(!watched.expired());
    CHECK(second.buffer->data()[63] == 9);
  }
  CHECK(watched.expired());
  CHECK(share(bytes_of(64, 9)).buffer->data()[0] == 9);
}

TEST(shared_bytes_come_and_go_on_several_threads) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&wrong] {
      for (int i = 0; i < 2000; ++i) {
        const auto fill = static_cast<uint8_t>(i % 3);
        const SharedBytes shared = share(bytes_of(96, fill));
        if (shared.buffer->data()[95] != fill) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(wrong.load(), 0);
}

}  // namespace mobilenetv2::test

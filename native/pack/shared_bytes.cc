#include "pack/shared_bytes.h"

#include <cstring>
#include <iterator>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace mobilenetv2 {
namespace {

// splitmix64's finaliser: every input bit changes about half of the output bits.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

bool equal(const AlignedBuffer& a, const AlignedBuffer& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

struct Table {
  std::mutex mutex;
  std::unordered_multimap<uint64_t, std::weak_ptr<const AlignedBuffer>> entries;
};

// Never destroyed: worker threads may still let go of weights while the process ends.
Table& table() {
  static Table* const table = new Table;
  return *table;
}

void forget_expired(Table& table, uint64_t hash) {
  const auto range = table.entries.equal_range(hash);
  for (auto it = range.first; it != range.second;) {
    it = it->second.expired() ? table.entries.erase(it) : std::next(it);
  }
}

}  // namespace

uint64_t combine_hashes(uint64_t a, uint64_t b) { return mix(a * 31 + mix(b)); }

// Four independent lanes, so that the multiplications overlap: some GB/s.
uint64_t hash_of(const uint8_t* bytes, size_t size) {
  constexpr size_t kLanes = 4, kBlock = kLanes * sizeof(uint64_t);
  uint64_t lanes[kLanes] = {1, 2, 3, 4};
  size_t at = 0;
  for (; at + kBlock <= size; at += kBlock) {
    uint64_t words[kLanes];
    std::memcpy(words, bytes + at, kBlock);
    for (size_t i = 0; i < kLanes; ++i) {
      lanes[i] = (lanes[i] ^ words[i]) * 0x9e3779b97f4a7c15u;
      lanes[i] ^= lanes[i] >> 32;
    }
  }
  uint64_t rest[kLanes] = {};
  std::memcpy(rest, bytes + at, size - at);
  uint64_t hash = mix(size);
  for (size_t i = 0; i < kLanes; ++i) hash = combine_hashes(combine_hashes(hash, lanes[i]), rest[i]);
  return hash;
}

SharedBytes share_bytes(std::shared_ptr<AlignedBuffer> bytes, uint64_t hash) {
  Table& shared = table();
  // Outlive the lock: should we be the last to hold one, letting go of it takes the lock again.
  std::vector<std::shared_ptr<const AlignedBuffer>> candidates;
  const std::lock_guard<std::mutex> lock(shared.mutex);
  const auto range = shared.entries.equal_range(hash);
  for (auto it = range.first; it != range.second; ++it) {
    std::shared_ptr<const AlignedBuffer> known = it->second.lock();
    if (known == nullptr) continue;
    if (equal(*known, *bytes)) return {std::move(known), hash};
    candidates.push_back(std::move(known));
  }
  // The last holder takes the entry out of the table. What it holds is `bytes`, which is freed after that.
  const AlignedBuffer* const raw = bytes.get();
  std::shared_ptr<const AlignedBuffer> holder(raw, [bytes = std::move(bytes), hash](const AlignedBuffer*) {
    Table& shared = table();
    const std::lock_guard<std::mutex> lock(shared.mutex);
    forget_expired(shared, hash);
  });
  shared.entries.emplace(hash, holder);
  return {std::move(holder), hash};
}

}  // namespace mobilenetv2

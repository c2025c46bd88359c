// The loop all peak loops share. Included inside a target region; no standard headers here.
#pragma once

namespace mobilenetv2 {
namespace {

// Twelve chains hide the latency of any multiply-accumulate (4-6 cycles, two a cycle), and fit 16 registers.
constexpr int kChains = 12;

// Step: Vector (a register), start(i), accumulate(acc), a multiply-accumulate whose result feeds the next turn, and
// add.
template <class Step>
uint32_t accumulate_turns(int64_t turns) {
  typename Step::Vector acc[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) acc[i] = Step::start(i);
  for (int64_t turn = 0; turn < turns; ++turn) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = Step::accumulate(acc[i]);
  }
  typename Step::Vector sum = acc[0];
#pragma GCC unroll 12
  for (int i = 1; i < kChains; ++i) sum = Step::add(sum, acc[i]);
  uint32_t words[sizeof sum / sizeof(uint32_t)];
  std::memcpy(words, &sum, sizeof sum);
  uint32_t all = 0;
  for (uint32_t word : words) all ^= word;
  return all;
}

}  // namespace
}  // namespace mobilenetv2

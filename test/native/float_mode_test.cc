// Denormals: flushed while kernels run, on whichever thread, and the caller's mode is back afterwards.
#include "cpu/float_mode.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "engine/thread_pool.h"
#include "harness.h"

namespace mobilenetv2::test {
namespace {

#if defined(__SSE2__) || defined(_M_X64)
constexpr uint64_t kFlush = 0x8040, kOther = 0x6000;  // FTZ and DAZ; rounding toward zero
uint64_t mode() { return _mm_getcsr(); }
void set_mode(uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr uint64_t kFlush = uint64_t{1} << 24, kOther = uint64_t{3} << 22;  // FZ; rounding toward zero
uint64_t mode() {
  uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_mode(uint64_t value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
#define MOBILENETV2_NO_FLOAT_MODE
#endif

#ifndef MOBILENETV2_NO_FLOAT_MODE

// The thread's mode without and with flushing, each with and without a bit that nothing here has a hand in.
template <typename Work>
void check_restored(const Work& work) {
  const uint64_t before = mode();
  for (uint64_t other : {uint64_t{0}, kOther}) {
    for (uint64_t flush : {uint64_t{0}, kFlush}) {
      const uint64_t set = (before & ~(kFlush | kOther)) | other | flush;
      set_mode(set);
      const uint64_t found = mode();
      work();
      const uint64_t after = mode();
      set_mode(before);
      CHECK_EQ(found & (kFlush | kOther), other | flush);
      CHECK_EQ(after & (kFlush | kOther), other | flush);
    }
  }
}

// A denormal times one: zero if it is flushed.
bool flushes() {
  volatile float tiny = 1e-40f;
  volatile float product = tiny * 1.0f;
  return product == 0.0f;
}

class ModeJob : public Job {
 public:
  ModeJob() : Job(8, 4, 2) {}
  void run_item(int32_t, int32_t, const Parallel& parallel) override {
    const auto body = [](void* count, int32_t) { *static_cast<std::atomic<int32_t>*>(count) += flushes() ? 1 : 0; };
    if (parallel.run != nullptr) {
      parallel.run(parallel.pool, lanes, body, &flushed);
    } else {
      for (int32_t i = 0; i < lanes; ++i) body(&flushed, i);
    }
  }
  void finish() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_ = true;
    done_.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return finished_; });
  }
  std::atomic<int32_t> flushed{0};

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  bool finished_ = false;
};

#endif

}  // namespace

TEST(float_mode_flushes_inside_and_comes_back) {
#ifdef MOBILENETV2_NO_FLOAT_MODE
  skip("no float mode that this program could change");
#else
  check_restored([] {
    const ScopedFlushDenormals flush;
    CHECK_EQ(mode() & kFlush, kFlush);
    CHECK(flushes());
    {
      const ScopedFlushDenormals nested;
      CHECK(flushes());
    }
    CHECK(flushes());
  });
#endif
}

TEST(float_mode_of_a_caller_that_packs_comes_back) {
#ifdef MOBILENETV2_NO_FLOAT_MODE
  skip("no float mode that this program could change");
#else
  check_restored([] {
    std::atomic<int32_t> runs{0};
    ThreadPool::shared().for_each(16, 3, [&runs](int32_t) { ++runs; });
    CHECK_EQ(runs.load(), 16);
  });
#endif
}

TEST(float_mode_flushes_on_every_pool_thread) {
#ifdef MOBILENETV2_NO_FLOAT_MODE
  skip("no float mode that this program could change");
#else
  const auto job = std::make_shared<ModeJob>();
  ThreadPool::shared().submit(job, 4);
  job->wait();
  CHECK_EQ(job->flushed.load(), job->items * job->lanes);
#endif
}

}  // namespace mobilenetv2::test

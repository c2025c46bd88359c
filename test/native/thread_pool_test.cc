// The pool's promises: every item once, every lane once, finish once, slots below the bound; under ThreadSanitizer too.
#include "engine/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "harness.h"

namespace mobilenetv2::test {
namespace {

class CountingJob : public Job {
 public:
  CountingJob(int32_t items, int32_t max_workers, int32_t lanes, int32_t steps)
      : Job(items, max_workers, lanes), steps_(steps), runs_(items), slot_busy_(max_workers) {}

  void run_item(int32_t item, int32_t slot, const Parallel& parallel) override {
    if (slot < 0 || slot >= max_workers) {
      slots_ok_ = false;
      return;
    }
    if (slot_busy_[slot].exchange(true)) slots_ok_ = false;  // an arena belongs to one item at a time
    for (int32_t step = 0; step < steps_; ++step) {
      LaneCount count{std::vector<std::atomic<int32_t>>(static_cast<size_t>(lanes))};
      const auto body = [](void* context, int32_t lane) { static_cast<LaneCount*>(context)->runs[lane]++; };
      if (parallel.run != nullptr) {
        parallel.run(parallel.pool, lanes, body, &count);
      } else {
        for (int32_t i = 0; i < lanes; ++i) body(&count, i);
      }
      for (const auto& runs : count.runs) {
        if (runs != 1) lanes_ok_ = false;
      }
    }
    ++runs_[item];
    slot_busy_[slot] = false;
  }

  void finish() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++finished_;
    done_.notify_all();
  }

  void wait_and_check() {
    std::unique_lock<std::mutex> lock(mutex_);
    CHECK(done_.wait_for(lock, std::chrono::seconds(60), [this] { return finished_ > 0; }));
    CHECK_EQ(finished_, 1);
    for (const auto& runs : runs_) CHECK_EQ(runs.load(), 1);
    CHECK(slots_ok_);
    CHECK(lanes_ok_);
  }

 private:
  struct LaneCount {
    std::vector<std::atomic<int32_t>> runs;
  };
  const int32_t steps_;
  std::vector<std::atomic<int32_t>> runs_;
  std::vector<std::atomic<bool>> slot_busy_;
  std::atomic<bool> slots_ok_{true}, lanes_ok_{true};
  std::mutex mutex_;
  std::condition_variable done_;
  int finished_ = 0;
};

}  // namespace

TEST(pool_runs_every_item_and_lane_once) {
  for (int32_t lanes : {1, 2, 3, 7}) {
    for (int32_t items : {1, 2, 17}) {
      auto job = std::make_shared<CountingJob>(items, std::min(items, 3), lanes, 20);
      ThreadPool::shared().submit(job, 4);
      job->wait_and_check();
    }
  }
  CHECK(ThreadPool::shared().thread_count() >= 4);
}

TEST(pool_serves_submitters_at_once) {
  std::vector<std::thread> submitters;
  for (int i = 0; i < 4; ++i) {
    submitters.emplace_back([i] {
      Random random(seed() + i);
      std::vector<std::shared_ptr<CountingJob>> jobs;
      for (int k = 0; k < 25 * sweep(); ++k) {
        const int32_t items = random.integer(1, 5);
        jobs.push_back(std::make_shared<CountingJob>(items, random.integer(1, items), random.integer(1, 4), 3));
        ThreadPool::shared().submit(jobs.back(), random.integer(1, 4));
      }
      for (const auto& job : jobs) job->wait_and_check();
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
}

TEST(for_each_takes_every_number_once) {
  for (int32_t threads : {1, 2, 5}) {
    for (int32_t count : {0, 1, 2, 40}) {
      std::vector<std::atomic<int32_t>> runs(static_cast<size_t>(count));
      ThreadPool::shared().for_each(count, threads, [&runs](int32_t i) { runs[static_cast<size_t>(i)]++; });
      for (const auto& times : runs) CHECK_EQ(times.load(), 1);
    }
  }
}

// However busy the pool is, the caller gets on by itself; and helpers that come later find nothing left.
TEST(for_each_does_not_wait_for_a_busy_pool) {
  class Held : public CountingJob {
   public:
    explicit Held(int32_t items) : CountingJob(items, items, 1, 1) {}
    void run_item(int32_t item, int32_t slot, const Parallel& parallel) override {
      while (!released.load()) std::this_thread::yield();
      CountingJob::run_item(item, slot, parallel);
    }
    std::atomic<bool> released{false};
  };
  ThreadPool& pool = ThreadPool::shared();
  const auto held = std::make_shared<Held>(std::max(pool.thread_count(), 4));
  pool.submit(held, 4);
  int32_t sum = 0;  // of a thread alone
  pool.for_each(10, 3, [&sum](int32_t i) { sum += i; });
  CHECK_EQ(sum, 45);
  held->released = true;
  held->wait_and_check();
}

// One thread alone can finish a job that asked for many lanes.
TEST(a_job_does_not_wait_for_helpers) {
  auto job = std::make_shared<CountingJob>(3, 1, 16, 5);
  ThreadPool::shared().submit(job, 1);
  job->wait_and_check();
}

}  // namespace mobilenetv2::test

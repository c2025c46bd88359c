// The process's own threads: one pool, shared by all models and environments. Idle threads sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/runner.h"

namespace mobilenetv2 {

// Work made of `items` independent parts (images), at most `max_workers` of them at a time. Each worker that takes
// part has a slot number below max_workers, so that it can own one of max_workers arenas.
class Job {
 public:
  Job(int32_t items, int32_t max_workers, int32_t lanes) : items(items), max_workers(max_workers), lanes(lanes) {}
  virtual ~Job() = default;

  // On a pool thread. `parallel` spreads one item over up to `lanes` threads.
  virtual void run_item(int32_t item, int32_t slot, const Parallel& parallel) = 0;
  // Once, on a pool thread, after the last item; the pool has let go of the job's slots by then.
  virtual void finish() = 0;

  const int32_t items, max_workers, lanes;

 private:
  friend class ThreadPool;
  std::atomic<int32_t> next_item_{0};
  int32_t workers_ = 0;      // guarded by the pool's mutex
  int32_t slots_taken_ = 0;  // guarded by the pool's mutex
};

class ThreadPool {
 public:
  // Made on first use and never destroyed: a static destructor would race with threads that still wait.
  static ThreadPool& shared();

  // Queues the job and makes sure that `threads` threads exist, or as many as the system allows. First come, first
  // served. False, and nothing is queued, if there can be none.
  bool submit(std::shared_ptr<Job> job, int32_t threads);

  // Calls `body` once for every number below `count`, on the calling thread and at most `threads` - 1 of the pool's,
  // and returns when all have ended. It waits for nothing else: with the pool busy, the calling thread does it all.
  void for_each(int32_t count, int32_t threads, const std::function<void(int32_t)>& body);

  int32_t thread_count();

 private:
  class Team;

  void work();
  void run_job(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Job>& job);
  static void run_team(void* team, int32_t count, void (*body)(void*, int32_t), void* context);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;  // with items nobody has taken yet
  std::vector<Team*> teams_;               // that look for members
  int32_t threads_ = 0;
};

}  // namespace mobilenetv2

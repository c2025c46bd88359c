#include "engine/thread_pool.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include "cpu/float_mode.h"
#include "cpu/pause.h"

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace mobilenetv2 {
namespace {

// Below the event loop's priority, so that a busy pool does not delay it.
void lower_priority() {
#if defined(__linux__)
  constexpr int kNice = 1;
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
#endif
}

// Waits a moment between two looks at a flag: politely at first, then by giving the core away.
class Backoff {
 public:
  void pause() {
    if (++looks_ < kLooksBeforeYield) {
      cpu_pause();
    } else {
      std::this_thread::yield();
    }
  }

 private:
  static constexpr int kLooksBeforeYield = 2000;
  int looks_ = 0;
};

}  // namespace

// The threads that share the lanes of one image. Members stay for the whole image and look for the next step without
// sleeping: a step takes microseconds, waking a thread takes longer. Lives on the stack of the thread that leads.
class ThreadPool::Team {
 public:
  explicit Team(int32_t wanted) : wanted_(wanted) {}

  bool open() const { return wanted_ > 0; }  // guarded by the pool's mutex, as is join()
  void join() {
    --wanted_;
    members_.fetch_add(1, std::memory_order_relaxed);
  }

  // A member's life, from join() to the end of the image.
  void serve() {
    Backoff backoff;
    uint64_t seen = 0;
    while (!over_.load(std::memory_order_acquire)) {
      const uint64_t ticket = ticket_.load(std::memory_order_acquire);
      if (ticket >> kGenerationShift == seen) {
        backoff.pause();
        continue;
      }
      seen = ticket >> kGenerationShift;
      take_lanes();
      backoff = Backoff();
    }
    members_.fetch_sub(1, std::memory_order_release);
  }

  // The leader's part: hands out `count` lanes, takes its share, waits for the rest.
  void run(int32_t count, void (*body)(void*, int32_t), void* context) {
    body_.store(body, std::memory_order_relaxed);
    context_.store(context, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    ++generation_;
    ticket_.store((generation_ << kGenerationShift) | (static_cast<uint64_t>(count) << kCountShift),
                  std::memory_order_release);
    take_lanes();
    Backoff backoff;
    while (done_.load(std::memory_order_acquire) != count) backoff.pause();
  }

  void disband() {
    over_.store(true, std::memory_order_release);
    Backoff backoff;
    while (members_.load(std::memory_order_acquire) != 0) backoff.pause();
  }

 private:
  // One word holds generation, lane count and next lane, so that a late member can never take a lane of a step with
  // the facts of another.
  static constexpr int kCountShift = 16, kGenerationShift = 32;
  static constexpr uint64_t kMask = 0xffff;

  void take_lanes() {
    for (;;) {
      const uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
      const auto lane = static_cast<int32_t>(ticket & kMask);
      if (lane >= static_cast<int32_t>((ticket >> kCountShift) & kMask)) return;
      body_.load(std::memory_order_relaxed)(context_.load(std::memory_order_relaxed), lane);
      done_.fetch_add(1, std::memory_order_acq_rel);
    }
  }

  int32_t wanted_;
  uint64_t generation_ = 0;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int32_t> done_{0}, members_{0};
  std::atomic<bool> over_{false};
  std::atomic<void (*)(void*, int32_t)> body_{nullptr};
  std::atomic<void*> context_{nullptr};
};

namespace {

// The numbers of one for_each. Helpers that come after the end find none left, and do not touch the body.
class Numbers : public Job {
 public:
  Numbers(int32_t count, int32_t helpers, const std::function<void(int32_t)>& body)
      : Job(helpers, helpers, 1), count_(count), body_(body) {}

  void run_item(int32_t, int32_t, const Parallel&) override { take(); }
  void finish() override {}

  void take() {
    for (int32_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      body_(i);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (++done_ == count_) all_done_.notify_one();
    }
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [this] { return done_ == count_; });
  }

 private:
  const int32_t count_;
  const std::function<void(int32_t)>& body_;  // the caller's, who waits
  std::atomic<int32_t> next_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
  int32_t done_ = 0;  // guarded by the mutex
};

}  // namespace

void ThreadPool::for_each(int32_t count, int32_t threads, const std::function<void(int32_t)>& body) {
  const ScopedFlushDenormals flush;  // as on the pool's threads: what comes out must not depend on who does it
  const int32_t helpers = std::min(threads, count) - 1;
  const auto numbers = std::make_shared<Numbers>(count, std::max(helpers, 0), body);
  if (helpers > 0) submit(numbers, helpers);  // without a thread to be had, the caller does it all
  numbers->take();
  numbers->wait();
}

ThreadPool& ThreadPool::shared() {
  static ThreadPool* const pool = new ThreadPool;
  return *pool;
}

int32_t ThreadPool::thread_count() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return threads_;
}

bool ThreadPool::submit(std::shared_ptr<Job> job, int32_t threads) {
  const std::lock_guard<std::mutex> lock(mutex_);
  try {
    for (; threads_ < threads; ++threads_) {
      std::thread([this] {
        lower_priority();
        work();
      }).detach();
    }
  } catch (const std::system_error&) {  // the process may have no more of them: fewer do the same work
    if (threads_ == 0) return false;
  }
  jobs_.push_back(std::move(job));
  wake_.notify_all();
  return true;
}

void ThreadPool::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    const auto team = std::find_if(teams_.begin(), teams_.end(), [](const Team* t) { return t->open(); });
    if (team != teams_.end()) {
      Team* const joined = *team;
      joined->join();
      lock.unlock();
      {
        const ScopedFlushDenormals flush;
        joined->serve();
      }
      lock.lock();
      continue;
    }
    const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                  [](const std::shared_ptr<Job>& j) { return j->slots_taken_ < j->max_workers; });
    if (job != jobs_.end()) {
      run_job(lock, std::shared_ptr<Job>(*job));
      continue;
    }
    wake_.wait(lock);
  }
}

void ThreadPool::run_job(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Job>& job) {
  const int32_t slot = job->slots_taken_++;
  ++job->workers_;
  lock.unlock();
  {
    const ScopedFlushDenormals flush;
    for (int32_t item; (item = job->next_item_.fetch_add(1, std::memory_order_relaxed)) < job->items;) {
      if (job->lanes <= 1) {
        job->run_item(item, slot, Parallel{});
        continue;
      }
      Team team(job->lanes - 1);
      {
        const std::lock_guard<std::mutex> guard(mutex_);
        teams_.push_back(&team);
        wake_.notify_all();
      }
      job->run_item(item, slot, Parallel{run_team, &team});
      {
        const std::lock_guard<std::mutex> guard(mutex_);
        teams_.erase(std::find(teams_.begin(), teams_.end(), &team));
      }
      team.disband();
    }
  }
  lock.lock();
  // No item is left to take: nobody else may start on this job, and the last to leave finishes it.
  const auto queued = std::find(jobs_.begin(), jobs_.end(), job);
  if (queued != jobs_.end()) jobs_.erase(queued);
  if (--job->workers_ > 0) return;
  lock.unlock();
  job->finish();
  lock.lock();
}

void ThreadPool::run_team(void* team, int32_t count, void (*body)(void*, int32_t), void* context) {
  static_cast<Team*>(team)->run(count, body, context);
}

}  // namespace mobilenetv2

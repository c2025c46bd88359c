// Work that leaves the JavaScript thread: a Job of the pool whose end settles a promise. A job never touches V8; the
// buffers it works on are referenced until it has ended.
#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "engine/thread_pool.h"

namespace mobilenetv2 {

class AsyncJob;

// What one JavaScript environment (main thread or worker) has under way. Its buffers die with it in spite of
// references, so that its cleanup hook cancels its jobs and waits for them.
class Environment {
 public:
  static void create(Napi::Env env);
  static Environment& of(Napi::Env env);

  // Starts the job on up to `threads` pool threads; the promise resolves with job->result() or rejects with an Error
  // of the text in job->error. `pinned` (the buffers) stays referenced meanwhile.
  Napi::Value start(Napi::Env env, std::shared_ptr<AsyncJob> job, Napi::Object pinned, int32_t threads);

 private:
  friend class AsyncJob;
  static void clean_up(void* environment);
  void ended(AsyncJob* job);

  std::mutex mutex_;
  std::condition_variable all_ended_;
  std::unordered_set<AsyncJob*> running_;
  napi_threadsafe_function settle_ = nullptr;
  size_t unsettled_ = 0;  // JavaScript thread only; > 0 keeps the process alive
};

class AsyncJob : public Job, public std::enable_shared_from_this<AsyncJob> {
 public:
  using Job::Job;

  void finish() final;
  // What the promise resolves with. JavaScript thread.
  virtual Napi::Value result(Napi::Env env) = 0;

  void cancel() { cancel_flag->store(1, std::memory_order_relaxed); }
  bool cancelled() const { return cancel_flag->load(std::memory_order_relaxed) != 0; }

  // The flag may lie in a buffer of the caller's (an Int32Array that it sets from JavaScript), pinned with the others.
  std::atomic<int32_t>* cancel_flag = &own_flag_;
  std::string error;  // set by run_item under its own care; empty is success

 private:
  friend class Environment;
  std::atomic<int32_t> own_flag_{0};
  Environment* environment_ = nullptr;
  napi_deferred deferred_ = nullptr;
  Napi::ObjectReference pinned_;
};

}  // namespace mobilenetv2

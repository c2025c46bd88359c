#include "binding/jobs.h"

namespace mobilenetv2 {
namespace {

// Travels through the thread-safe function's queue.
struct Ended {
  std::shared_ptr<AsyncJob> job;
};

}  // namespace

void Environment::create(Napi::Env env) {
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  const auto settle = [](napi_env raw, napi_value, void* context, void* data) {
    const std::unique_ptr<Ended> ended(static_cast<Ended*>(data));
    AsyncJob& job = *ended->job;
    if (raw == nullptr) {  // the environment is going; its references went with it
      job.pinned_.SuppressDestruct();
      return;
    }
    const Napi::Env env(raw);
    const Napi::HandleScope scope(env);
    auto* self = static_cast<Environment*>(context);
    if (--self->unsettled_ == 0) napi_unref_threadsafe_function(raw, self->settle_);
    // In a worker that is being terminated no JavaScript can run: the promise stays as it is, which nobody sees.
    if (job.deferred_ == nullptr) {
      // nor was there a promise to be made
    } else if (job.error.empty()) {
      napi_resolve_deferred(raw, job.deferred_, job.result(env));
    } else {
      napi_value text = Napi::String::New(env, job.error), error = nullptr;
      napi_create_error(raw, nullptr, text, &error);
      napi_reject_deferred(raw, job.deferred_, error);
    }
    job.pinned_.Reset();
  };
  napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "mobilenetv2"), 0, 1, nullptr, nullptr,
                                  environment, settle, &environment->settle_);
  napi_unref_threadsafe_function(env, environment->settle_);
  // Hooks run last in, first out: ours runs while the thread-safe function above is still open.
  napi_add_env_cleanup_hook(env, clean_up, environment);
}

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::clean_up(void* data) {
  auto* self = static_cast<Environment*>(data);
  {
    std::unique_lock<std::mutex> lock(self->mutex_);
    for (AsyncJob* job : self->running_) job->cancel();
    self->all_ended_.wait(lock, [self] { return self->running_.empty(); });
  }
  napi_release_threadsafe_function(self->settle_, napi_tsfn_release);
}

// The job starts first: a thread takes longer to wake than the promise takes to be made. It settles on this thread, so
// not before this returns.
Napi::Value Environment::start(Napi::Env env, std::shared_ptr<AsyncJob> job, Napi::Object pinned, int32_t threads) {
  job->environment_ = this;
  job->pinned_ = Napi::Persistent(pinned);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    running_.insert(job.get());
  }
  if (!ThreadPool::shared().submit(job, threads)) {
    job->error = "the system lets this process start no thread";
    ended(job.get());
  }
  if (unsettled_++ == 0) napi_ref_threadsafe_function(env, settle_);
  napi_value promise = nullptr;
  if (napi_create_promise(env, &job->deferred_, &promise) != napi_ok) return {};  // the worker is being terminated
  return {env, promise};
}

// Under the lock, so that the cleanup hook cannot return, and the function close, between the two.
void Environment::ended(AsyncJob* job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto* ended = new Ended{job->shared_from_this()};
  if (napi_call_threadsafe_function(settle_, ended, napi_tsfn_nonblocking) != napi_ok) {
    job->pinned_.SuppressDestruct();
    delete ended;
  }
  running_.erase(job);
  if (running_.empty()) all_ended_.notify_all();
}

void AsyncJob::finish() { environment_->ended(this); }

}  // namespace mobilenetv2

#include "addon/async.h"

#include <condition_variable>
#include <mutex>
#include <set>

#include "addon/device_thread.h"
#include "addon/environment.h"
#include "addon/errors.h"

namespace srcode::addon {

// The unsettled work of one environment.
struct Outstanding {
  std::mutex mutex;
  std::condition_variable finished;
  std::multiset<Cancel*> running;  // a token may serve several calls
};

namespace {

constexpr napi_type_tag kCancelTag = {0x5c1f2f0a9d7b4e11, 0x8a3e6d5c4b2f1907};

struct Job {
  Napi::Promise::Deferred deferred;
  std::shared_ptr<Cancel> cancel;
  std::shared_ptr<Outstanding> outstanding;
  Work work;
  Result result;
  std::string code, message;  // of the error, if any
};

// The last stop, on the JavaScript thread. While a worker is being terminated every call into the engine throws and
// nothing above would catch it: std::terminate would end the whole process.
void settle(Napi::Env env, Job& job) noexcept {
  try {
    const Napi::HandleScope scope(env);
    if (job.code.empty()) {
      try {
        job.deferred.Resolve(job.result(env));
      } catch (const Error& error) {
        job.deferred.Reject(make_error(env, error.code(), error.what()).Value());
      }
    } else {
      job.deferred.Reject(make_error(env, job.code.c_str(), job.message).Value());
    }
  } catch (const Napi::Error&) {
  }
}

void on_js_thread(Napi::Env env, Napi::Function, std::nullptr_t*, Job* job) {
  const std::unique_ptr<Job> owned(job);
  if (env != nullptr) settle(env, *owned);
}
using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Job, on_js_thread>;

void execute(Job& job) {
  try {
    job.cancel->check();
    job.work(*job.cancel);
  } catch (const Error& error) {
    job.code = error.code();
    job.message = error.what();
  } catch (const std::bad_alloc&) {
    job.code = "ERR_OOM";
    job.message = "out of memory";
  } catch (const std::exception& error) {
    job.code = "ERR_INTERNAL";
    job.message = error.what();
  }
  job.work = nullptr;
}

}  // namespace

void init_async(Napi::Env env) {
  auto outstanding = std::make_shared<Outstanding>();
  env.SetInstanceData(new Environment{outstanding, {}, {}});
  env.AddCleanupHook(
      [](std::shared_ptr<Outstanding>* ending) {
        {
          Outstanding& work = **ending;
          std::unique_lock lock(work.mutex);
          for (Cancel* cancel : work.running) cancel->request();
          work.finished.wait(lock, [&] { return work.running.empty(); });
        }
        delete ending;
      },
      new std::shared_ptr<Outstanding>(outstanding));
}

Napi::Value run_async(Napi::Env env, std::shared_ptr<Cancel> cancel, Work work, Result result) {
  const auto outstanding = Environment::of(env).outstanding;
  auto* job = new Job{
      Napi::Promise::Deferred::New(env), std::move(cancel), outstanding, std::move(work), std::move(result), {}, {}};
  const Napi::Value promise = job->deferred.Promise();
  Channel channel = Channel::New(env, "srcode", 0, 1);
  {
    const std::lock_guard lock(outstanding->mutex);
    outstanding->running.insert(job->cancel.get());
  }
  DeviceThread::instance().post([job, channel, outstanding]() mutable {
    const std::shared_ptr<Cancel> running = job->cancel;
    execute(*job);
    // From here on the job belongs to the JavaScript thread, unless that is gone.
    if (channel.NonBlockingCall(job) == napi_ok) {
      channel.Release();
    } else {
      delete job;  // the environment is closing, and the channel with it: it must not be touched again
    }
    {
      const std::lock_guard lock(outstanding->mutex);
      outstanding->running.erase(outstanding->running.find(running.get()));
    }
    outstanding->finished.notify_all();
  });
  return promise;
}

CancelToken::CancelToken(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CancelToken>(info) {
  info.This().As<Napi::Object>().TypeTag(&kCancelTag);
}

void CancelToken::init(Napi::Env env, Napi::Object exports) {
  exports.Set("CancelToken", DefineClass(env, "CancelToken",
                                         {InstanceMethod<&CancelToken::request>("request", napi_default_jsproperty)}));
}

Napi::Value CancelToken::request(const Napi::CallbackInfo& info) {
  cancel_->request();
  return info.Env().Undefined();
}

std::shared_ptr<Cancel> CancelToken::from(Napi::Value value) {
  if (value.IsUndefined()) return std::make_shared<Cancel>();
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kCancelTag))
    fail("ERR_INVALID_ARG", "expected a CancelToken");
  return Unwrap(value.As<Napi::Object>())->cancel_;
}

}  // namespace srcode::addon

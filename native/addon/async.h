#pragma once
#include <napi.h>

#include <functional>
#include <memory>

#include "core/cancel.h"

namespace srcode::addon {

// Runs `work` on the device thread and settles the returned promise with what `result` makes of it, on the JavaScript
// thread. Neither may hold a JavaScript value: they can be destroyed on either thread, or after the environment is
// gone.
using Work = std::function<void(const Cancel&)>;
using Result = std::function<Napi::Value(Napi::Env)>;
Napi::Value run_async(Napi::Env env, std::shared_ptr<Cancel> cancel, Work work, Result result);

// Sets the instance data and the hook that, when an environment ends (a worker is terminated, the process exits),
// cancels its work and waits for it.
void init_async(Napi::Env env);

// JavaScript's handle on a Cancel: `new CancelToken()`, `.request()`.
class CancelToken : public Napi::ObjectWrap<CancelToken> {
 public:
  static void init(Napi::Env env, Napi::Object exports);
  explicit CancelToken(const Napi::CallbackInfo& info);
  // The token behind an optional argument; a fresh one when it is undefined.
  static std::shared_ptr<Cancel> from(Napi::Value value);

 private:
  Napi::Value request(const Napi::CallbackInfo& info);
  std::shared_ptr<Cancel> cancel_ = std::make_shared<Cancel>();
};

}  // namespace srcode::addon

#include <napi.h>

#include "addon/async.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  srcode::addon::init_async(env);
  srcode::addon::CancelToken::init(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(srcode_native, init)

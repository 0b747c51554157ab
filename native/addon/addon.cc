#include <napi.h>

#include "addon/async.h"
#include "addon/kernels.h"
#include "addon/machine.h"
#include "addon/model.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  srcode::addon::init_async(env);
  srcode::addon::init_model(env, exports);
  srcode::addon::init_machine(env, exports);
  srcode::addon::init_kernels(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(srcode_native, init)

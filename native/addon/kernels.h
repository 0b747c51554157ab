#pragma once
#include <napi.h>

namespace srcode::addon {

// The RL kernels on typed arrays, their selftest and their bench (see src/native/addon.ts for the types).
void init_kernels(Napi::Env env, Napi::Object exports);

}  // namespace srcode::addon

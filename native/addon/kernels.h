#pragma once
#include <napi.h>

#include "kernels/ppo_loss/ppo_loss.h"

namespace srcode::addon {

// A Clip of src/native/kernels.ts.
Clip clip_of(const Napi::Object& o);

// The RL kernels on typed arrays, their selftest and their bench (see src/native/addon.ts for the types).
void init_kernels(Napi::Env env, Napi::Object exports);

}  // namespace srcode::addon

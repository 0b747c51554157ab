#pragma once
#include <napi.h>

namespace srcode::addon {

// loadModel, createModel, and the handles they give: models and their trainers (see src/native/addon.ts for the types).
void init_model(Napi::Env env, Napi::Object exports);

}  // namespace srcode::addon

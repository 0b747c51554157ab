#pragma once
#include <napi.h>

namespace srcode::addon {

// benchMachine: what this machine can do at most.
void init_machine(Napi::Env env, Napi::Object exports);

}  // namespace srcode::addon

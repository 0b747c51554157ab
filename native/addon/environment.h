#pragma once
#include <napi.h>

#include <memory>

namespace srcode::addon {

struct Outstanding;  // async.cc

// What one JavaScript environment (the main thread, or a worker) has of its own: the addon's instance data. There are
// no globals, because every worker loads the addon again.
struct Environment {
  std::shared_ptr<Outstanding> outstanding;
  Napi::FunctionReference model, trainer;  // constructors of the handles

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace srcode::addon

#pragma once
#include <napi.h>

#include <new>
#include <utility>

#include "core/error.h"

namespace srcode::addon {

inline Napi::Error make_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

// Runs f and turns what it throws into a JavaScript error with a `code`. Every exported function goes through it.
template <class F>
auto guarded(Napi::Env env, F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (const Error& error) {
    throw make_error(env, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    throw make_error(env, "ERR_OOM", "out of memory");
  }
}

}  // namespace srcode::addon

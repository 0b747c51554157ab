#pragma once
#include <napi.h>

#include <string>
#include <vector>

#include "core/error.h"

// JavaScript values to plain data and back. Lengths and types are checked here, on the JavaScript thread; what goes on
// to the device thread holds no JavaScript value.
namespace srcode::addon {

inline double number(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsNumber()) fail("ERR_INVALID_ARG", "expected a number for '", key, "'");
  return value.As<Napi::Number>().DoubleValue();
}
inline int64_t integer(const Napi::Object& object, const char* key) {
  return static_cast<int64_t>(number(object, key));
}
inline bool boolean(const Napi::Object& object, const char* key) { return object.Get(key).ToBoolean().Value(); }
inline std::string string(const Napi::Value& value, const char* what) {
  if (!value.IsString()) fail("ERR_INVALID_ARG", "expected a string for ", what);
  return value.As<Napi::String>().Utf8Value();
}
inline Napi::Object object(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) fail("ERR_INVALID_ARG", "expected an object for ", what);
  return value.As<Napi::Object>();
}

// Copies an array of typed arrays.
template <class T, napi_typedarray_type type>
std::vector<std::vector<T>> typed_arrays(const Napi::Value& value, const char* what, const char* name) {
  if (!value.IsArray()) fail("ERR_INVALID_ARG", "expected an array of ", name, " for ", what);
  const auto array = value.As<Napi::Array>();
  std::vector<std::vector<T>> out(array.Length());
  for (uint32_t i = 0; i < out.size(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsTypedArray() || item.As<Napi::TypedArray>().TypedArrayType() != type) {
      fail("ERR_INVALID_ARG", "expected ", name, " for ", what, " ", i);
    }
    const auto typed = item.As<Napi::TypedArrayOf<T>>();
    out[i].assign(typed.Data(), typed.Data() + typed.ElementLength());
  }
  return out;
}
inline std::vector<std::vector<int32_t>> int_arrays(const Napi::Value& value, const char* what) {
  return typed_arrays<int32_t, napi_int32_array>(value, what, "Int32Array");
}
inline std::vector<std::vector<float>> float_arrays(const Napi::Value& value, const char* what) {
  return typed_arrays<float, napi_float32_array>(value, what, "Float32Array");
}

// Copies an array of integers.
inline std::vector<int32_t> integers(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) fail("ERR_INVALID_ARG", "expected an array of integers for ", what);
  const auto array = value.As<Napi::Array>();
  std::vector<int32_t> out(array.Length());
  for (uint32_t i = 0; i < out.size(); i++) {
    const double number = array.Get(i).ToNumber().DoubleValue();
    out[i] = array.Get(i).ToNumber().Int32Value();
    if (out[i] != number) fail("ERR_INVALID_ARG", "expected an integer for ", what, "[", i, "], received ", number);
  }
  return out;
}

template <class T>
Napi::Value typed(Napi::Env env, const std::vector<T>& values) {
  auto array = Napi::TypedArrayOf<T>::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}
template <class T>
Napi::Value typed(Napi::Env env, const std::vector<std::vector<T>>& lists) {
  Napi::Array array = Napi::Array::New(env, lists.size());
  for (uint32_t i = 0; i < lists.size(); i++) array.Set(i, typed(env, lists[i]));
  return array;
}

}  // namespace srcode::addon

#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace srcode {

// The one error of the native half. `code` is stable and reaches JavaScript as error.code:
// ERR_INVALID_ARG, ERR_SHAPE, ERR_FILE_FORMAT, ERR_IO, ERR_OOM, ERR_NON_FINITE, ERR_NO_GRADIENT, ERR_DISPOSED,
// ERR_UNSUPPORTED, ERR_CUDA, ERR_DEVICE_LOST, ABORT_ERR.
class Error : public std::runtime_error {
 public:
  Error(const char* code, std::string message) : std::runtime_error(std::move(message)), code_(code) {}
  const char* code() const { return code_; }

 private:
  const char* code_;
};

// Joins its arguments with operator<<.
template <class... Args>
std::string text(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

template <class... Args>
[[noreturn]] void fail(const char* code, const Args&... args) {
  throw Error(code, text(args...));
}

}  // namespace srcode

#pragma once
#include <cstdint>
#include <vector>

namespace srcode::cpu {

// n values of the calling thread's own memory, at a cache line, kept from call to call. The next call with the same T
// may take it back.
template <class T>
T* scratch(int64_t n) {
  struct alignas(64) Line {
    char bytes[64];
  };
  thread_local std::vector<Line> memory;
  const size_t lines = (n * sizeof(T) + 63) / 64;
  if (memory.size() < lines) memory = std::vector<Line>(lines);
  return reinterpret_cast<T*>(memory.data());
}

}  // namespace srcode::cpu

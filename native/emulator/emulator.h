#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace srcode::emulator {

struct Options {
  uint64_t seed = 0;  // 0: threads, blocks and streams in order; otherwise their order is drawn from it
  bool lazy = true;   // work on a stream runs only when something waits for it, as late as a device could
};
extern Options options;

// Whether the kernels were built with hooks before each memory access.
bool checked();

// Why the last launch failed: what, block, thread and line, kernel.
const std::string& failure();

// Forgets a failure, which like a real one stays until then, and what was queued behind it.
void reset();

// Device allocations that have not been freed.
size_t allocations();

}  // namespace srcode::emulator

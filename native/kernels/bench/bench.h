#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace srcode {

class ThreadPool;

// The best of several runs. `bytes` is what a run must read and write, each array once: what the memory moves besides
// (a line is read before it is written) is not counted, for the kernels and for the two measures of bandwidth alike.
struct BenchRow {
  std::string name;
  int64_t bytes;
  double seconds;
};

// "read" and "triad" (a = b + s c), the measures of bandwidth; then token rewards, GAE plain and fused, whitening, the
// PPO loss of each clip rule, AdamW. `tokens` in sequences of 2,048; arrays beyond the last cache measure memory.
std::vector<BenchRow> bench_rl_kernels(int64_t tokens, ThreadPool& pool);

}  // namespace srcode

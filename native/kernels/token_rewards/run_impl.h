#pragma once
#include <cstdint>

namespace srcode {
namespace {

// A template only so that each instruction set has its own; the compiler vectorises it.
template <int W>
void reward_run(float* __restrict rewards, double penalty, double beta, const float* __restrict kl, int64_t count) {
  if (kl != nullptr) {
    for (int64_t i = 0; i < count; ++i) rewards[i] = static_cast<float>(rewards[i] - penalty - beta * kl[i]);
  } else if (penalty != 0) {
    for (int64_t i = 0; i < count; ++i) rewards[i] = static_cast<float>(rewards[i] - penalty);
  }
}

}  // namespace
}  // namespace srcode

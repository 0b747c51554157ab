#pragma once
#include "kernels/gpu.h"
#include "kernels/token_rewards/token_rewards.h"

namespace srcode::cuda {

// Reward of token t (from its sequence's start) of sequence b, as the token-reward kernel writes it and the fused scan
// reads it. The spans are sorted and disjoint: the first that ends after t is the only one that can hold it.
__device__ inline float token_reward(const TokenRewards& parts, int b, int64_t t) {
  const int64_t begin = parts.cu_seqlens[b], length = parts.cu_seqlens[b + 1] - begin;
  double reward = 0.0;
  if (parts.span_offsets != nullptr) {
    int first = parts.span_offsets[b], last = parts.span_offsets[b + 1];
    const int end = last;
    while (first < last) {
      const int middle = first + (last - first) / 2;
      if (parts.span_end[middle] <= t)
        first = middle + 1;
      else
        last = middle;
    }
    if (first < end && parts.span_begin[first] <= t) reward = parts.span_reward[first];
  }
  if (parts.penalty != nullptr) reward -= parts.penalty[b];
  if (parts.kl != nullptr) reward -= parts.beta * parts.kl[begin + t];
  if (parts.terminal != nullptr && t == length - 1) reward += parts.terminal[b];
  return static_cast<float>(reward);
}

}  // namespace srcode::cuda

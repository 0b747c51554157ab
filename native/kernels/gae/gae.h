#pragma once
#include <cstdint>

#include "kernels/token_rewards/token_rewards.h"

namespace srcode {

// Count, mean and sum of squared deviations from it.
struct Moments {
  double count = 0, mean = 0, m2 = 0;
};

// Generalised advantage estimation over a packed batch (arXiv 1506.02438; Eq. 5-6 of arXiv 2602.23407), with V = 0 past
// the end:
//   delta_t = r_t + gamma V_{t+1} - V_t     A_t = delta_t + gamma lambda A_{t+1}     returns_t = A_t + V_t
// Pointers are memory of the kernel's device.
struct Gae {
  const float* rewards = nullptr;  // [N]; null: built on the fly from `parts`, the same bytes as token_rewards writes
  TokenRewards parts;              // sequences and cu_seqlens are always read; the rest only without rewards
  const float* values = nullptr;   // [N]
  double gamma = 1, lambda = 1;
  float* advantages = nullptr;  // [N]
  float* returns = nullptr;     // [N]
  float* built = nullptr;       // [N] the rewards built on the fly; may be null
  Moments* moments = nullptr;   // of the advantages as rounded to f32; may be null
};

// The scan and the moments are in double; their order depends on cu_seqlens alone, never on the pool.
void gae(const Gae& args, ThreadPool* pool);

// advantages <- (advantages - mean) / sqrt(m2 / (count - 1) + 1e-8), as TRL whitens them (unbiased variance). Moments
// of fewer than two values have variance 0. advantages [n].
void whiten(float* advantages, int64_t n, const Moments* moments, ThreadPool* pool);

}  // namespace srcode

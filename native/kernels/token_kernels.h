#pragma once
#include <cstdint>

#include "kernels/ppo_loss/ppo_loss.h"

namespace srcode {

// Sums over a chunk of tokens, each times its weight.
struct PpoSums {
  double loss = 0, clipped = 0, kl = 0, value_loss = 0;
};

// The constants of a PPO loss, rounded once.
struct PpoConstants {
  float low, high, c, tau_pos, tau_neg, cap, value_clip;
  float scale, value_scale;  // of the gradients
};

// Sums of x - shift and of its square. The shift, a value of the sequence itself, keeps their difference from
// cancelling.
struct MomentSums {
  float shift = 0;
  double count = 0, sum = 0, square = 0;
};

// The scan of one sequence, walked from its last token to its first; holds A and V of the token behind.
struct GaeScan {
  double gamma, decay;
  double advantage = 0;
  float value = 0;
  bool with_moments = false;
  MomentSums sums = {};
};

// What the token kernels need of one instruction set: single-threaded loops, made in backend/cpu/level_<isa>.cc.
struct TokenKernels {
  void (*gae_scan)(GaeScan&, const float* rewards, const float* values, int64_t count, float* advantages,
                   float* returns);
  // rewards[i] = spans[i] - penalty - beta kl[i], in double and rounded once; kl may be null; in place.
  void (*reward_run)(float* rewards, double penalty, double beta, const float* kl, int64_t count);
  // Tokens [begin, end) of a loss.
  PpoSums (*ppo_chunk)(const PpoLoss&, const PpoConstants&, int64_t begin, int64_t end);
  double (*weight_chunk)(const float* weights, int64_t count);
};

// Those of the processor's best level (or of SRCODE_ISA).
const TokenKernels& token_kernels();

}  // namespace srcode

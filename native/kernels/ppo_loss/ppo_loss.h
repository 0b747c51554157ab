#pragma once
#include <cstdint>

namespace srcode {

class ThreadPool;

// How the ratio r = pi / pi_old of a token is kept from running away. l is the loss of a token with advantage A, w its
// derivative by log pi divided by -A.
//   ppo    l = -min(r A, clip(r, 1 - epsilon, 1 + epsilon) A)           w = r, 0 where the clipped term is the smaller
//   (arXiv 1707.06347) dual   as ppo; for A < 0, l = min(that, -c A)                        w also 0 where r > c (arXiv
//   1912.09729) sapo   l = -(4 / tau) sigmoid(tau (r - 1)) A                         w = 4 p (1 - p) r with p the
//   sigmoid (arXiv 2511.20347) cispo  l = -stop_gradient(min(r, cap)) A log pi                      w = min(r, cap),
//   never 0 (arXiv 2506.13585)
// tau is tau_pos for A > 0, tau_neg otherwise; cap is the largest ratio itself, not an offset above 1.
struct Clip {
  enum class Kind { ppo, dual, sapo, cispo };
  Kind kind = Kind::ppo;
  double epsilon = 0.2, c = 3, tau_pos = 1, tau_neg = 1.05, cap = 1.28;
};

// Policy and value loss of PPO over N tokens. Pointers are memory of the kernel's device.
struct PpoLoss {
  int64_t tokens = 0;                    // N
  const float* log_probs = nullptr;      // [N]; null: no policy loss
  const float* old_log_probs = nullptr;  // [N], with log_probs
  const float* advantages = nullptr;     // [N], with log_probs
  const float* weights = nullptr;        // [N] >= 0; null: all 1
  double total_weight = 0;               // sum of w over the batch of which these are a part; 0: they are all of it
  const float* values = nullptr;         // [N]; null: no value loss
  const float* old_values = nullptr;     // [N]; null: the value loss is not clipped
  const float* returns = nullptr;        // [N], with values
  Clip clip;
  double value_clip = 0.2;
  bool sum = false;  // the policy's loss is the weighted sum over all tokens (Eq. 7 of arXiv 2602.23407), not the mean
  float* grad_log_probs = nullptr;  // [N] d loss / d log_probs, with log_probs
  float* grad_values = nullptr;     // [N] d value_loss / d values, with values
};

struct PpoStatistics {
  double loss = 0;           // policy: sum of w l, divided by the sum of w unless Ppo::sum
  double value_loss = 0;     // 1/2 weighted mean of max((v - R)^2, (clip(v, v_old +- value_clip) - R)^2)
  double clip_fraction = 0;  // weighted share of tokens whose ratio was clipped; for sapo 0
  double approx_kl = 0;      // weighted mean of r - 1 - ln r (k3)
  double weight = 0;         // sum of w over the batch; where it is 0, all else is 0
};

// With total_weight a batch may come in parts: gradients are those of the whole, statistics add up to it.
//
// Losses, exact gradients and statistics in one pass (plus one over the weights). A token is f32 arithmetic; log ratios
// are held in [-87, 88], where e^x is a normal f32. Sums are in double in an order that depends on N alone.
// `statistics` is in memory of the kernel's device.
void ppo_loss(const PpoLoss& args, PpoStatistics* statistics, ThreadPool* pool);

}  // namespace srcode

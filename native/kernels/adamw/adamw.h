#pragma once
#include <cstdint>
#include <span>

namespace srcode {

class ThreadPool;

// One trainable tensor and its optimiser state; all four arrays hold `size` f32 values in the memory of the kernel's
// device.
struct AdamwTensor {
  float* param;
  const float* grad;
  float* m;  // first moment
  float* v;  // second moment
  int64_t size;
  bool decay;  // whether weight decay applies (norms and biases: no)
};

struct AdamwConfig {
  double lr, beta1, beta2, eps, weight_decay;
  double clip_norm;  // largest global gradient norm; 0 = no clipping
  int64_t step;      // 1 for the first step
};

struct AdamwResult {
  double grad_norm;  // before clipping; NaN or infinite when a gradient is
  int64_t
      bad_tensor;  // first tensor with a non-finite gradient, -1 if there is none. If there is one, nothing is updated
};

// Decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2) as torch.optim.AdamW computes it, behind
// torch.nn.utils.clip_grad_norm_: with g' = g min(1, clip_norm / (|g| + 1e-6)), |g| over all tensors,
//   p <- p (1 - lr weight_decay)
//   m <- beta1 m + (1 - beta1) g'        v <- beta2 v + (1 - beta2) g'^2
//   p <- p - lr / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
// The gradients are not changed. The norm is a sum of squares in double in an order that does not depend on the pool,
// so the result is the same bytes for any number of threads. Without a pool the caller's thread does it all.
AdamwResult adamw(std::span<const AdamwTensor> tensors, const AdamwConfig& config, ThreadPool* pool);

}  // namespace srcode

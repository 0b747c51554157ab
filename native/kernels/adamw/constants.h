#pragma once
#include <cmath>

#include "kernels/adamw/adamw.h"

namespace srcode {

// What depends on the configuration alone, worked out in double and rounded once.
struct AdamwConstants {
  float keep;          // 1 - lr weight_decay, where decay applies
  float beta1, rest1;  // rest = 1 - beta
  float beta2, rest2;
  float step_size;  // lr / (1 - beta1^step)
  float root;       // sqrt(1 - beta2^step)
  float eps;
};

inline AdamwConstants adamw_constants(const AdamwConfig& c) {
  const auto step = static_cast<double>(c.step);
  const auto f = [](double x) { return static_cast<float>(x); };
  return {f(1 - c.lr * c.weight_decay),
          f(c.beta1),
          f(1 - c.beta1),
          f(c.beta2),
          f(1 - c.beta2),
          f(c.lr / (1 - std::pow(c.beta1, step))),
          f(std::sqrt(1 - std::pow(c.beta2, step))),
          f(c.eps)};
}

// The factor of clip_grad_norm_.
inline double clip_factor(const AdamwConfig& c, double norm) {
  return c.clip_norm > 0 ? std::fmin(1.0, c.clip_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace srcode

#pragma once
#include "kernels/lanes.h"
#include "kernels/token_kernels.h"

namespace srcode {
namespace {

template <int W>
struct Exponential {
  Lanes<W> value;  // e^x
  Lanes<W> tail;   // e^x - 1 - x, without the cancellation for small x
};

template <int W>
SRCODE_INLINE Exponential<W> exponential(Lanes<W> x) {
  x = min<W>(max<W>(x, splat<W>(-87.0f)), splat<W>(88.0f));
  // x = n ln 2 + r: adding 1.5 * 2^23 leaves n in the low bits of the mantissa, rounded to nearest.
  const Lanes<W> magic = splat<W>(12582912.0f), shifted = fma<W>(x, splat<W>(1.44269504f), magic), n = shifted - magic;
  const Lanes<W> r = fma<W>(n, splat<W>(2.12194440e-4f), fma<W>(n, splat<W>(-0.693359375f), x));
  Lanes<W> q = fma<W>(r, splat<W>(1.0f / 5040), splat<W>(1.0f / 720));
  q = fma<W>(q, r, splat<W>(1.0f / 120));
  q = fma<W>(q, r, splat<W>(1.0f / 24));
  q = fma<W>(q, r, splat<W>(1.0f / 6));
  q = fma<W>(q, r, splat<W>(0.5f));
  const Lanes<W> tail = q * (r * r);
  const LaneBits<W> power = ((LaneBits<W>)shifted << 23) + 0x3f800000;  // 2^n: the bits of magic leave by the shift
  const Lanes<W> value = (Lanes<W>)power * (1.0f + (r + tail));
  return {value, n == 0.0f ? tail : value - 1.0f - x};
}

template <int W>
struct Token {
  Lanes<W> loss, slope, clipped;  // l, dl / d log pi, 1 where the ratio was clipped
};

template <int W, Clip::Kind kind>
SRCODE_INLINE Token<W> policy(Lanes<W> log_prob, Lanes<W> ratio, Lanes<W> advantage, const PpoConstants& k) {
  const Lanes<W> zero{}, one = splat<W>(1.0f);
  if constexpr (kind == Clip::Kind::cispo) {
    const Lanes<W> slope = -min<W>(ratio, splat<W>(k.cap)) * advantage;
    return {slope * log_prob, slope, ratio > k.cap ? one : zero};
  } else if constexpr (kind == Clip::Kind::sapo) {
    const Lanes<W> tau = advantage > 0.0f ? splat<W>(k.tau_pos) : splat<W>(k.tau_neg);
    const Lanes<W> e = exponential<W>(tau * (1.0f - ratio)).value, p = 1.0f / (1.0f + e);
    return {-4.0f / tau * p * advantage, -4.0f * (e * p) * p * ratio * advantage, zero};
  } else {
    const Lanes<W> plain = ratio * advantage,
                   bound = min<W>(max<W>(ratio, splat<W>(k.low)), splat<W>(k.high)) * advantage;
    LaneBits<W> cut = bound < plain;
    Lanes<W> objective = cut ? bound : plain;
    if constexpr (kind == Clip::Kind::dual) {
      const LaneBits<W> far = (advantage < 0.0f) & (ratio > k.c);
      objective = far ? k.c * advantage : objective;
      cut |= far;
    }
    return {-objective, cut ? zero : -plain, cut ? one : zero};
  }
}

// Weights of a batch that has none.
const float kOnes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

template <int W, Clip::Kind kind>
PpoSums policy_chunk(const PpoLoss& a, const PpoConstants& k, int64_t begin, int64_t end) {
  DoubleSum<W> loss, clipped, kl;
  each_group<W>(begin, end, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
    const Lanes<W> log_prob = load<W>(a.log_probs + i, n),
                   weight = load<W>(a.weights != nullptr ? a.weights + i : kOnes, n);
    const Exponential<W> ratio = exponential<W>(log_prob - load<W>(a.old_log_probs + i, n));
    const Token<W> token = policy<W, kind>(log_prob, ratio.value, load<W>(a.advantages + i, n), k);
    store<W>(a.grad_log_probs + i, weight * token.slope * k.scale, n);
    loss.add(weight * token.loss);
    clipped.add(weight * token.clipped);
    kl.add(weight * ratio.tail);
  });
  return {loss.total(), clipped.total(), kl.total(), 0};
}

template <int W>
double value_chunk(const PpoLoss& a, const PpoConstants& k, int64_t begin, int64_t end) {
  DoubleSum<W> loss;
  each_group<W>(begin, end, [&](int64_t i, int64_t n) __attribute__((always_inline)) {
    const Lanes<W> value = load<W>(a.values + i, n), target = load<W>(a.returns + i, n);
    const Lanes<W> weight = load<W>(a.weights != nullptr ? a.weights + i : kOnes, n);
    const Lanes<W> old = a.old_values != nullptr ? load<W>(a.old_values + i, n) : value;
    const Lanes<W> held = min<W>(max<W>(value, old - k.value_clip), old + k.value_clip);
    const Lanes<W> error = value - target, held_error = held - target;
    const Lanes<W> plain = error * error, bounded = held_error * held_error, zero{};
    store<W>(a.grad_values + i, plain >= bounded ? weight * error * k.value_scale : zero, n);
    loss.add(weight * max<W>(plain, bounded));
  });
  return 0.5 * loss.total();
}

template <int W>
PpoSums ppo_chunk(const PpoLoss& a, const PpoConstants& k, int64_t begin, int64_t end) {
  PpoSums sums;
  if (a.log_probs != nullptr) {
    switch (a.clip.kind) {
      case Clip::Kind::ppo:
        sums = policy_chunk<W, Clip::Kind::ppo>(a, k, begin, end);
        break;
      case Clip::Kind::dual:
        sums = policy_chunk<W, Clip::Kind::dual>(a, k, begin, end);
        break;
      case Clip::Kind::sapo:
        sums = policy_chunk<W, Clip::Kind::sapo>(a, k, begin, end);
        break;
      case Clip::Kind::cispo:
        sums = policy_chunk<W, Clip::Kind::cispo>(a, k, begin, end);
        break;
    }
  }
  if (a.values != nullptr) sums.value_loss = value_chunk<W>(a, k, begin, end);
  return sums;
}

template <int W>
double weight_chunk(const float* weights, int64_t count) {
  DoubleSum<W> sum;
  each_group<W>(0, count,
                [&](int64_t i, int64_t n) __attribute__((always_inline)) { sum.add(load<W>(weights + i, n)); });
  return sum.total();
}

}  // namespace
}  // namespace srcode

#pragma once
#include "kernels/lanes.h"
#include "kernels/token_kernels.h"

namespace srcode {
namespace {

// A_k = delta_k + decay A_{k+1} within W lanes, as if nothing came behind them.
template <int W>
SRCODE_INLINE Lanes<W> scan_lanes(Lanes<W> delta, double decay) {
  const Lanes<W> zero{};
  const double d2 = decay * decay, d4 = d2 * d2, d8 = d4 * d4;
  delta += static_cast<float>(decay) * slide<W, 1>(delta, zero);
  delta += static_cast<float>(d2) * slide<W, 2>(delta, zero);
  if constexpr (W > 4) delta += static_cast<float>(d4) * slide<W, 4>(delta, zero);
  if constexpr (W > 8) delta += static_cast<float>(d8) * slide<W, 8>(delta, zero);
  return delta;
}

// Groups of 2 W tokens. A group waits for the token behind it with one product and one sum; all else overlaps with its
// neighbours. What is added at a token is f32; what is carried from group to group is double, so that no rounding is
// carried on.
template <int W, bool WithMoments>
void scan_groups(GaeScan& scan, const float* __restrict rewards, const float* __restrict values, int64_t count,
                 float* __restrict advantages, float* __restrict returns) {
  float power[2 * W];  // power[k] = decay^(2 W - k)
  double p = 1;
  for (int k = 2 * W; k-- > 0;) power[k] = static_cast<float>(p *= scan.decay);
  const double decay_all = p, decay = scan.decay;
  const Lanes<W> far = load<W>(power), near = load<W>(power + W);
  const auto gamma = static_cast<float>(scan.gamma);
  double carry = scan.advantage;
  Lanes<W> behind = splat<W>(scan.value);
  DoubleSum<W> sum, square;
  if (WithMoments && count > 0 && scan.sums.count == 0) scan.sums.shift = rewards[count - 1] - values[count - 1];
  const float shift = scan.sums.shift;
  for (int64_t t = count - 2 * W; t >= 0; t -= 2 * W) {
    const Lanes<W> v0 = load<W>(values + t), v1 = load<W>(values + t + W);
    Lanes<W> s0 = scan_lanes<W>(load<W>(rewards + t) + gamma * slide<W, 1>(v0, v1) - v0, decay);
    Lanes<W> s1 = scan_lanes<W>(load<W>(rewards + t + W) + gamma * slide<W, 1>(v1, behind) - v1, decay);
    s0 += near * first<W>(s1);
    const Lanes<W> c = splat<W>(static_cast<float>(carry));
    carry = s0[0] + decay_all * carry;
    s0 += far * c;
    s1 += near * c;
    behind = v0;
    store<W>(advantages + t, s0);
    store<W>(advantages + t + W, s1);
    store<W>(returns + t, s0 + v0);
    store<W>(returns + t + W, s1 + v1);
    if (WithMoments) {
      const Lanes<W> x0 = s0 - shift, x1 = s1 - shift;
      sum.add(x0), sum.add(x1);
      square.add(x0 * x0), square.add(x1 * x1);
    }
  }
  scan.advantage = carry;
  scan.value = behind[0];
  scan.sums.count += static_cast<double>(count);
  scan.sums.sum += sum.total();
  scan.sums.square += square.total();
}

// count tokens, the last first: singly until whole groups remain.
template <int W>
void gae_scan(GaeScan& scan, const float* rewards, const float* values, int64_t count, float* advantages,
              float* returns) {
  int64_t t = count;
  for (; t % (2 * W) != 0; --t) {
    const float v = values[t - 1];
    scan.advantage = rewards[t - 1] + scan.gamma * scan.value - v + scan.decay * scan.advantage;
    scan.value = v;
    const float advantage = advantages[t - 1] = static_cast<float>(scan.advantage);
    returns[t - 1] = static_cast<float>(scan.advantage + v);
    if (scan.sums.count++ == 0) scan.sums.shift = advantage;
    const double centred = double{advantage} - double{scan.sums.shift};
    scan.sums.sum += centred;
    scan.sums.square += centred * centred;
  }
  if (scan.with_moments)
    scan_groups<W, true>(scan, rewards, values, t, advantages, returns);
  else
    scan_groups<W, false>(scan, rewards, values, t, advantages, returns);
}

}  // namespace
}  // namespace srcode

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/gae/gae.h"
#include "kernels/parallel.h"
#include "kernels/token_kernels.h"
#include "kernels/token_rewards/build.h"

namespace srcode {
namespace {

constexpr int64_t kTile = 1024;    // rewards built at a time
constexpr int64_t kGrain = 32768;  // tokens that make a task worth handing out

// Chan, Golub and LeVeque 1979: moments of two samples together.
Moments combine(const Moments& a, const Moments& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const double count = a.count + b.count, delta = b.mean - a.mean;
  return {count, a.mean + delta * b.count / count, a.m2 + b.m2 + delta * delta * a.count * b.count / count};
}

Moments moments_of(const MomentSums& s) {
  if (s.count == 0) return {};
  return {s.count, s.shift + s.sum / s.count, std::max(s.square - s.sum * s.sum / s.count, 0.0)};
}

Moments scan_sequence(const Gae& args, int64_t sequence, const TokenKernels& kernels) {
  const int64_t begin = args.parts.cu_seqlens[sequence], length = args.parts.cu_seqlens[sequence + 1] - begin;
  GaeScan scan{.gamma = args.gamma, .decay = args.gamma * args.lambda, .with_moments = args.moments != nullptr};
  const float* values = args.values + begin;
  float *advantages = args.advantages + begin, *returns = args.returns + begin;
  if (args.rewards != nullptr) {
    kernels.gae_scan(scan, args.rewards + begin, values, length, advantages, returns);
    return moments_of(scan.sums);
  }
  float tile[kTile];
  for (int64_t end = length; end > 0;) {  // the first tile takes the remainder, the others are whole
    const int64_t count = end % kTile != 0 ? end % kTile : kTile, first = end - count;
    float* rewards = args.built != nullptr ? args.built + begin + first : tile;
    // The processor foresees one direction a stream, not tiles that go down and are read upwards.
    if (args.parts.kl != nullptr)
      for (int64_t i = 0; i < std::min(kTile, first); i += 16)
        __builtin_prefetch(args.parts.kl + begin + first - 1 - i);
    build_rewards(args.parts, sequence, first, count, rewards);
    kernels.gae_scan(scan, rewards, values + first, count, advantages + first, returns + first);
    end = first;
  }
  return moments_of(scan.sums);
}

// Whole sequences that together make a task.
std::vector<int64_t> tasks_of(const int32_t* cu_seqlens, int64_t sequences) {
  std::vector<int64_t> bounds{0};
  for (int64_t b = 1; b <= sequences; ++b)
    if (b == sequences || cu_seqlens[b] - cu_seqlens[bounds.back()] >= kGrain) bounds.push_back(b);
  return bounds;
}

}  // namespace

void gae(const Gae& args, ThreadPool* pool) {
  const std::vector<int64_t> bounds = tasks_of(args.parts.cu_seqlens, args.parts.sequences);
  const TokenKernels& kernels = token_kernels();
  std::vector<Moments> moments(args.parts.sequences);
  parallel(pool, static_cast<int64_t>(bounds.size()) - 1, [&](int64_t task) {
    for (int64_t b = bounds[task]; b < bounds[task + 1]; ++b) moments[b] = scan_sequence(args, b, kernels);
  });
  if (args.moments == nullptr) return;
  *args.moments = {};
  for (const Moments& m : moments) *args.moments = combine(*args.moments, m);
}

void whiten(float* advantages, int64_t n, const Moments* moments, ThreadPool* pool) {
  const double mean = moments->mean;
  const double scale = 1 / std::sqrt(moments->m2 / std::max(moments->count - 1, 1.0) + 1e-8);
  parallel(pool, (n + kGrain - 1) / kGrain, [&](int64_t task) {
    const int64_t end = std::min(n, (task + 1) * kGrain);
    for (int64_t i = task * kGrain; i < end; ++i) advantages[i] = static_cast<float>((advantages[i] - mean) * scale);
  });
}

}  // namespace srcode

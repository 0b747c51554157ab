#include <algorithm>
#include <cmath>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/adamw/adamw.h"
#include "kernels/parallel.h"

namespace srcode {
namespace {

// Work is cut into pieces of this many values: the unit of the norm's summation order.
constexpr int64_t kChunk = 16384;

struct Chunk {
  int64_t tensor, begin, size;
};

std::vector<Chunk> chunks_of(std::span<const AdamwTensor> tensors) {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < tensors.size(); ++i)
    for (int64_t begin = 0; begin < tensors[i].size; begin += kChunk)
      chunks.push_back({static_cast<int64_t>(i), begin, std::min(kChunk, tensors[i].size - begin)});
  return chunks;
}

// Eight interleaved sums, so that the loop vectorises without reordering a sum.
double sum_of_squares(const float* x, int64_t n) {
  double sum[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; ++lane) sum[lane] += double{x[i + lane]} * double{x[i + lane]};
  for (int lane = 0; i < n; ++i, ++lane) sum[lane] += double{x[i]} * double{x[i]};
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

struct Coefficients {
  float scale, keep, beta1, rest1, beta2, rest2, step_size, root, eps;
};

void update(float* __restrict param, const float* __restrict grad, float* __restrict m, float* __restrict v, int64_t n,
            const Coefficients& c) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = grad[i] * c.scale;
    m[i] = c.beta1 * m[i] + c.rest1 * g;
    v[i] = c.beta2 * v[i] + c.rest2 * (g * g);
    param[i] = param[i] * c.keep - c.step_size * (m[i] / (std::sqrt(v[i]) / c.root + c.eps));
  }
}

}  // namespace

AdamwResult adamw(std::span<const AdamwTensor> tensors, const AdamwConfig& config, ThreadPool* pool) {
  const std::vector<Chunk> chunks = chunks_of(tensors);
  const auto count = static_cast<int64_t>(chunks.size());
  std::vector<double> sums(chunks.size());
  parallel(pool, count, [&](int64_t i) {
    const Chunk& chunk = chunks[i];
    sums[i] = sum_of_squares(tensors[chunk.tensor].grad + chunk.begin, chunk.size);
  });
  // The square of a finite f32 is finite in double, so a chunk's sum is finite exactly when all of its gradients are.
  double total = 0;
  AdamwResult result{0, -1};
  for (int64_t i = 0; i < count; ++i) {
    total += sums[i];
    if (result.bad_tensor < 0 && !std::isfinite(sums[i])) result.bad_tensor = chunks[i].tensor;
  }
  result.grad_norm = std::sqrt(total);
  if (result.bad_tensor >= 0) return result;

  const double clip = config.clip_norm > 0 ? std::min(1.0, config.clip_norm / (result.grad_norm + 1e-6)) : 1.0;
  const auto step = static_cast<double>(config.step);
  Coefficients c;
  c.scale = static_cast<float>(clip);
  c.beta1 = static_cast<float>(config.beta1), c.rest1 = static_cast<float>(1 - config.beta1);
  c.beta2 = static_cast<float>(config.beta2), c.rest2 = static_cast<float>(1 - config.beta2);
  c.step_size = static_cast<float>(config.lr / (1 - std::pow(config.beta1, step)));
  c.root = static_cast<float>(std::sqrt(1 - std::pow(config.beta2, step)));
  c.eps = static_cast<float>(config.eps);
  const auto decayed = static_cast<float>(1 - config.lr * config.weight_decay);
  parallel(pool, count, [&](int64_t i) {
    const Chunk& chunk = chunks[i];
    const AdamwTensor& t = tensors[chunk.tensor];
    Coefficients own = c;
    own.keep = t.decay ? decayed : 1.0f;
    update(t.param + chunk.begin, t.grad + chunk.begin, t.m + chunk.begin, t.v + chunk.begin, chunk.size, own);
  });
  return result;
}

}  // namespace srcode

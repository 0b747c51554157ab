#include <algorithm>
#include <cmath>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/adamw/constants.h"
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

void update(float* __restrict param, const float* __restrict grad, float* __restrict m, float* __restrict v, int64_t n,
            float clip, float keep, const AdamwConstants& k) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = grad[i] * clip;
    m[i] = k.beta1 * m[i] + k.rest1 * g;
    v[i] = k.beta2 * v[i] + k.rest2 * (g * g);
    param[i] = param[i] * keep - k.step_size * (m[i] / (std::sqrt(v[i]) / k.root + k.eps));
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

  const auto clip = static_cast<float>(clip_factor(config, result.grad_norm));
  const AdamwConstants constants = adamw_constants(config);
  parallel(pool, count, [&](int64_t i) {
    const Chunk& chunk = chunks[i];
    const AdamwTensor& t = tensors[chunk.tensor];
    const float keep = t.decay ? constants.keep : 1.0f;
    update(t.param + chunk.begin, t.grad + chunk.begin, t.m + chunk.begin, t.v + chunk.begin, chunk.size, clip, keep,
           constants);
  });
  return result;
}

}  // namespace srcode

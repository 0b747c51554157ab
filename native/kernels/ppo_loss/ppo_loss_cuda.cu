#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"

namespace srcode::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int64_t kTokens = 2048;  // of a block
enum { kLoss, kValueLoss, kClipped, kKl, kSums };

struct Token {
  double loss, slope;  // l and dl / d log pi
  bool clipped;
};

__device__ Token policy(const Clip& clip, double log_prob, double ratio, double advantage) {
  if (clip.kind == Clip::Kind::cispo) {
    const double slope = -fmin(ratio, clip.cap) * advantage;
    return {slope * log_prob, slope, ratio > clip.cap};
  }
  if (clip.kind == Clip::Kind::sapo) {
    const double tau = advantage > 0.0 ? clip.tau_pos : clip.tau_neg, e = exp(tau * (1.0 - ratio)), p = 1.0 / (1.0 + e);
    return {-4.0 / tau * p * advantage, -4.0 * (1.0 - p) * p * ratio * advantage, false};
  }
  const double plain = ratio * advantage, bound = fmin(fmax(ratio, 1.0 - clip.epsilon), 1.0 + clip.epsilon) * advantage;
  if (clip.kind == Clip::Kind::dual && advantage < 0.0 && ratio > clip.c) return {-clip.c * advantage, 0.0, true};
  if (bound < plain) return {-bound, 0.0, true};
  return {-plain, -plain, false};
}

// Sum of the weights, one partial a block.
__global__ void __launch_bounds__(kThreads) weight_kernel(const float* weights, int64_t n, double* partial) {
  __shared__ double scratch[kWarps];
  const int64_t begin = blockIdx.x * kTokens, end = min(n, begin + kTokens);
  double sum = 0.0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += weights[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// Columns of partial [blocks, columns] added up by one block in an order that depends on `blocks` alone.
__global__ void __launch_bounds__(kThreads)
    finish_kernel(const double* partial, int64_t blocks, int columns, double* sums) {
  __shared__ double scratch[kWarps];
  for (int k = 0; k < columns; ++k) {
    double sum = 0.0;
    for (int64_t b = threadIdx.x; b < blocks; b += kThreads) sum += partial[b * columns + k];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) sums[k] = sum;
  }
}

__global__ void __launch_bounds__(kThreads) ppo_kernel(PpoLoss a, const double* total_weight, double* partial) {
  __shared__ double scratch[kWarps];
  const double mean = *total_weight > 0.0 ? 1.0 / *total_weight : 0.0, scale = a.sum ? 1.0 : mean;
  const int64_t begin = blockIdx.x * kTokens, end = min(a.tokens, begin + kTokens);
  double sums[kSums] = {};
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const double weight = a.weights != nullptr ? a.weights[i] : 1.0;
    if (a.log_probs != nullptr) {
      const double log_prob = a.log_probs[i], log_ratio = fmin(fmax(log_prob - a.old_log_probs[i], -87.0), 88.0);
      const double tail = expm1(log_ratio);
      const Token token = policy(a.clip, log_prob, 1.0 + tail, a.advantages[i]);
      a.grad_log_probs[i] = static_cast<float>(weight * token.slope * scale);
      sums[kLoss] += weight * token.loss;
      sums[kClipped] += token.clipped ? weight : 0.0;
      sums[kKl] += weight * (tail - log_ratio);
    }
    if (a.values != nullptr) {
      const double value = a.values[i], target = a.returns[i];
      const double old = a.old_values != nullptr ? a.old_values[i] : value;
      const double held = fmin(fmax(value, old - a.value_clip), old + a.value_clip);
      const double plain = (value - target) * (value - target), bounded = (held - target) * (held - target);
      sums[kValueLoss] += weight * fmax(plain, bounded);
      a.grad_values[i] = plain >= bounded ? static_cast<float>(weight * (value - target) * mean) : 0.0f;
    }
  }
  for (int k = 0; k < kSums; ++k) {
    const double sum = block_sum(sums[k], scratch);
    if (threadIdx.x == 0) partial[blockIdx.x * kSums + k] = sum;
  }
}

__global__ void statistics_kernel(const double* sums, const double* total_weight, bool sum, PpoStatistics* out) {
  const double weight = *total_weight, mean = weight > 0.0 ? 1.0 / weight : 0.0;
  out->loss = sums[kLoss] * (sum ? 1.0 : mean);
  out->value_loss = 0.5 * sums[kValueLoss] * mean;
  out->clip_fraction = sums[kClipped] * mean;
  out->approx_kl = sums[kKl] * mean;
  out->weight = weight;
}

__global__ void set_kernel(double* out, double value) { *out = value; }

}  // namespace

void ppo_loss(const PpoLoss& args, PpoStatistics* statistics, cudaStream_t stream) {
  const int64_t blocks = (args.tokens + kTokens - 1) / kTokens;
  const auto grid = static_cast<unsigned>(blocks);
  const Scratch<double> partial(blocks * kSums, stream), weight(1, stream), sums(kSums, stream);
  if (args.total_weight > 0) {
    SRCODE_CUDA(launch(set_kernel, 1, 1, 0, stream, weight.data(), args.total_weight));
  } else if (args.weights != nullptr && blocks > 0) {
    SRCODE_CUDA(launch(weight_kernel, grid, kThreads, 0, stream, args.weights, args.tokens, partial.data()));
    SRCODE_CUDA(launch(finish_kernel, 1, kThreads, 0, stream, partial.data(), blocks, 1, weight.data()));
  } else {
    SRCODE_CUDA(launch(set_kernel, 1, 1, 0, stream, weight.data(), static_cast<double>(args.tokens)));
  }
  if (blocks > 0) SRCODE_CUDA(launch(ppo_kernel, grid, kThreads, 0, stream, args, weight.data(), partial.data()));
  SRCODE_CUDA(launch(finish_kernel, 1, kThreads, 0, stream, partial.data(), blocks, int{kSums}, sums.data()));
  SRCODE_CUDA(launch(statistics_kernel, 1, 1, 0, stream, sums.data(), weight.data(), args.sum, statistics));
}

}  // namespace srcode::cuda

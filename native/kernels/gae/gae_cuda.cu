#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/token_rewards/token_rewards_device.h"

namespace srcode::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

// Chan, Golub and LeVeque 1979.
__device__ Moments combine(const Moments& a, const Moments& b) {
  if (a.count == 0.0) return b;
  if (b.count == 0.0) return a;
  const double count = a.count + b.count, delta = b.mean - a.mean;
  return {count, a.mean + delta * b.count / count, a.m2 + b.m2 + delta * delta * a.count * b.count / count};
}

// One block a sequence, walked from its end kThreads tokens at a time; thread 0 has the last of them. A_t = delta_t +
// decay A_{t+1} is a scan of the maps x -> shift + scale x.
__global__ void __launch_bounds__(kThreads) gae_kernel(Gae args, Moments* of_sequence) {
  __shared__ double warp_scale[kWarps], warp_shift[kWarps], carry, centre, scratch[kWarps];
  const int b = static_cast<int>(blockIdx.x);
  const int64_t begin = args.parts.cu_seqlens[b], length = args.parts.cu_seqlens[b + 1] - begin;
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const double decay = args.gamma * args.lambda;
  double sum = 0.0, square = 0.0;
  if (threadIdx.x == 0) carry = 0.0;
  __syncthreads();
  for (int64_t done = 0; done < length; done += kThreads) {
    const int64_t t = length - 1 - done - threadIdx.x, i = begin + t;
    double scale = 1.0, shift = 0.0, value = 0.0;  // the identity, for threads before the first token
    if (t >= 0) {
      value = args.values[i];
      const double behind = t + 1 < length ? args.values[i + 1] : 0.0;
      float reward;
      if (args.rewards != nullptr) {
        reward = args.rewards[i];
      } else {
        reward = token_reward(args.parts, b, t);
        if (args.built != nullptr) args.built[i] = reward;
      }
      scale = decay;
      shift = reward + args.gamma * behind - value;
    }
    for (int step = 1; step < 32; step *= 2) {
      const double before_scale = __shfl_up_sync(kAllLanes, scale, step),
                   before_shift = __shfl_up_sync(kAllLanes, shift, step);
      if (lane >= step) {
        shift += scale * before_shift;
        scale *= before_scale;
      }
    }
    if (lane == 31) {
      warp_scale[warp] = scale;
      warp_shift[warp] = shift;
    }
    __syncthreads();
    double x = carry;
    for (int w = 0; w < warp; ++w) x = warp_shift[w] + warp_scale[w] * x;
    const double advantage = shift + scale * x;
    const float rounded = static_cast<float>(advantage);
    __syncthreads();  // all have read the carry and the warps' maps
    if (threadIdx.x == kThreads - 1) carry = advantage;
    if (threadIdx.x == 0 && done == 0) centre = rounded;
    if (t >= 0) {
      args.advantages[i] = rounded;
      args.returns[i] = static_cast<float>(advantage + value);
    }
    __syncthreads();
    if (t >= 0) {  // about the sequence's last advantage, so that the sums do not cancel
      sum += rounded - centre;
      square += (rounded - centre) * (rounded - centre);
    }
  }
  if (args.moments == nullptr) return;
  const double total = block_sum(sum, scratch), squares = block_sum(square, scratch);
  if (threadIdx.x != 0) return;
  const auto count = static_cast<double>(length);
  of_sequence[b] = length > 0 ? Moments{count, centre + total / count, fmax(squares - total * total / count, 0.0)}
                              : Moments{0, 0, 0};
}

// One block: each thread takes every kThreads-th sequence, then the threads are joined in a tree.
__global__ void __launch_bounds__(kThreads)
    moments_kernel(const Moments* of_sequence, int64_t sequences, Moments* out) {
  __shared__ Moments parts[kThreads];
  Moments mine{0, 0, 0};
  for (int64_t b = threadIdx.x; b < sequences; b += kThreads) mine = combine(mine, of_sequence[b]);
  parts[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned step = kThreads / 2; step > 0; step /= 2) {
    if (threadIdx.x < step) parts[threadIdx.x] = combine(parts[threadIdx.x], parts[threadIdx.x + step]);
    __syncthreads();
  }
  if (threadIdx.x == 0) *out = parts[0];
}

__global__ void whiten_kernel(float* advantages, int64_t n, const Moments* moments) {
  const double mean = moments->mean, variance = moments->m2 / fmax(moments->count - 1.0, 1.0);
  const double scale = 1.0 / sqrt(variance + 1e-8);
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) advantages[i] = static_cast<float>((advantages[i] - mean) * scale);
}

}  // namespace

void gae(const Gae& args, cudaStream_t stream) {
  const int64_t sequences = args.parts.sequences;
  const Scratch<Moments> of_sequence(args.moments != nullptr ? sequences : 0, stream);
  if (sequences > 0)
    SRCODE_CUDA(launch(gae_kernel, static_cast<unsigned>(sequences), kThreads, 0, stream, args, of_sequence.data()));
  if (args.moments != nullptr)
    SRCODE_CUDA(launch(moments_kernel, 1, kThreads, 0, stream, of_sequence.data(), sequences, args.moments));
}

void whiten(float* advantages, int64_t n, const Moments* moments, cudaStream_t stream) {
  if (n == 0) return;
  const auto blocks = static_cast<unsigned>((n + kThreads - 1) / kThreads);
  SRCODE_CUDA(launch(whiten_kernel, blocks, kThreads, 0, stream, advantages, n, moments));
}

}  // namespace srcode::cuda

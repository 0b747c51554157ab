#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/token_rewards/token_rewards_device.h"

namespace srcode::cuda {
namespace {

constexpr int kThreads = 256;

// One block a sequence.
__global__ void token_rewards_kernel(TokenRewards parts, float* rewards) {
  const int b = static_cast<int>(blockIdx.x);
  const int64_t begin = parts.cu_seqlens[b], length = parts.cu_seqlens[b + 1] - begin;
  for (int64_t t = threadIdx.x; t < length; t += kThreads) rewards[begin + t] = token_reward(parts, b, t);
}

}  // namespace

void token_rewards(const TokenRewards& parts, float* rewards, cudaStream_t stream) {
  if (parts.sequences == 0) return;
  SRCODE_CUDA(
      launch(token_rewards_kernel, static_cast<unsigned>(parts.sequences), kThreads, 0, stream, parts, rewards));
}

}  // namespace srcode::cuda

#pragma once
#include <span>

#include "kernels/adamw/adamw.h"
#include "kernels/gae/gae.h"
#include "kernels/gpu.h"
#include "kernels/ppo_loss/ppo_loss.h"

// The CUDA twins: the same arguments as on the CPU with pointers to device memory, and a stream. They return when the
// work is queued; adamw when its result is known. ERR_CUDA, ERR_OOM.
namespace srcode::cuda {

void token_rewards(const TokenRewards& parts, float* rewards, cudaStream_t stream);
void gae(const Gae& args, cudaStream_t stream);
void whiten(float* advantages, int64_t n, const Moments* moments, cudaStream_t stream);
void ppo_loss(const PpoLoss& args, PpoStatistics* statistics, cudaStream_t stream);
AdamwResult adamw(std::span<const AdamwTensor> tensors, const AdamwConfig& config, cudaStream_t stream);

}  // namespace srcode::cuda

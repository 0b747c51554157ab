#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/table.h"

namespace srcode::cuda {
namespace {

cudaStream_t stream_of(Queue queue) { return static_cast<cudaStream_t>(queue.stream); }

void* allocate(size_t bytes) {
  void* memory = nullptr;
  if (bytes > 0) SRCODE_CUDA(cudaMalloc(&memory, bytes));
  return memory;
}

void copy_in(void* to, const void* host, size_t bytes, Queue queue) {
  if (bytes > 0) SRCODE_CUDA(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream_of(queue)));
}

void copy_out(void* host, const void* from, size_t bytes, Queue queue) {
  if (bytes > 0) SRCODE_CUDA(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream_of(queue)));
  SRCODE_CUDA(cudaStreamSynchronize(stream_of(queue)));
}

}  // namespace

int devices() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

extern const KernelTable kernels;
const KernelTable kernels{
    .device = "cuda",
    .allocate = allocate,
    .release = [](void* memory) { cudaFree(memory); },
    .copy_in = copy_in,
    .copy_out = copy_out,
    .token_rewards = [](const TokenRewards& parts, float* out, Queue q) { token_rewards(parts, out, stream_of(q)); },
    .gae = [](const Gae& args, Queue q) { gae(args, stream_of(q)); },
    .whiten = [](float* a, int64_t n, const Moments* moments, Queue q) { whiten(a, n, moments, stream_of(q)); },
    .ppo_loss = [](const PpoLoss& args, PpoStatistics* out, Queue q) { ppo_loss(args, out, stream_of(q)); },
    .adamw = [](std::span<const AdamwTensor> tensors, const AdamwConfig& config,
                Queue q) { return adamw(tensors, config, stream_of(q)); },
};

}  // namespace srcode::cuda

#include "kernels/table.h"

#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace srcode {
namespace {

void* allocate(size_t bytes) {
  void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (memory == nullptr && bytes > 0) fail("ERR_OOM", "expected ", bytes, " bytes of memory, received none");
  return memory;
}

}  // namespace

const KernelTable& cpu_kernels() {
  static const KernelTable table{
      .device = "cpu",
      .allocate = allocate,
      .release = std::free,
      .copy_in = [](void* to, const void* host, size_t bytes, Queue) { std::memcpy(to, host, bytes); },
      .copy_out = [](void* host, const void* from, size_t bytes, Queue) { std::memcpy(host, from, bytes); },
      .token_rewards = [](const TokenRewards& parts, float* out, Queue q) { token_rewards(parts, out, q.pool); },
      .gae = [](const Gae& args, Queue q) { gae(args, q.pool); },
      .whiten = [](float* a, int64_t n, const Moments* moments, Queue q) { whiten(a, n, moments, q.pool); },
      .ppo_loss = [](const PpoLoss& args, PpoStatistics* out, Queue q) { ppo_loss(args, out, q.pool); },
      .adamw = [](std::span<const AdamwTensor> tensors, const AdamwConfig& config,
                  Queue q) { return adamw(tensors, config, q.pool); },
  };
  return table;
}

#ifdef SRCODE_HAS_CUDA
namespace cuda {
extern const KernelTable kernels;  // table_cuda.cu
int devices();
}  // namespace cuda

int cuda_devices() { return cuda::devices(); }

const KernelTable& cuda_kernels() {
  if (cuda::devices() == 0)
    fail("ERR_CUDA",
         "expected a CUDA GPU, received none: is the NVIDIA driver (libcuda.so.1, 580 or newer) installed and a GPU "
         "visible?");
  return cuda::kernels;
}
#else
int cuda_devices() { return 0; }

const KernelTable& cuda_kernels() {
  fail("ERR_CUDA",
       "this build of srcode has no CUDA kernels: put nvcc (CUDA 12 or newer) on PATH and run `npm run build:native`");
}
#endif

}  // namespace srcode

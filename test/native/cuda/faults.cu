#include "faults.h"

namespace srcode::faults {
namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void no_barrier_kernel(float* out) {
  __shared__ float line[64];
  line[threadIdx.x] = 1.0f;
  out[threadIdx.x] = line[63 - threadIdx.x];
}
__global__ void out_of_bounds_kernel(float* x, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= n) x[i] = 0.0f;
}
__global__ void copy_kernel(const float* x, float* out) { out[threadIdx.x] = x[threadIdx.x]; }
struct alignas(8) Two {
  double both;
};
__global__ void misaligned_kernel(const float* x, float* out) {
  out[0] = static_cast<float>(reinterpret_cast<const Two*>(x + 1)->both);
}
__global__ void divergent_shuffle_kernel(float* out) {
  float x = 1.0f;
  if (threadIdx.x < 16) x = __shfl_down_sync(kAll, x, 1);
  __syncthreads();
  out[threadIdx.x] = x;
}
__global__ void wrong_mask_kernel(float* out) { out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, 1.0f, 1); }
__global__ void returned_lane_kernel(float* out) {
  if (threadIdx.x == 5) return;
  __syncthreads();
  out[threadIdx.x] = __shfl_xor_sync(kAll, 1.0f, 1);
}
__global__ void two_barriers_kernel(float* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1.0f;
}
__global__ void deadlock_kernel(float* out) {
  if (threadIdx.x < 32) __syncthreads();
  if (threadIdx.x >= 32) out[threadIdx.x] = __shfl_sync(threadIdx.x < 48 ? kAll : 0xffff0000u, 1.0f, 0);
}
__global__ void blocks_race_kernel(float* out) { out[0] = static_cast<float>(blockIdx.x); }
__global__ void no_syncwarp_kernel(float* out, bool with_sync) {
  __shared__ float line[32];
  line[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (with_sync) __syncwarp();
  out[threadIdx.x] = line[31 - threadIdx.x];
}
__global__ void add_one_kernel(float* x, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] += 1.0f;
}

}  // namespace

cudaError_t no_barrier(float* out, cudaStream_t s) { return launch(no_barrier_kernel, 1, 64, 0, s, out); }
cudaError_t out_of_bounds(float* x, int n, cudaStream_t s) { return launch(out_of_bounds_kernel, 1, 64, 0, s, x, n); }
cudaError_t never_written(const float* x, float* out, cudaStream_t s) {
  return launch(copy_kernel, 1, 32, 0, s, x, out);
}
cudaError_t misaligned(const float* x, float* out, cudaStream_t s) {
  return launch(misaligned_kernel, 1, 1, 0, s, x, out);
}
cudaError_t divergent_shuffle(float* out, cudaStream_t s) { return launch(divergent_shuffle_kernel, 1, 32, 0, s, out); }
cudaError_t wrong_mask(float* out, cudaStream_t s) { return launch(wrong_mask_kernel, 1, 32, 0, s, out); }
cudaError_t returned_lane(float* out, cudaStream_t s) { return launch(returned_lane_kernel, 1, 32, 0, s, out); }
cudaError_t two_barriers(float* out, cudaStream_t s) { return launch(two_barriers_kernel, 1, 64, 0, s, out); }
cudaError_t deadlock(float* out, cudaStream_t s) { return launch(deadlock_kernel, 1, 64, 0, s, out); }
cudaError_t blocks_race(float* out, cudaStream_t s) { return launch(blocks_race_kernel, 2, 1, 0, s, out); }
cudaError_t no_syncwarp(float* out, bool with_sync, cudaStream_t s) {
  return launch(no_syncwarp_kernel, 1, 32, 0, s, out, with_sync);
}
cudaError_t add_one(float* x, int n, cudaStream_t s) { return launch(add_one_kernel, (n + 31) / 32, 32, 0, s, x, n); }
cudaError_t too_large(float* out, cudaStream_t s) { return launch(copy_kernel, 1, 2048, 0, s, out, out); }
cudaError_t empty_grid(float* out, cudaStream_t s) { return launch(copy_kernel, 0, 32, 0, s, out, out); }

}  // namespace srcode::faults

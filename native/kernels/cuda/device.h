#pragma once
#include "core/error.h"
#include "kernels/gpu.h"

// What the CUDA twins share: errors, scratch memory, sums over a block.
namespace srcode::cuda {

// A CUDA call that failed becomes an error with the call, the place and CUDA's own name for it.
inline void check(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  const char* slash = file;
  for (const char* p = file; *p != 0; ++p)
    if (*p == '/') slash = p + 1;
  fail(status == cudaErrorMemoryAllocation ? "ERR_OOM" : "ERR_CUDA", cudaGetErrorName(status), " (",
       cudaGetErrorString(status), ") from ", call, " at ", slash, ":", line);
}
#define SRCODE_CUDA(call) ::srcode::cuda::check((call), #call, __FILE__, __LINE__)

// Device memory in stream order: usable by what is queued after it, freed after what was queued before its end.
template <class T>
class Scratch {
 public:
  Scratch(int64_t count, cudaStream_t stream) : stream_(stream) {
    if (count > 0) SRCODE_CUDA(cudaMallocAsync(reinterpret_cast<void**>(&data_), count * sizeof(T), stream));
  }
  ~Scratch() {
    if (data_ != nullptr) cudaFreeAsync(data_, stream_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
  cudaStream_t stream_;
};

constexpr unsigned kAllLanes = 0xffffffffu;

__device__ inline double warp_sum(double x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_down_sync(kAllLanes, x, step);
  return x;
}

// Sum over a block of `Warps` warps in a fixed tree; the result is thread 0's. Every thread of the block must call it.
template <int Warps>
__device__ double block_sum(double x, double (&scratch)[Warps]) {
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = threadIdx.x < Warps ? scratch[threadIdx.x] : 0.0;
  if (threadIdx.x < 32) x = warp_sum(x);
  __syncthreads();  // the scratch may be used again
  return x;
}

}  // namespace srcode::cuda

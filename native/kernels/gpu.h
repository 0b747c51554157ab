// The one include of CUDA sources: the toolkit under nvcc, the emulator (native/emulator, tests only) under g++. Every
// difference between the two is here; no other file asks for __CUDACC__.
//
// Rules that keep a kernel true under both: masks are spelled out (no __activemask), no __device__ variables, no
// waiting between blocks, no cooperative groups or cub. Sums that must be repeatable take two kernels: partials, then
// one block over them.
#pragma once
#ifdef __CUDACC__
#include <cuda_runtime.h>

#include <utility>

template <class... P, class... A>
inline cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                          A&&... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, std::forward<A>(args)...);
}
#else
#include "emulator/cuda.h"
#endif

#pragma once
#include "kernels/gpu.h"

// Small wrong kernels, each with one fault that the emulator must name.
namespace srcode::faults {

cudaError_t no_barrier(float* out, cudaStream_t stream);
cudaError_t out_of_bounds(float* x, int n, cudaStream_t stream);
cudaError_t never_written(const float* x, float* out, cudaStream_t stream);
cudaError_t misaligned(const float* x, float* out, cudaStream_t stream);
cudaError_t divergent_shuffle(float* out, cudaStream_t stream);
cudaError_t wrong_mask(float* out, cudaStream_t stream);
cudaError_t returned_lane(float* out, cudaStream_t stream);
cudaError_t two_barriers(float* out, cudaStream_t stream);
cudaError_t deadlock(float* out, cudaStream_t stream);
cudaError_t blocks_race(float* out, cudaStream_t stream);
cudaError_t no_syncwarp(float* out, bool with_sync, cudaStream_t stream);
cudaError_t add_one(float* x, int n, cudaStream_t stream);
cudaError_t too_large(float* out, cudaStream_t stream);
cudaError_t empty_grid(float* out, cudaStream_t stream);

}  // namespace srcode::faults

#include <algorithm>
#include <vector>

#include "kernels/adamw/constants.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"

namespace srcode::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int64_t kChunk = 65536;  // values of a block

struct Chunk {
  int64_t tensor, begin, size;
};

__global__ void __launch_bounds__(kThreads)
    norm_kernel(const AdamwTensor* tensors, const Chunk* chunks, double* squares) {
  __shared__ double scratch[kWarps];
  const Chunk chunk = chunks[blockIdx.x];
  const float* grad = tensors[chunk.tensor].grad + chunk.begin;
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < chunk.size; i += kThreads) sum += static_cast<double>(grad[i]) * grad[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

// One block. A chunk's sum is finite exactly when all of its gradients are: the square of a finite f32 is finite in
// double.
__global__ void __launch_bounds__(kThreads)
    result_kernel(const double* squares, const Chunk* chunks, int64_t count, AdamwResult* result) {
  __shared__ double scratch[kWarps];
  __shared__ int64_t first_bad[kThreads];
  double sum = 0.0;
  int64_t bad = count;
  for (int64_t c = threadIdx.x; c < count; c += kThreads) {
    sum += squares[c];
    if (bad == count && !isfinite(squares[c])) bad = c;
  }
  first_bad[threadIdx.x] = bad;
  sum = block_sum(sum, scratch);  // its barriers order first_bad too
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kThreads; ++i) bad = min(bad, first_bad[i]);
  result->grad_norm = sqrt(sum);
  result->bad_tensor = bad < count ? chunks[bad].tensor : -1;
}

__global__ void __launch_bounds__(kThreads)
    update_kernel(const AdamwTensor* tensors, const Chunk* chunks, const AdamwResult* result, double clip_norm,
                  AdamwConstants k) {
  if (result->bad_tensor >= 0) return;
  const Chunk chunk = chunks[blockIdx.x];
  const AdamwTensor tensor = tensors[chunk.tensor];
  const auto clip = static_cast<float>(clip_norm > 0.0 ? fmin(1.0, clip_norm / (result->grad_norm + 1e-6)) : 1.0);
  const float keep = tensor.decay ? k.keep : 1.0f;
  for (int64_t i = chunk.begin + threadIdx.x; i < chunk.begin + chunk.size; i += kThreads) {
    const float g = tensor.grad[i] * clip;
    const float m = k.beta1 * tensor.m[i] + k.rest1 * g, v = k.beta2 * tensor.v[i] + k.rest2 * (g * g);
    tensor.m[i] = m;
    tensor.v[i] = v;
    tensor.param[i] = tensor.param[i] * keep - k.step_size * (m / (sqrtf(v) / k.root + k.eps));
  }
}

template <class T>
void upload(const Scratch<T>& to, const std::vector<T>& from, cudaStream_t stream) {
  SRCODE_CUDA(cudaMemcpyAsync(to.data(), from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice, stream));
}

}  // namespace

AdamwResult adamw(std::span<const AdamwTensor> tensors, const AdamwConfig& config, cudaStream_t stream) {
  const std::vector<AdamwTensor> list(tensors.begin(), tensors.end());
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < list.size(); ++i)
    for (int64_t begin = 0; begin < list[i].size; begin += kChunk)
      chunks.push_back({static_cast<int64_t>(i), begin, std::min(kChunk, list[i].size - begin)});
  if (chunks.empty()) return {0, -1};

  const auto count = static_cast<int64_t>(chunks.size());
  const auto grid = static_cast<unsigned>(count);
  const Scratch<AdamwTensor> device_tensors(static_cast<int64_t>(list.size()), stream);
  const Scratch<Chunk> device_chunks(count, stream);
  const Scratch<double> squares(count, stream);
  const Scratch<AdamwResult> device_result(1, stream);
  upload(device_tensors, list, stream);
  upload(device_chunks, chunks, stream);
  SRCODE_CUDA(
      launch(norm_kernel, grid, kThreads, 0, stream, device_tensors.data(), device_chunks.data(), squares.data()));
  SRCODE_CUDA(
      launch(result_kernel, 1, kThreads, 0, stream, squares.data(), device_chunks.data(), count, device_result.data()));
  SRCODE_CUDA(launch(update_kernel, grid, kThreads, 0, stream, device_tensors.data(), device_chunks.data(),
                     device_result.data(), config.clip_norm, adamw_constants(config)));
  AdamwResult result;
  SRCODE_CUDA(cudaMemcpyAsync(&result, device_result.data(), sizeof result, cudaMemcpyDeviceToHost, stream));
  SRCODE_CUDA(cudaStreamSynchronize(stream));
  return result;
}

}  // namespace srcode::cuda

// CUDA for g++: the part of the language and the runtime that our kernels use, in CUDA's own names. Include through
// kernels/gpu.h.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};

namespace srcode::emulator {

// A line of a kernel; the default argument of an operation names the line that calls it.
struct Site {
  const char* file;
  int line;
};
#define SRCODE_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

// By value and "const": a thread's answer never changes, so the compiler asks once, and no memory read is instrumented.
__attribute__((const)) uint3 thread_index();
__attribute__((const)) uint3 block_index();
__attribute__((const)) uint3 block_size();
__attribute__((const)) uint3 grid_size();

void sync_threads(Site site);

// A warp operation: the last lane that `mask` names runs `all` over the data of all lanes, then they go on.
using WarpOperation = void (*)(void** data, unsigned mask);
void warp_operation(WarpOperation all, unsigned mask, void* data, Site site);
void sync_warp(unsigned mask, Site site);

enum class Lane { index, up, down, exclusive_or };
struct Shuffle {
  uint64_t in, out;
  int argument, width;
  Lane kind;
};
void shuffle_all(void** data, unsigned mask);
template <class T>
T shuffle(unsigned mask, T value, int argument, int width, Lane kind, Site site) {
  static_assert(sizeof(T) <= 8);
  Shuffle s{0, 0, argument, width, kind};
  std::memcpy(&s.in, &value, sizeof value);
  warp_operation(shuffle_all, mask, &s, site);
  std::memcpy(&value, &s.out, sizeof value);
  return value;
}
struct Vote {
  unsigned in, out;
};
void ballot_all(void** data, unsigned mask);

// A launch with its arguments, to be run by each thread.
struct Call {
  size_t bytes = 0;  // of the whole object: a kernel may read its arguments
  virtual void run() = 0;
  virtual ~Call() = default;
};

}  // namespace srcode::emulator

#define threadIdx (srcode::emulator::thread_index())
#define blockIdx (srcode::emulator::block_index())
#define blockDim (srcode::emulator::block_size())
#define gridDim (srcode::emulator::grid_size())

inline void __syncthreads(SRCODE_SITE) { srcode::emulator::sync_threads({file, line}); }
inline void __syncwarp(unsigned mask = ~0u, SRCODE_SITE) { srcode::emulator::sync_warp(mask, {file, line}); }
template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32, SRCODE_SITE) {
  return srcode::emulator::shuffle(mask, value, lane, width, srcode::emulator::Lane::index, {file, line});
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SRCODE_SITE) {
  return srcode::emulator::shuffle(mask, value, int(delta), width, srcode::emulator::Lane::up, {file, line});
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SRCODE_SITE) {
  return srcode::emulator::shuffle(mask, value, int(delta), width, srcode::emulator::Lane::down, {file, line});
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, SRCODE_SITE) {
  return srcode::emulator::shuffle(mask, value, bits, width, srcode::emulator::Lane::exclusive_or, {file, line});
}
inline unsigned __ballot_sync(unsigned mask, int predicate, SRCODE_SITE) {
  srcode::emulator::Vote vote{predicate != 0, 0};
  srcode::emulator::warp_operation(srcode::emulator::ballot_all, mask, &vote, {file, line});
  return vote.out;
}

using std::isfinite;
using std::max;
using std::min;

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorLaunchFailure = 719,
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1 };
using cudaStream_t = struct CUstream_st*;

cudaError_t cudaMalloc(void** memory, size_t bytes);
cudaError_t cudaFree(void* memory);
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaGetDeviceCount(int* count);
const char* cudaGetErrorName(cudaError_t error);
const char* cudaGetErrorString(cudaError_t error);

// Queues the call, of which it takes possession.
cudaError_t emulated_launch(const void* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                            srcode::emulator::Call* call);

template <class... P, class... A>
inline cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                          A&&... args) {
  struct Bound : srcode::emulator::Call {
    void (*function)(P...);
    std::tuple<std::decay_t<P>...> arguments;
    Bound(void (*f)(P...), A&&... a) : function(f), arguments(std::forward<A>(a)...) { bytes = sizeof *this; }
    void run() override { std::apply(function, arguments); }
  };
  return emulated_launch(reinterpret_cast<const void*>(kernel), grid, block, shared, stream,
                         new Bound(kernel, std::forward<A>(args)...));
}

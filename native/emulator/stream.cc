#include <functional>
#include <memory>
#include <set>

#include "emulator/machine.h"

// A stream is a queue of closures that runs when something waits for it, so that a result which is read too early is
// old. With a seed, other streams are advanced now and then.
struct CUstream_st {
  std::deque<std::function<cudaError_t()>> queue;
};

namespace srcode::emulator {

void* allocate(size_t bytes);
bool release(void* p);

namespace {

CUstream_st default_stream;
std::set<CUstream_st*> streams;
cudaError_t sticky = cudaSuccess;  // a failed launch spoils the context: all that follows fails too

CUstream_st* real(cudaStream_t stream) { return stream != nullptr ? stream : &default_stream; }

cudaError_t step(CUstream_st* stream) {
  const auto operation = std::move(stream->queue.front());
  stream->queue.pop_front();
  const cudaError_t status = operation();
  if (status == cudaErrorLaunchFailure) sticky = status;
  return status;
}

cudaError_t drain(CUstream_st* stream) {
  while (!stream->queue.empty() && sticky == cudaSuccess) {
    if (options.seed != 0 && random_below(3) == 0) {
      for (CUstream_st* other : streams)
        if (other != stream && !other->queue.empty() && random_below(2) == 1)
          if (const cudaError_t status = step(other)) return status;
    }
    if (const cudaError_t status = step(stream)) return status;
  }
  return sticky;
}

cudaError_t drain_all() {
  for (CUstream_st* stream : streams) drain(stream);
  return drain(&default_stream);
}

cudaError_t submit(cudaStream_t stream, std::function<cudaError_t()> operation) {
  if (sticky != cudaSuccess) return sticky;
  if (stream == nullptr) drain_all();  // the default stream waits for all others
  real(stream)->queue.push_back(std::move(operation));
  return options.lazy ? cudaSuccess : drain(real(stream));
}

cudaError_t refuse(cudaError_t status, const std::string& why) {
  message = why;
  return status;
}

bool inside(const void* p, size_t bytes) {
  if (!on_device(p)) return true;
  const Region* region = find_allocation(p);
  return region != nullptr && !region->freed && static_cast<const char*>(p) + bytes <= region->base + region->size;
}

}  // namespace

void reset() {
  sticky = cudaSuccess;
  message.clear();
  default_stream.queue.clear();
  for (CUstream_st* stream : streams) stream->queue.clear();
}

}  // namespace srcode::emulator

using namespace srcode::emulator;

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (sticky != cudaSuccess) return sticky;
  *memory = allocate(bytes);
  return *memory != nullptr || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  const cudaError_t status = drain_all();
  if (!release(memory)) return refuse(cudaErrorInvalidValue, "cudaFree of what was not allocated, or is free already");
  return status;
}
cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  if (sticky != cudaSuccess) release(memory);  // what was queued before is gone
  return submit(stream, [=] {
    return release(memory)
               ? cudaSuccess
               : refuse(cudaErrorInvalidValue, "cudaFreeAsync of what was not allocated, or is free already");
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (!inside(to, bytes))
    return refuse(cudaErrorInvalidValue,
                  "copy of " + std::to_string(bytes) + " bytes to memory " + describe(to, bytes));
  if (!inside(from, bytes))
    return refuse(cudaErrorInvalidValue,
                  "copy of " + std::to_string(bytes) + " bytes from memory " + describe(from, bytes));
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (on_device(to) != to_device || on_device(from) != from_device)
    return refuse(cudaErrorInvalidValue, "the kind of a copy does not fit its pointers");
  if (!from_device) {  // pageable host memory is staged before the call returns
    return submit(stream, [to, bytes, data = std::string(static_cast<const char*>(from), bytes)] {
      std::memcpy(to, data.data(), bytes);
      mark_host_write(to, bytes);
      return cudaSuccess;
    });
  }
  const cudaError_t status = submit(stream, [=] {
    std::memcpy(to, from, bytes);
    mark_host_write(to, bytes);
    return cudaSuccess;
  });
  // And a copy to it has arrived when the call returns.
  return status == cudaSuccess && !to_device ? drain(real(stream)) : status;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  streams.insert(*stream = new CUstream_st);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t status = drain(stream);
  streams.erase(stream);
  delete stream;
  return status;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return stream == nullptr ? drain_all() : drain(stream); }
cudaError_t cudaDeviceSynchronize() { return drain_all(); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
  }
  return "unrecognized error code";
}
// The emulator's own reason where it has one.
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess || message.empty() ? cudaGetErrorName(error) : message.c_str();
}

cudaError_t emulated_launch(const void* kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                            Call* owned) {
  const std::shared_ptr<Call> call(owned);
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  const auto refuse_it = [&](cudaError_t status, const std::string& why) {
    return refuse(status, why + "; kernel " + function_of(kernel));
  };
  if (threads == 0 || threads > 1024 || block.z > 64)
    return refuse_it(cudaErrorInvalidConfiguration, "block of " + std::to_string(threads) + " threads");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535)
    return refuse_it(cudaErrorInvalidConfiguration, "grid of " + std::to_string(grid.x) + " x " +
                                                        std::to_string(grid.y) + " x " + std::to_string(grid.z) +
                                                        " blocks");
  if (shared > 0)
    return refuse_it(cudaErrorInvalidValue, "dynamic shared memory, which no kernel of ours uses yet, is not emulated");
  return submit(stream, [=] { return run_launch(kernel, grid, block, call.get()); });
}

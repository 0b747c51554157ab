#pragma once
#include <cstddef>
#include <span>

#include "kernels/adamw/adamw.h"
#include "kernels/gae/gae.h"
#include "kernels/ppo_loss/ppo_loss.h"
#include "kernels/token_rewards/token_rewards.h"

namespace srcode {

// Where a kernel runs: the threads of the CPU (null: the caller's own), or the stream of a GPU (null: the default
// stream).
struct Queue {
  ThreadPool* pool = nullptr;
  void* stream = nullptr;
};

// The RL kernels of one device and the memory that they read and write. Callers hold a table and name no device. Calls
// are in order on a queue; on a GPU they return before the work is done, except copy_out and adamw.
struct KernelTable {
  const char* device;
  void* (*allocate)(size_t bytes);  // ERR_OOM
  void (*release)(void* memory);
  void (*copy_in)(void* to, const void* host, size_t bytes, Queue queue);
  void (*copy_out)(void* host, const void* from, size_t bytes, Queue queue);  // returns when the host has it

  void (*token_rewards)(const TokenRewards& parts, float* rewards, Queue queue);
  void (*gae)(const Gae& args, Queue queue);
  void (*whiten)(float* advantages, int64_t n, const Moments* moments, Queue queue);
  void (*ppo_loss)(const PpoLoss& args, PpoStatistics* statistics, Queue queue);
  AdamwResult (*adamw)(std::span<const AdamwTensor> tensors, const AdamwConfig& config, Queue queue);
};

// The CPU's kernels define the result; the others are held to them within tolerances (selftest).
const KernelTable& cpu_kernels();

// ERR_CUDA when this build has no CUDA kernels or the machine no usable GPU; the message says which.
const KernelTable& cuda_kernels();

// GPUs that can be used; 0 without a driver or without CUDA in the build.
int cuda_devices();

}  // namespace srcode

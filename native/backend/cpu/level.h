#pragma once
#include "core/cpu.h"
#include "core/thread_pool.h"

namespace srcode {
struct TokenKernels;
}

namespace srcode::cpu {

struct GemmKernels;
struct RowKernels;
struct AttentionKernels;

// The kernels of one instruction set: tables of single-threaded functions, made in level_<isa>.cc.
struct Level {
  Isa isa;
  const GemmKernels* gemm;
  const RowKernels* rows;
  const AttentionKernels* attention;
  const TokenKernels* tokens;
};
const Level& level(Isa isa);

// What a CPU operation runs on: the kernels, and the threads that share the work.
struct Context {
  const Level& level;
  ThreadPool& pool;
};

}  // namespace srcode::cpu

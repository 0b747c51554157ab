#pragma once
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/microkernel.h"

namespace srcode::cpu {
namespace {

template <class V>
constexpr GemmKernels gemm_kernels = {multiply<V, float>, multiply<V, bf16>};

}  // namespace
}  // namespace srcode::cpu

#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace srcode::cpu {

// multiply() of microkernel.h for one element type.
template <class T>
using Multiply = void(int64_t rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, int64_t panel_width,
                      int columns, float* out, int64_t out_stride, bool accumulate);

// The matrix-product kernels of one instruction set.
struct GemmKernels {
  Multiply<float>* multiply_f32;
  Multiply<bf16>* multiply_bf16;
};

}  // namespace srcode::cpu

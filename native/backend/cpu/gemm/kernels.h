#pragma once
#include <cstdint>

#include "backend/cpu/gemm/panel.h"
#include "core/dtype.h"

namespace srcode::cpu {

// multiply() and multiply_ahead() of microkernel.h for one element type.
template <class T>
struct Multiply {
  void (*rows)(int64_t rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, int64_t panel_width,
               int columns, float* out, int64_t out_stride, bool accumulate);
  void (*ahead)(int rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, float* out, int64_t out_stride,
                bool accumulate, const void* ahead);
};

// What happens to finished sums on their way out: out = (acc + bias) scale, rounded once; or added to out (f32).
struct Finish {
  const float* bias;  // null: none
  float scale;
  bool accumulate;  // f32 only
};
template <class T>
using FinishRows = void(int rows, int columns, const float* acc, int64_t acc_stride, const Finish& how, T* out,
                        int64_t out_stride);

// The matrix-product kernels of one instruction set.
struct GemmKernels {
  Multiply<float> multiply_f32;
  Multiply<bf16> multiply_bf16;
  FinishRows<float>* finish_f32;
  FinishRows<bf16>* finish_bf16;
  void (*narrow)(int64_t n, const float* from, bf16* to);  // to nearest

  template <class T>
  const Multiply<T>& multiply() const {
    if constexpr (sizeof(T) == 2)
      return multiply_bf16;
    else
      return multiply_f32;
  }
};

}  // namespace srcode::cpu

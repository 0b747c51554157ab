#pragma once
#include <cstdint>

#include "backend/cpu/gemm/panel.h"
#include "core/dtype.h"

namespace srcode::cpu {

// multiply() of microkernel.h for one element type.
template <class T>
using Multiply = void(int64_t rows, int64_t depth, const T* x, int64_t x_stride, const T* panel, int64_t panel_width,
                      int columns, float* out, int64_t out_stride, bool accumulate);

// What happens to finished sums on their way out: out = (sum + bias) scale, rounded once; or added to out (f32).
struct Finish {
  const float* bias = nullptr;
  float scale = 1;
  bool accumulate = false;  // f32 only
  void* out = nullptr;
  int64_t out_stride = 0;
  Dtype out_type = Dtype::f32;

  // The same, `row` and `column` further on.
  Finish at(int64_t row, int64_t column) const {
    Finish moved = *this;
    if (bias != nullptr) moved.bias += column;
    moved.out = static_cast<char*>(out) + (row * out_stride + column) * static_cast<int64_t>(size_of(out_type));
    return moved;
  }
};

// Rows times one panel of a weight, and what is added to it.
template <class T>
struct PanelProduct {
  int64_t depth = 0;
  const T* x = nullptr;
  int64_t x_stride = 0;
  const T* panel = nullptr;
  // The LoRA term; rank 0: none.
  int64_t rank = 0;
  const T* xa = nullptr;
  int64_t xa_stride = 0;
  const T* b = nullptr;
  Finish finish;
  int columns = 0;
  // A depth that is cut: the sums [rows, 64] wait here between the cuts; all but the first continue, the last finishes.
  float* sums = nullptr;
  bool first = true, last = true;
  // Fetched into the caches on the way: what comes next.
  const void* next = nullptr;
  int64_t next_bytes = 0;
};

// The matrix-product kernels of one instruction set.
struct GemmKernels {
  Multiply<float>* multiply_f32;
  Multiply<bf16>* multiply_bf16;
  void (*product_f32)(int64_t rows, const PanelProduct<float>& product);
  void (*product_bf16)(int64_t rows, const PanelProduct<bf16>& product);
  void (*finish)(int rows, int columns, const float* sums, int64_t sums_stride, const Finish& how);
  void (*narrow)(int64_t n, const float* from, bf16* to);  // to nearest
  // Arithmetic in registers alone, to measure the processor by: operands 64 bytes, out 16 floats; returns operations
  // done.
  double (*arithmetic_f32)(int64_t repeats, const void* operands, float* out);
  double (*arithmetic_bf16)(int64_t repeats, const void* operands, float* out);

  template <class T>
  Multiply<T>* multiply() const {
    if constexpr (sizeof(T) == 2)
      return multiply_bf16;
    else
      return multiply_f32;
  }
  template <class T>
  auto product() const {
    if constexpr (sizeof(T) == 2)
      return product_bf16;
    else
      return product_f32;
  }
};

}  // namespace srcode::cpu

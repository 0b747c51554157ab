#pragma once
#include "backend/cpu/gemm/kernels.h"
#include "backend/cpu/gemm/microkernel.h"

namespace srcode::cpu {
namespace {

template <class V, class T>
void finish(int rows, int columns, const float* acc, int64_t acc_stride, const Finish& how, T* out,
            int64_t out_stride) {
  for (int i = 0; i < rows; i++, acc += acc_stride, out += out_stride)
    for (int j = 0; j < columns; j += V::width) {
      const int n = columns - j < V::width ? columns - j : V::width;
      auto y = V::load(acc + j);  // acc is a panel wide
      if (how.bias != nullptr) y = V::add(y, n == V::width ? V::load(how.bias + j) : V::load(how.bias + j, n));
      y = V::mul(y, V::set1(how.scale));
      if constexpr (sizeof(T) == 4)
        if (how.accumulate) y = V::add(n == V::width ? V::load(out + j) : V::load(out + j, n), y);
      if (n == V::width)
        V::store(out + j, y);
      else
        V::store(out + j, y, n);
    }
}

template <class V>
void narrow(int64_t n, const float* from, bf16* to) {
  int64_t i = 0;
  for (; i + V::width <= n; i += V::width) V::store(to + i, V::load(from + i));
  if (i < n) V::store(to + i, V::load(from + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

template <class V>
constexpr GemmKernels gemm_kernels = {
    .multiply_f32 = {multiply<V, float>, multiply_ahead<V, float>},
    .multiply_bf16 = {multiply<V, bf16>, multiply_ahead<V, bf16>},
    .finish_f32 = finish<V, float>,
    .finish_bf16 = finish<V, bf16>,
    .narrow = narrow<V>,
};

}  // namespace
}  // namespace srcode::cpu

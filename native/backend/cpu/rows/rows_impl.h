#pragma once
#include "backend/cpu/rows/log_softmax_impl.h"
#include "backend/cpu/rows/norm_impl.h"
#include "backend/cpu/rows/pointwise_impl.h"
#include "backend/cpu/rows/rows.h"

namespace srcode::cpu {

template <class V, class T>
constexpr RowKernels::Typed typed_row_kernels() {
  return {&add_rms_norm<V, T>,        &rms_norm_dx<V, T>, &rms_norm_dw<V, T>, &rope<V, T>,        &swiglu<V, T>,
          &swiglu_backward<V, T>,     &round<V, T>,       &widen<V, T>,       &sum_columns<V, T>, &row_dot<V, T>,
          &log_softmax_backward<V, T>};
}

template <class V>
constexpr RowKernels row_kernels = {
    {typed_row_kernels<V, float>(), typed_row_kernels<V, bf16>()}, &add_scaled<V>, &log_sum<V>, &temper<V>};

}  // namespace srcode::cpu

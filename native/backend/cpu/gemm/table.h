#pragma once
#include "backend/cpu/gemm/product_impl.h"

namespace srcode::cpu {
namespace {

template <class V>
constexpr GemmKernels gemm_kernels = {
    .multiply_f32 = multiply<V, float>,
    .multiply_bf16 = multiply<V, bf16>,
    .product_f32 = product_panel<V, float>,
    .product_bf16 = product_panel<V, bf16>,
    .finish = finish<V>,
    .narrow = narrow<V>,
    .arithmetic_f32 = arithmetic<V, float>,
    .arithmetic_bf16 = arithmetic<V, bf16>,
};

}  // namespace
}  // namespace srcode::cpu

#pragma once
#include "backend/cpu/attention/backward_impl.h"
#include "backend/cpu/attention/forward_impl.h"

namespace srcode::cpu {
namespace {

template <class V, class T>
constexpr AttentionKernels::Typed typed_attention_kernels = {&page_bytes<V, T>,       &write_page<V, T>,
                                                             &forward_scratch<V, T>,  &forward<V, T>,
                                                             &backward_scratch<V, T>, &backward<V, T>};

template <class V>
constexpr AttentionKernels attention_kernels = {{typed_attention_kernels<V, float>, typed_attention_kernels<V, bf16>}};

}  // namespace
}  // namespace srcode::cpu

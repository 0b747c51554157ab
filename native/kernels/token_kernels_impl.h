#pragma once
#include "kernels/gae/scan_impl.h"
#include "kernels/ppo_loss/chunk_impl.h"

namespace srcode {
namespace {

template <int W>
constexpr TokenKernels token_kernels_of{gae_scan<W>, ppo_chunk<W>, weight_chunk<W>};

}  // namespace
}  // namespace srcode

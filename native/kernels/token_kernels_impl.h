#pragma once
#include "kernels/gae/scan_impl.h"
#include "kernels/ppo_loss/chunk_impl.h"
#include "kernels/token_rewards/run_impl.h"

namespace srcode {
namespace {

template <int W>
constexpr TokenKernels token_kernels_of{gae_scan<W>, reward_run<W>, ppo_chunk<W>, weight_chunk<W>};

}  // namespace
}  // namespace srcode

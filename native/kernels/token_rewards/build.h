#pragma once
#include "kernels/token_rewards/token_rewards.h"

namespace srcode {

// Rewards of the tokens [first, first + count) of one sequence, counted from its start, into out[0, count). CPU only;
// what the token-reward kernel writes and the fused GAE scans, so that both see the same bytes.
void build_rewards(const TokenRewards& parts, int64_t sequence, int64_t first, int64_t count, float* out);

}  // namespace srcode

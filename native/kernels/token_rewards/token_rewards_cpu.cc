#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/token_kernels.h"
#include "kernels/token_rewards/build.h"

namespace srcode {

void build_rewards(const TokenRewards& parts, int64_t sequence, int64_t first, int64_t count, float* out) {
  std::fill_n(out, count, 0.0f);
  if (parts.span_offsets != nullptr) {
    const int32_t* end = parts.span_end + parts.span_offsets[sequence + 1];
    const int32_t* it = std::upper_bound(parts.span_end + parts.span_offsets[sequence], end, first);
    for (int64_t s = it - parts.span_end; it < end && parts.span_begin[s] < first + count; ++it, ++s) {
      const int64_t from = std::max<int64_t>(parts.span_begin[s] - first, 0);
      const int64_t to = std::min<int64_t>(parts.span_end[s] - first, count);
      std::fill(out + from, out + to, parts.span_reward[s]);
    }
  }
  const int64_t begin = parts.cu_seqlens[sequence], length = parts.cu_seqlens[sequence + 1] - begin;
  const double penalty = parts.penalty != nullptr ? parts.penalty[sequence] : 0.0;
  const float* kl = parts.kl != nullptr ? parts.kl + begin + first : nullptr;
  const double beta = parts.beta;
  const bool last = first + count == length && count > 0 && parts.terminal != nullptr;
  double final_reward = 0;
  if (last) final_reward = out[count - 1] - penalty - (kl ? beta * kl[count - 1] : 0.0) + parts.terminal[sequence];
  token_kernels().reward_run(out, penalty, beta, kl, count);
  if (last) out[count - 1] = static_cast<float>(final_reward);
}

void token_rewards(const TokenRewards& parts, float* rewards, ThreadPool* pool) {
  parallel(pool, parts.sequences, [&](int64_t b) {
    const int64_t begin = parts.cu_seqlens[b];
    build_rewards(parts, b, 0, parts.cu_seqlens[b + 1] - begin, rewards + begin);
  });
}

}  // namespace srcode

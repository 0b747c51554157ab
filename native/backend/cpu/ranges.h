#pragma once
#include <algorithm>

#include "backend/cpu/level.h"

namespace srcode::cpu {

// Calls f(begin, end) for even ranges of [0, count), each of at least `grain` (what is worth waking a thread for).
// There are a few ranges a thread, so that a thread that was held up holds nobody up.
template <class F>
void for_ranges(const Context& ctx, int64_t count, int64_t grain, const F& f) {
  const int64_t most = std::max<int64_t>(1, count / std::max<int64_t>(1, grain));
  const int64_t ranges = ctx.pool.threads() == 1 ? 1 : std::min<int64_t>(most, ctx.pool.threads() * 4);
  ctx.pool.run(ranges, [&](int64_t i, int) { f(count * i / ranges, count * (i + 1) / ranges); });
}

}  // namespace srcode::cpu

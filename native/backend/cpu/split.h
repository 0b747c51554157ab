#pragma once
#include <algorithm>
#include <cstdint>

#include "backend/cpu/level.h"

namespace srcode::cpu {

// Calls body(begin, end) for pieces that cover [0, n), on the pool's threads. `unit_bytes` is the memory that one unit
// moves: a piece is worth a thread from about 64 KiB. Pieces are multiples of `grain`. For bodies whose units do not
// depend on each other.
template <class Body>
void split(const Context& context, int64_t n, int64_t unit_bytes, const Body& body, int64_t grain = 1) {
  if (n <= 0) return;
  const int64_t threads = context.pool.threads();
  const int64_t most = std::max<int64_t>(1, n * unit_bytes / 65536);
  // Four pieces a thread: one that a busy core delays does not delay all.
  const int64_t pieces = threads == 1 ? 1 : std::min({most, 4 * threads, (n + grain - 1) / grain});
  if (pieces == 1) {
    body(int64_t{0}, n);
    return;
  }
  const int64_t units = (n + grain - 1) / grain;
  context.pool.run(pieces, [&](int64_t piece, int) {
    const int64_t begin = units * piece / pieces * grain;
    const int64_t end = std::min(n, units * (piece + 1) / pieces * grain);
    if (begin < end) body(begin, end);
  });
}

}  // namespace srcode::cpu

#pragma once
#include "core/cpu.h"
#include "core/thread_pool.h"

namespace srcode {

// Runs body(task) for each task in [0, tasks): on the pool, or in order on the caller's thread without one. Denormals
// count as zero on every thread that takes part, so that a result does not depend on which one that was.
template <class Body>
void parallel(ThreadPool* pool, int64_t tasks, const Body& body) {
  const FlushDenormals flush;
  if (pool != nullptr && tasks > 1) {
    pool->run(tasks, [&](int64_t task, int) { body(task); });
  } else {
    for (int64_t task = 0; task < tasks; ++task) body(task);
  }
}

}  // namespace srcode

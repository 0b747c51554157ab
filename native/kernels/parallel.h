#pragma once
#include "core/thread_pool.h"

namespace srcode {

// Runs body(task) for each task in [0, tasks): on the pool, or in order on the caller's thread without one.
template <class Body>
void parallel(ThreadPool* pool, int64_t tasks, const Body& body) {
  if (pool != nullptr && tasks > 1) {
    pool->run(tasks, [&](int64_t task, int) { body(task); });
  } else {
    for (int64_t task = 0; task < tasks; ++task) body(task);
  }
}

}  // namespace srcode

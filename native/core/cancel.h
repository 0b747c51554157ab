#pragma once
#include <atomic>

#include "core/error.h"

namespace srcode {

// A request to stop, set from another thread. Work looks at it between launches (a layer, a decode step), never inside
// one.
class Cancel {
 public:
  void request() { requested_.store(true, std::memory_order_relaxed); }
  void check() const {
    if (requested_.load(std::memory_order_relaxed)) fail("ABORT_ERR", "the operation was aborted");
  }

 private:
  std::atomic<bool> requested_{false};
};

}  // namespace srcode

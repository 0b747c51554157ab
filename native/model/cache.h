#pragma once
#include <memory>
#include <vector>

#include "backend/memory.h"
#include "model/config.h"

namespace srcode {

// Pages of the KV cache: 64 positions of all layers each. Pages are handed out from a free list and come back by
// themselves, so that prompts share theirs with every sample drawn from them.
class CachePool {
 public:
  CachePool(Backend& backend, const ModelConfig& config);

  class Page {
   public:
    void* layer(int64_t i) const { return static_cast<char*>(memory_.data()) + i * layer_bytes_; }

   private:
    friend class CachePool;
    Page(Backend& backend, int64_t layer_bytes, int64_t layers)
        : layer_bytes_(layer_bytes), memory_(backend, static_cast<size_t>(layer_bytes * layers)) {}
    int64_t layer_bytes_;
    DeviceMemory memory_;
  };
  using PageRef = std::shared_ptr<const Page>;

  PageRef fresh();  // all zero: keys past a sequence's end are read as zeros
  PageRef copy(const Page& page);

 private:
  struct Free;
  PageRef take(bool zero);

  Backend& backend_;
  int64_t layer_bytes_, layers_;
  std::shared_ptr<Free> free_;
};

}  // namespace srcode

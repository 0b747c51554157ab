#include "model/cache.h"

namespace srcode {

struct CachePool::Free {
  std::vector<std::unique_ptr<Page>> pages;
};

CachePool::CachePool(Backend& backend, const ModelConfig& config)
    : backend_(backend),
      layer_bytes_(static_cast<int64_t>(backend.cache_page_bytes(config.dtype, config.attention()))),
      layers_(config.layers),
      free_(std::make_shared<Free>()) {}

CachePool::PageRef CachePool::take(bool zero) {
  std::unique_ptr<Page> page;
  if (free_->pages.empty()) {
    page.reset(new Page(backend_, layer_bytes_, layers_));
  } else {
    page = std::move(free_->pages.back());
    free_->pages.pop_back();
    if (zero) backend_.fill_zero(page->memory_.data(), page->memory_.bytes());
  }
  return PageRef(page.release(),
                 [free = free_](const Page* done) { free->pages.emplace_back(const_cast<Page*>(done)); });
}

CachePool::PageRef CachePool::fresh() { return take(true); }

CachePool::PageRef CachePool::copy(const Page& page) {
  PageRef to = take(false);
  backend_.copy(to->memory_.data(), page.memory_.data(), page.memory_.bytes());
  return to;
}

}  // namespace srcode

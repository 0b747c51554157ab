#include "core/arena.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace srcode {

PageBuffer::PageBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) fail("ERR_OOM", "cannot allocate ", bytes >> 20, " MiB: ", std::strerror(errno));
  madvise(address, bytes, MADV_HUGEPAGE);  // a hint: kernels without huge pages refuse it
  data_ = static_cast<std::byte*>(address);
}

PageBuffer::~PageBuffer() {
  if (data_) munmap(data_, bytes_);
}

std::byte* Arena::take_bytes(const char* name, int64_t count, size_t element) {
  constexpr size_t alignment = 64;
  size_t bytes, end;
  if (count < 0 || __builtin_mul_overflow(static_cast<size_t>(count), element, &bytes) ||
      __builtin_add_overflow(used_, bytes, &end) || __builtin_add_overflow(end, alignment - 1, &end))
    fail("ERR_INVALID_ARG", "arena region ", name, " cannot have ", count, " elements of ", element, " bytes");
  end &= ~(alignment - 1);
  if (!measuring_ && end > memory_.size())
    fail("ERR_OOM", "arena region ", name, " ends at byte ", end, " of ", memory_.size(), " planned");
  std::byte* begin = measuring_ || !memory_.data() ? nullptr : memory_.data() + used_;
  if (measuring_) live_.push_back({name, used_, end});
  used_ = end;
  if (used_ > peak_) {
    peak_ = used_;
    at_peak_ = live_;
  }
  return begin;
}

void Arena::release(size_t mark) {
  used_ = mark;
  while (!live_.empty() && live_.back().end > mark) live_.pop_back();
}

std::vector<Arena::Region> Arena::plan() const {
  std::vector<Region> regions;
  for (const Taken& taken : at_peak_) {
    Region* same = nullptr;
    for (Region& region : regions)
      if (region.name == taken.name) same = &region;
    if (!same) same = &regions.emplace_back(Region{taken.name, 0});
    same->bytes += taken.end - taken.begin;
  }
  return regions;
}

}  // namespace srcode

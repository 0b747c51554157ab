#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace srcode {

// Zeroed, page-aligned memory that goes back to the system when the object dies. Huge pages are asked for.
class PageBuffer {
 public:
  PageBuffer() = default;
  explicit PageBuffer(size_t bytes);  // ERR_OOM
  PageBuffer(PageBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~PageBuffer();

  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

// A step's memory, planned once: the code that lays out the regions runs with a measuring arena, then with one that has
// as many bytes as the first found needed.
//
//   Arena measuring;  layout(measuring);
//   Arena arena(measuring.peak());  layout(arena);
//
// Regions are taken from the top of a stack and given back in the reverse order (Scratch), so that layers share what
// they only need in passing.
class Arena {
 public:
  struct Region {
    std::string name;
    size_t bytes;
  };

  Arena() : measuring_(true) {}
  explicit Arena(size_t bytes) : memory_(bytes) {}

  // `count` elements aligned to 64 bytes, with undefined content; nullptr from a measuring arena.
  // ERR_INVALID_ARG for an impossible count, ERR_OOM beyond the planned size; both name the region.
  template <class T>
  T* take(const char* name, int64_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64);
    return reinterpret_cast<T*>(take_bytes(name, count, sizeof(T)));
  }

  bool measuring() const { return measuring_; }
  size_t used() const { return used_; }
  size_t peak() const { return peak_; }  // the most that was in use at once, padding included

  // Gives back what was taken since used() was `mark`.
  void release(size_t mark);

  // What was in use at the peak, regions of one name added up; the bytes sum to peak(). For a measuring arena.
  std::vector<Region> plan() const;

 private:
  struct Taken {
    std::string name;
    size_t begin, end;
  };
  std::byte* take_bytes(const char* name, int64_t count, size_t element);

  bool measuring_ = false;
  PageBuffer memory_;
  size_t used_ = 0, peak_ = 0;
  std::vector<Taken> live_, at_peak_;  // kept while measuring
};

// Gives back at the end of its scope what was taken within it.
class Scratch {
 public:
  explicit Scratch(Arena& arena) : arena_(arena), mark_(arena.used()) {}
  ~Scratch() { arena_.release(mark_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  Arena& arena_;
  size_t mark_;
};

}  // namespace srcode

#pragma once
#include <utility>

#include "backend/backend.h"

namespace srcode {

// Owned device memory: zeroed when made, released with the object.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(Backend& backend, size_t bytes)
      : backend_(&backend), data_(bytes ? backend.allocate(bytes) : nullptr), bytes_(bytes) {}
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    DeviceMemory taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~DeviceMemory() {
    if (data_) backend_->release(data_);
  }

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  void swap(DeviceMemory& other) {
    std::swap(backend_, other.backend_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }
  Backend* backend_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

// A packed weight that owns its memory.
class OwnedWeight {
 public:
  OwnedWeight() = default;
  OwnedWeight(Backend& backend, Dtype type, int64_t depth, std::span<const int64_t> part_columns) {
    weight_.dtype = type;
    weight_.depth = depth;
    for (int64_t columns : part_columns) {
      weight_.parts.push_back({weight_.columns, columns});
      weight_.columns += columns;
    }
    memory_ = DeviceMemory(backend, backend.packed_bytes(type, depth, part_columns));
    weight_.data = memory_.data();
  }
  OwnedWeight(Backend& backend, Dtype type, int64_t depth, int64_t columns)
      : OwnedWeight(backend, type, depth, std::span<const int64_t>(&columns, 1)) {}

  PackedWeight& operator*() { return weight_; }
  const PackedWeight& operator*() const { return weight_; }
  const PackedWeight* operator->() const { return &weight_; }
  const PackedWeight* get() const { return memory_ ? &weight_ : nullptr; }
  size_t bytes() const { return memory_.bytes(); }
  explicit operator bool() const { return static_cast<bool>(memory_); }

 private:
  PackedWeight weight_;
  DeviceMemory memory_;
};

}  // namespace srcode

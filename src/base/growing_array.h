// An array of trivial things that grows, over base/alloc: push() answers false when memory is out. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/alloc.h"

namespace martlet::base {

template <typename T>
class GrowingArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  GrowingArray() noexcept = default;
  GrowingArray(const GrowingArray&) = delete;
  GrowingArray& operator=(const GrowingArray&) = delete;
  ~GrowingArray() { deallocate(items_); }

  // By value: it may lie in here.
  bool push(T item) noexcept {
    if (size_ == capacity_ && !grow()) return false;
    new (items_ + size_) T(item);
    size_++;
    return true;
  }
  // Whether the next push() finds room.
  bool make_room() noexcept { return size_ < capacity_ || grow(); }
  // Keeps the memory.
  void clear() noexcept { size_ = 0; }
  void truncate(uint32_t size) noexcept { size_ = size; }

  bool empty() const noexcept { return size_ == 0; }
  uint32_t size() const noexcept { return size_; }
  T* data() noexcept { return items_; }
  const T* data() const noexcept { return items_; }
  T& operator[](uint32_t i) noexcept { return items_[i]; }
  const T& operator[](uint32_t i) const noexcept { return items_[i]; }
  T& back() noexcept { return items_[size_ - 1]; }
  const T& back() const noexcept { return items_[size_ - 1]; }
  T* begin() noexcept { return items_; }
  T* end() noexcept { return items_ + size_; }
  const T* begin() const noexcept { return items_; }
  const T* end() const noexcept { return items_ + size_; }

 private:
  bool grow() noexcept {
    const uint32_t capacity = capacity_ ? capacity_ * 2 : 4;
    auto* items = static_cast<T*>(allocate(capacity * sizeof(T)));
    if (!items) return false;
    if (size_) std::memcpy(static_cast<void*>(items), items_, size_ * sizeof(T));
    deallocate(items_);
    items_ = items;
    capacity_ = capacity;
    return true;
  }

  T* items_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace martlet::base

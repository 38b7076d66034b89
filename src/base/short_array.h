// An array of trivial things whose greatest length is known when it is made: in place up to N, else from base/alloc, which
// may be out of memory. One thread.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>

#include "base/alloc.h"

namespace martlet::base {

template <typename T, size_t N>
class ShortArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit ShortArray(size_t most) noexcept
      : items_(most <= N ? in_place_ : static_cast<T*>(allocate(most * sizeof(T)))) {}
  ShortArray(const ShortArray&) = delete;
  ShortArray& operator=(const ShortArray&) = delete;
  ~ShortArray() {
    if (items_ != in_place_) deallocate(items_);
  }

  // False: memory was out, and nothing may be pushed.
  bool ok() const noexcept { return items_ != nullptr; }
  void push(const T& item) noexcept { new (items_ + size_++) T(item); }
  std::span<T> span() noexcept { return {items_, size_}; }
  // Room for as many as were said, for who writes them without push().
  T* data() noexcept { return items_; }

 private:
  T* items_;
  size_t size_ = 0;
  T in_place_[N];
};

}  // namespace martlet::base

// A bounded single-producer single-consumer ring: the way from one worker to another. Each side keeps a copy of the
// other's index on its own cache line and looks at the shared one only when the copy says full or empty.
//
// push() by one thread, pop() by one other. Neither blocks or allocates; full and empty are answers. push() writes and
// empty() reads sequentially consistently: they are one half each of the protocol that decides about waking (mailbox.h).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "base/alloc.h"
#include "base/check.h"

namespace martlet::base {

// What std::hardware_destructive_interference_size would be; clang 14 does not have it.
inline constexpr size_t kCacheLine = 64;

template <typename T>
class Ring {
 public:
  // `capacity` is a power of two. ok() is false when memory was out.
  explicit Ring(size_t capacity) noexcept
      : cells_(static_cast<T*>(allocate(capacity * sizeof(T)))), mask_(capacity - 1) {
    MARTLET_CHECK(std::has_single_bit(capacity));
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    T value;
    while (cells_ && pop(value)) {
    }
    deallocate(cells_);
  }

  bool ok() const noexcept { return cells_ != nullptr; }

  // False when full; `value` is then untouched.
  [[nodiscard]] bool push(T&& value) noexcept {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - seen_head_ > mask_) {
      seen_head_ = head_.load(std::memory_order_acquire);
      if (tail - seen_head_ > mask_) return false;
    }
    new (&cells_[tail & mask_]) T(std::move(value));
    tail_.store(tail + 1, std::memory_order_seq_cst);
    return true;
  }

  // False when empty.
  [[nodiscard]] bool pop(T& value) noexcept {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == seen_tail_) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head == seen_tail_) return false;
    }
    T& cell = cells_[head & mask_];
    value = std::move(cell);
    cell.~T();
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Exact on the consumer's thread when the producer rests; otherwise a moment's view.
  bool empty() const noexcept {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst);
  }

 private:
  T* cells_;
  size_t mask_;
  alignas(kCacheLine) std::atomic<size_t> head_{0};  // the consumer's
  size_t seen_tail_ = 0;
  alignas(kCacheLine) std::atomic<size_t> tail_{0};  // the producer's
  size_t seen_head_ = 0;
};

}  // namespace martlet::base

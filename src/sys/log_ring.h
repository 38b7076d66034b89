// A bounded ring of records of any size, from one thread to one other: what a thread leaves for a Log. A record lies in one piece; where the
// end of the ring is too near for it, a filler takes what is left. Neither side waits or allocates.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "base/alloc.h"
#include "base/ring.h"

namespace martlet::sys {

class LogRing {
 public:
  struct Head {
    uint32_t whole;   // with this, and to the next multiple of 8
    uint32_t size;
    void* formatter;  // null: a filler
    uint64_t time_ns;
  };

  // `bytes` is a power of two. ok() is false when memory was out.
  explicit LogRing(size_t bytes) noexcept : data_(static_cast<char*>(base::allocate(bytes))), mask_(bytes - 1) {}
  LogRing(const LogRing&) = delete;
  LogRing& operator=(const LogRing&) = delete;
  ~LogRing() { base::deallocate(data_); }
  bool ok() const noexcept { return data_ != nullptr; }
  size_t most() const noexcept { return (mask_ + 1) / 4; }

  // False: full, or too large. By its thread.
  bool push(void* formatter, uint64_t time_ns, std::initializer_list<std::string_view> pieces) noexcept {
    size_t size = 0;
    for (const std::string_view piece : pieces) size += piece.size();
    if (size > most()) return false;
    const size_t whole = (sizeof(Head) + size + 7) & ~size_t{7};
    size_t tail = tail_.load(std::memory_order_relaxed);
    const size_t to_end = mask_ + 1 - (tail & mask_);
    const size_t filler = to_end < whole ? to_end : 0;
    if (!has_room(tail, whole + filler)) return false;
    if (filler) {
      put(tail, {static_cast<uint32_t>(filler), 0, nullptr, 0}, filler);
      tail += filler;
    }
    put(tail, {static_cast<uint32_t>(whole), static_cast<uint32_t>(size), formatter, time_ns}, sizeof(Head));
    char* to = data_ + (tail & mask_) + sizeof(Head);
    for (const std::string_view piece : pieces) to += piece.copy(to, piece.size());
    tail_.store(tail + whole, std::memory_order_seq_cst);  // one half of the protocol about waking: see log_destination.cc
    return true;
  }

  // Calls fn(head, bytes) for all that is there, by the one who reads; no more than this many bytes.
  template <typename F>
  bool drain(size_t most_bytes, F fn) noexcept {
    size_t head = head_.load(std::memory_order_relaxed);
    const size_t begin = head;
    const size_t tail = tail_.load(std::memory_order_acquire);
    while (head != tail && head - begin < most_bytes) {
      Head h;
      const char* const at = data_ + (head & mask_);
      std::memcpy(&h, at, sizeof(uint32_t));
      if (mask_ + 1 - (head & mask_) >= sizeof(Head)) {
        std::memcpy(&h, at, sizeof h);
        if (h.formatter) fn(h, std::string_view(at + sizeof h, h.size));
      }
      head += h.whole;
    }
    head_.store(head, std::memory_order_release);
    return head != begin;
  }
  bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst); }

  std::atomic<uint64_t> dropped{0};
  std::atomic<bool> has_thread{true};  // false: its thread has ended, and another may have it
  std::atomic<uint32_t> owners{2};     // the Log and the thread

 private:
  bool has_room(size_t tail, size_t bytes) noexcept {
    if (mask_ + 1 - (tail - seen_head_) >= bytes) return true;
    seen_head_ = head_.load(std::memory_order_acquire);
    return mask_ + 1 - (tail - seen_head_) >= bytes;
  }
  // A filler may have no more room than its first 8 bytes.
  void put(size_t at, const Head& head, size_t room) noexcept {
    std::memcpy(data_ + (at & mask_), &head, room < sizeof head ? 8 : sizeof head);
  }

  char* data_;
  size_t mask_;
  alignas(base::kCacheLine) std::atomic<size_t> head_{0};
  alignas(base::kCacheLine) std::atomic<size_t> tail_{0};
  size_t seen_head_ = 0;
};

}  // namespace martlet::sys

// Bytes that end exactly at an unmapped page, or begin behind one: reading or writing one byte too far crashes at once.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"

namespace martlet::test {

class Guarded {
 public:
  explicit Guarded(base::ByteSpan bytes) : size_(bytes.size()) {
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (size_ + page_ - 1) / page_ * page_ + page_;
    memory_ = static_cast<uint8_t*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + mapped_ - page_, page_, PROT_NONE);
    if (size_) std::memcpy(data(), bytes.data(), size_);
  }
  explicit Guarded(std::string_view text) : Guarded(base::as_bytes(text)) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(memory_, mapped_); }

  uint8_t* data() const { return memory_ + mapped_ - page_ - size_; }
  size_t size() const { return size_; }
  base::ByteSpan span() const { return {data(), size_}; }

 private:
  uint8_t* memory_;
  size_t size_, page_, mapped_;
};

// The same for many bytes one after the other: memory between two unmapped pages, mapped once.
class GuardedRoom {
 public:
  enum class Side { end, begin };

  explicit GuardedRoom(size_t size) {
    page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (size + page_ - 1) / page_ * page_;
    memory_ = static_cast<uint8_t*>(
        mmap(nullptr, size_ + 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_, page_, PROT_NONE);
    mprotect(memory_ + page_ + size_, page_, PROT_NONE);
  }
  GuardedRoom(const GuardedRoom&) = delete;
  GuardedRoom& operator=(const GuardedRoom&) = delete;
  ~GuardedRoom() { munmap(memory_, size_ + 2 * page_); }

  size_t size() const { return size_; }
  // `size` bytes at one of the ends.
  uint8_t* place(size_t size, Side side) const { return memory_ + page_ + (side == Side::end ? size_ - size : 0); }

 private:
  uint8_t* memory_;
  size_t size_, page_;
};

}  // namespace martlet::test

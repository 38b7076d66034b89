// Bytes that end exactly at an unmapped page: reading or writing one byte too far crashes at once.
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

}  // namespace martlet::test

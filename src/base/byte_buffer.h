// A growing run of bytes over base/alloc, for what connections collect: response fields, decoded parameters, a body
// whose length is not known. Running out of memory makes it failed(): it then takes nothing more, and its owner looks
// once at the end instead of after every append. clear() keeps the memory, so that warm use allocates nothing.
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/alloc.h"
#include "base/bytes.h"

namespace martlet::base {

class ByteBuffer {
 public:
  ByteBuffer() noexcept = default;
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;
  ~ByteBuffer() { deallocate(data_); }

  uint8_t* data() noexcept { return data_; }
  const uint8_t* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool failed() const noexcept { return failed_; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

  void clear() noexcept {
    size_ = 0;
    failed_ = false;
  }
  // Gives memory above this back, so that one large use does not stay for ever.
  void shrink(size_t keep) noexcept {
    clear();
    if (capacity_ <= keep) return;
    deallocate(data_);
    data_ = nullptr;
    capacity_ = 0;
  }
  void truncate(size_t size) noexcept { size_ = size; }

  // Room for `more` bytes at the end, or null. The size grows by commit().
  uint8_t* reserve(size_t more) noexcept {
    if (failed_) return nullptr;
    if (capacity_ - size_ < more && !grow(more)) return nullptr;
    return data_ + size_;
  }
  void commit(size_t bytes) noexcept { size_ += bytes; }

  bool append(const void* bytes, size_t count) noexcept {
    if (count == 0) return !failed_;
    uint8_t* to = reserve(count);
    if (!to) return false;
    std::memcpy(to, bytes, count);
    size_ += count;
    return true;
  }
  bool append(std::string_view text) noexcept { return append(text.data(), text.size()); }
  bool append(ByteSpan bytes) noexcept { return append(bytes.data(), bytes.size()); }

 private:
  bool grow(size_t more) noexcept {
    if (more > SIZE_MAX / 4 || size_ > SIZE_MAX / 4) return failed_ = true, false;
    size_t capacity = capacity_ ? capacity_ * 2 : 256;
    while (capacity - size_ < more) capacity *= 2;
    auto* data = static_cast<uint8_t*>(allocate(capacity));
    if (!data) return failed_ = true, false;
    if (size_) std::memcpy(data, data_, size_);
    deallocate(data_);
    data_ = data;
    capacity_ = capacity;
    return true;
  }

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  bool failed_ = false;
};

}  // namespace martlet::base

// A copy of a text that goes on a journey: to another thread with a command, or for the life of a connection. Its memory
// comes from base/alloc; ok() is false when there was none. Move-only; belongs to one thread at a time.
#pragma once

#include <cstring>
#include <string_view>
#include <utility>

#include "base/alloc.h"

namespace martlet::base {

class KeptText {
 public:
  KeptText() noexcept = default;
  explicit KeptText(std::string_view text) noexcept : KeptText(text, {}, {}) {}
  // Three texts, one behind the other.
  KeptText(std::string_view a, std::string_view b, std::string_view c) noexcept
      : size_(a.size() + b.size() + c.size()), data_(static_cast<char*>(allocate(size_ ? size_ : 1))) {
    if (!data_) return;
    char* to = data_;
    for (const std::string_view part : {a, b, c}) {
      if (!part.empty()) std::memcpy(to, part.data(), part.size());
      to += part.size();
    }
  }
  KeptText(KeptText&& other) noexcept : size_(other.size_), data_(std::exchange(other.data_, nullptr)) {}
  KeptText& operator=(KeptText&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~KeptText() { deallocate(data_); }

  bool ok() const noexcept { return data_ != nullptr; }
  std::string_view text() const noexcept { return data_ ? std::string_view(data_, size_) : std::string_view(); }

 private:
  size_t size_ = 0;
  char* data_ = nullptr;
};

}  // namespace martlet::base

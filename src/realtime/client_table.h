// A table of records by a text that peers choose (the identity of a client), in memory that may be out. The records are
// the caller's, and have members `chain` (T*), `hash` and `key()`. Not safe for threads by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/alloc.h"
#include "base/hash.h"
#include "sys/process.h"

namespace martlet::realtime {

template <typename T>
class ClientTable {
 public:
  ClientTable() noexcept { sys::random_bytes(&secret_, sizeof secret_); }
  ClientTable(const ClientTable&) = delete;
  ClientTable& operator=(const ClientTable&) = delete;
  ~ClientTable() { base::deallocate(buckets_); }

  size_t size() const noexcept { return size_; }

  T* find(std::string_view key) const noexcept {
    if (!buckets_) return nullptr;
    const uint64_t hash = base::keyed_hash(key, secret_);
    for (T* record = buckets_[hash & (width_ - 1)]; record; record = record->chain) {
      if (record->hash == hash && record->key() == key) return record;
    }
    return nullptr;
  }

  // One whose key is not there yet. False when memory is out.
  bool insert(T& record) noexcept {
    // Chains get longer where there is no memory for more of them.
    if (size_ >= width_ && !grow() && !buckets_) return false;
    record.hash = base::keyed_hash(record.key(), secret_);
    put(record);
    size_++;
    return true;
  }

  void erase(T& record) noexcept {
    T** link = &buckets_[record.hash & (width_ - 1)];
    while (*link != &record) link = &(*link)->chain;
    *link = record.chain;
    size_--;
  }

 private:
  void put(T& record) noexcept {
    T*& first = buckets_[record.hash & (width_ - 1)];
    record.chain = first;
    first = &record;
  }

  bool grow() noexcept {
    const size_t width = width_ ? width_ * 2 : 64;
    auto** buckets = static_cast<T**>(base::allocate(width * sizeof(T*)));
    if (!buckets) return false;
    std::memset(static_cast<void*>(buckets), 0, width * sizeof(T*));
    T** old = buckets_;
    const size_t old_width = width_;
    buckets_ = buckets;
    width_ = width;
    for (size_t i = 0; i < old_width; i++) {
      for (T* record = old[i]; record;) {
        T* next = record->chain;
        put(*record);
        record = next;
      }
    }
    base::deallocate(old);
    return true;
  }

  T** buckets_ = nullptr;
  size_t width_ = 0;  // a power of two
  size_t size_ = 0;
  uint64_t secret_ = 0;
};

}  // namespace martlet::realtime

// Things found by a hash of theirs: a table of pointers with open addressing, for owners that keep the things elsewhere. T has a
// member `uint64_t hash`, which does not change while it is in here. Erasing shifts the followers back, so there are no
// tombstones. Memory from base/alloc; what cannot grow says so. One thread.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/alloc.h"

namespace martlet::base {

template <typename T>
class HashIndex {
 public:
  HashIndex() noexcept = default;
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;
  ~HashIndex() { deallocate(table_); }

  uint32_t size() const noexcept { return used_; }

  // The one with this hash that `is` says yes to; null when there is none.
  template <typename Is>
  T* find(uint64_t hash, Is&& is) const noexcept {
    if (used_ == 0) return nullptr;
    for (uint64_t at = hash; T* thing = table_[at & mask_]; at++) {
      if (thing->hash == hash && is(*thing)) return thing;
    }
    return nullptr;
  }
  // Room for one more; false when memory is out.
  bool reserve() noexcept {
    if (table_ && (used_ + 1) * 2 <= mask_ + 1) return true;
    const uint64_t size = table_ ? (mask_ + 1) * 2 : 16;
    auto** table = static_cast<T**>(allocate(size * sizeof(T*)));
    if (!table) return false;
    std::memset(static_cast<void*>(table), 0, size * sizeof(T*));
    T** const old = table_;
    const uint64_t old_size = old ? mask_ + 1 : 0;
    table_ = table;
    mask_ = size - 1;
    for (uint64_t i = 0; i < old_size; i++) {
      if (old[i]) put(*old[i]);
    }
    deallocate(old);
    return true;
  }
  // After reserve().
  void insert(T& thing) noexcept {
    put(thing);
    used_++;
  }
  void erase(const T& thing) noexcept {
    uint64_t hole = thing.hash & mask_;
    while (table_[hole] != &thing) hole = (hole + 1) & mask_;
    for (uint64_t at = (hole + 1) & mask_; table_[at]; at = (at + 1) & mask_) {
      const uint64_t wanted = table_[at]->hash & mask_;
      if (((at - wanted) & mask_) < ((at - hole) & mask_)) continue;  // it stands between its place and the hole
      table_[hole] = table_[at];
      hole = at;
    }
    table_[hole] = nullptr;
    used_--;
  }
  // fn(thing) for each; it may destroy the thing, but look for nothing in here. The table is given back: what comes next may be few.
  template <typename F>
  void take_all(F&& fn) noexcept {
    T** const table = table_;
    const uint64_t size = table ? mask_ + 1 : 0;
    table_ = nullptr;
    mask_ = 0;
    used_ = 0;
    for (uint64_t i = 0; i < size; i++) {
      if (table[i]) fn(*table[i]);
    }
    deallocate(table);
  }

 private:
  void put(T& thing) noexcept {
    uint64_t at = thing.hash & mask_;
    while (table_[at]) at = (at + 1) & mask_;
    table_[at] = &thing;
  }

  T** table_ = nullptr;
  uint64_t mask_ = 0;
  uint32_t used_ = 0;
};

}  // namespace martlet::base

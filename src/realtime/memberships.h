// A connection's stay in a room, and a table of those that a walk over the connection's list would take too long to find: by
// {connection, room}. Open addressing, at most two thirds full; erasing shifts the followers back. With its place in here a
// membership takes at most 64 bytes. Memory comes from base/alloc. The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/alloc.h"
#include "base/hash.h"

namespace martlet::session {

struct Membership {
  Membership* next_of_socket = nullptr;
  Membership* previous_of_socket = nullptr;
  Membership* room_previous = nullptr;
  Membership* room_next = nullptr;
  uint32_t room_slot : 31 = 0;
  uint32_t in_table : 1 = 0;
  uint32_t connection_slot = 0;
};
static_assert(sizeof(Membership) == 4 * sizeof(void*) + 8);

}  // namespace martlet::session

namespace martlet::realtime {

using session::Membership;

class Memberships {
 public:
  Memberships() noexcept = default;
  Memberships(const Memberships&) = delete;
  Memberships& operator=(const Memberships&) = delete;
  ~Memberships() { base::deallocate(table_); }

  Membership* find(uint32_t connection_slot, uint32_t room_slot) const noexcept {
    for (uint32_t at = place_of(connection_slot, room_slot); table_[at]; at = after(at)) {
      Membership* m = table_[at];
      if (m->connection_slot == connection_slot && m->room_slot == room_slot) return m;
    }
    return nullptr;
  }
  // For so many more. False when memory is out.
  bool make_room(uint32_t more) noexcept {
    while ((count_ + more) * 3 > uint64_t{size_} * 2) {
      if (!grow()) return false;
    }
    return true;
  }
  // One that is not in here, when there is room for it.
  void insert(Membership& m) noexcept {
    m.in_table = 1;
    put(&m);
    count_++;
  }
  // One that is.
  void erase(const Membership& m) noexcept {
    uint32_t hole = place_of(m);
    while (table_[hole] != &m) hole = after(hole);
    for (uint32_t at = after(hole); table_[at]; at = after(at)) {
      const uint32_t mask = size_ - 1;
      if (((at - place_of(*table_[at])) & mask) < ((at - hole) & mask)) continue;  // it stands between its place and the hole
      table_[hole] = table_[at];
      hole = at;
    }
    table_[hole] = nullptr;
    count_--;
  }
  uint64_t size() const noexcept { return count_; }
  uint32_t places() const noexcept { return size_; }

 private:
  static constexpr uint32_t kFirst = 64;
  uint32_t place_of(uint32_t connection_slot, uint32_t room_slot) const noexcept {
    return static_cast<uint32_t>(base::mix64(uint64_t{connection_slot} << 32 | room_slot) & (size_ - 1));
  }
  uint32_t place_of(const Membership& m) const noexcept { return place_of(m.connection_slot, m.room_slot); }
  uint32_t after(uint32_t at) const noexcept { return (at + 1) & (size_ - 1); }
  void put(Membership* m) noexcept {
    uint32_t at = place_of(*m);
    while (table_[at]) at = after(at);
    table_[at] = m;
  }
  bool grow() noexcept {
    const uint32_t size = size_ ? size_ * 2 : kFirst;
    auto** table = static_cast<Membership**>(base::allocate(size * sizeof(Membership*)));
    if (!table) return false;
    std::memset(static_cast<void*>(table), 0, size * sizeof(Membership*));
    Membership** old = table_;
    const uint32_t old_size = size_;
    table_ = table;
    size_ = size;
    for (uint32_t i = 0; i < old_size; i++) {
      if (old[i]) put(old[i]);
    }
    base::deallocate(old);
    return true;
  }

  Membership** table_ = nullptr;
  uint32_t size_ = 0;
  uint64_t count_ = 0;
};

}  // namespace martlet::realtime

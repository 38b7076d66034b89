// See rooms.h. Names are looked up in an open-addressing table of slots; erasing shifts the followers back, so there
// are no tombstones.
#include "realtime/rooms.h"

#include <cstring>

#include "base/hash.h"
#include "session/ws_session.h"
#include "sys/process.h"

namespace martlet::realtime {

Rooms::~Rooms() {
  for (uint32_t slot = 0; slot < records_.extent(); slot++) {
    if (RoomRecord* room = records_.at(slot)) room->name_block->release();
  }
  base::deallocate(table_);
}

Rooms::Rooms() noexcept { sys::random_bytes(&key_, sizeof key_); }

uint64_t Rooms::hash_of(std::string_view name) const noexcept { return base::keyed_hash(name, key_); }

RoomRecord* Rooms::find(std::string_view name) noexcept {
  if (table_size_ == 0) return nullptr;
  const uint64_t hash = hash_of(name);
  for (uint64_t at = hash; table_[at & (table_size_ - 1)] != 0; at++) {
    RoomRecord* room = records_.live(table_[at & (table_size_ - 1)] - 1);
    if (room->hash == hash && room->name() == name) return room;
  }
  return nullptr;
}

RoomRecord* Rooms::find(const worker::DirectoryEntry& shared) noexcept {
  if (table_size_ == 0) return nullptr;
  for (uint64_t at = shared.key[0].load(std::memory_order_relaxed); table_[at & (table_size_ - 1)] != 0; at++) {
    RoomRecord* room = records_.live(table_[at & (table_size_ - 1)] - 1);
    if (room->shared == &shared) return room;
  }
  return nullptr;
}

bool Rooms::grow_table() noexcept {
  if ((records_.size() + 1) * 2 <= table_size_) return true;
  const uint32_t size = table_size_ ? table_size_ * 2 : 64;
  auto* table = static_cast<uint32_t*>(base::allocate(size * sizeof(uint32_t)));
  if (!table) return false;
  std::memset(table, 0, size * sizeof(uint32_t));
  uint32_t* old = table_;
  const uint32_t old_size = table_size_;
  table_ = table;
  table_size_ = size;
  for (uint32_t i = 0; i < old_size; i++) {
    if (old[i]) insert(*records_.live(old[i] - 1));
  }
  base::deallocate(old);
  return true;
}

void Rooms::insert(RoomRecord& room) noexcept {
  uint64_t at = room.hash;
  while (table_[at & (table_size_ - 1)] != 0) at++;
  table_[at & (table_size_ - 1)] = room.slot + 1;
}

void Rooms::erase(const RoomRecord& room) noexcept {
  const uint64_t mask = table_size_ - 1;
  uint64_t hole = room.hash & mask;
  while (table_[hole] != room.slot + 1) hole = (hole + 1) & mask;
  for (uint64_t at = (hole + 1) & mask; table_[at] != 0; at = (at + 1) & mask) {
    const uint64_t wanted = records_.live(table_[at] - 1)->hash & mask;
    if (((at - wanted) & mask) < ((at - hole) & mask)) continue;  // it stands between its place and the hole
    table_[hole] = table_[at];
    hole = at;
  }
  table_[hole] = 0;
}

RoomRecord* Rooms::make(base::BlockPool& pool, std::string_view name, uint64_t hash) noexcept {
  if (!grow_table()) return nullptr;
  RoomRecord* room = records_.create();
  if (!room) return nullptr;
  room->name_block = pool.acquire(name.size());
  if (!room->name_block) {
    records_.destroy(room);
    return nullptr;
  }
  if (!name.empty()) std::memcpy(room->name_block->data(), name.data(), name.size());
  room->name_bytes = static_cast<uint32_t>(name.size());
  room->hash = hash;
  room->log.room = room;
  insert(*room);
  return room;
}

RoomRecord* Rooms::join(base::BlockPool& pool, session::WsState& ws, uint32_t connection_slot,
                        std::string_view name) noexcept {
  RoomRecord* room = find(name);
  if (room && is_member(ws, *room)) return room;
  Membership* m = memberships_.take();
  if (!m) return nullptr;
  if (!room) room = make(pool, name, hash_of(name));
  if (!room) {
    memberships_.give_back(m);
    return nullptr;
  }
  m->room_slot = room->slot;
  m->connection_slot = connection_slot;
  m->next_of_socket = ws.rooms;
  ws.rooms = m;
  m->room_next = room->first;
  if (room->first) room->first->room_previous = m;
  room->first = m;
  room->members++;
  return room;
}

bool Rooms::is_member(const session::WsState& ws, const RoomRecord& room) const noexcept {
  for (const Membership* m = ws.rooms; m; m = m->next_of_socket) {
    if (m->room_slot == room.slot) return true;
  }
  return false;
}

void Rooms::unlink(Membership* m, RoomRecord& room) noexcept {
  (m->room_previous ? m->room_previous->room_next : room.first) = m->room_next;
  if (m->room_next) m->room_next->room_previous = m->room_previous;
  memberships_.give_back(m);
  if (--room.members > 0) return;
  erase(room);
  room.name_block->release();
  records_.destroy(&room);
}

void Rooms::leave(session::WsState& ws, RoomRecord& room) noexcept {
  for (Membership** link = &ws.rooms; *link; link = &(*link)->next_of_socket) {
    Membership* m = *link;
    if (m->room_slot != room.slot) continue;
    *link = m->next_of_socket;
    return unlink(m, room);
  }
}

}  // namespace martlet::realtime

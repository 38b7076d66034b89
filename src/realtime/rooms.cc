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

Rooms::Sought Rooms::look(std::string_view name) noexcept {
  const uint64_t hash = hash_of(name);
  if (table_size_ == 0) return {nullptr, name, hash};
  for (uint64_t at = hash; table_[at & (table_size_ - 1)] != 0; at++) {
    RoomRecord* room = records_.live(table_[at & (table_size_ - 1)] - 1);
    if (room->hash == hash && room->name() == name) return {room, name, hash};
  }
  return {nullptr, name, hash};
}

RoomRecord* Rooms::find(std::string_view name) noexcept { return table_size_ ? look(name).room : nullptr; }

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
  room->name_bytes = static_cast<uint32_t>(name.size()) & 0x7fff'ffff;
  room->hash = hash;
  room->log.room = room;
  insert(*room);
  return room;
}

// Whether one more makes them too many for a walk.
bool Rooms::has_few(const session::WsState& ws) noexcept {
  uint32_t few = 0;
  for (const Membership* m = ws.rooms; m && few < kFew; m = m->next_of_socket) few++;
  return few < kFew;
}

// All of a connection's are in the table, or none is.
bool Rooms::link_to_socket(session::WsState& ws, Membership* m) noexcept {
  if (is_in_many(ws) || !has_few(ws)) {
    if (!many_.make_room(kFew + 1)) return false;
    for (Membership* at = ws.rooms; at && !at->in_table; at = at->next_of_socket) many_.insert(*at);
    many_.insert(*m);
  }
  m->next_of_socket = ws.rooms;
  if (ws.rooms) ws.rooms->previous_of_socket = m;
  ws.rooms = m;
  return true;
}

RoomRecord* Rooms::enter(base::BlockPool& pool, session::WsState& ws, uint32_t connection_slot, const Sought& sought) noexcept {
  Membership* m = memberships_.take();
  if (!m) return nullptr;
  RoomRecord* room = sought.room ? sought.room : make(pool, sought.name, sought.hash);
  if (room) {
    m->room_slot = room->slot & 0x7fff'ffff;
    m->connection_slot = connection_slot;
    if (link_to_socket(ws, m)) {
      m->room_next = room->first;
      if (room->first) room->first->room_previous = m;
      room->first = m;
      room->members++;
      return room;
    }
    if (!sought.room) end(*room);
  }
  memberships_.give_back(m);
  return nullptr;
}

RoomRecord* Rooms::join(base::BlockPool& pool, session::WsState& ws, uint32_t connection_slot, std::string_view name) noexcept {
  const Sought sought = look(name);
  if (sought.room && is_member(ws, *sought.room)) return sought.room;
  return enter(pool, ws, connection_slot, sought);
}

Membership* Rooms::find(const session::WsState& ws, const RoomRecord& room) const noexcept {
  if (is_in_many(ws)) return many_.find(ws.rooms->connection_slot, room.slot);
  Membership* m = ws.rooms;
  while (m && m->room_slot != room.slot) m = m->next_of_socket;
  return m;
}

void Rooms::end(RoomRecord& room) noexcept {
  erase(room);
  room.name_block->release();
  records_.destroy(&room);
}

void Rooms::let_go(RoomRecord& room) noexcept {
  room.held = 0;
  if (room.members == 0) end(room);
}

void Rooms::unlink(session::WsState& ws, Membership* m) noexcept {
  (m->previous_of_socket ? m->previous_of_socket->next_of_socket : ws.rooms) = m->next_of_socket;
  if (m->next_of_socket) m->next_of_socket->previous_of_socket = m->previous_of_socket;
  if (m->in_table) many_.erase(*m);
}

void Rooms::leave(session::WsState& ws, RoomRecord& room) noexcept {
  if (Membership* m = find(ws, room)) leave(ws, room, *m);
}

void Rooms::leave(session::WsState& ws, RoomRecord& room, Membership& m) noexcept {
  unlink(ws, &m);
  (m.room_previous ? m.room_previous->room_next : room.first) = m.room_next;
  if (m.room_next) m.room_next->room_previous = m.room_previous;
  memberships_.give_back(&m);
  if (--room.members == 0 && !room.held) end(room);
}

}  // namespace martlet::realtime

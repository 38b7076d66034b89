// Rooms of one worker: names to rooms, rooms to members, members to rooms. A room lives from its first member to its
// last, and beyond while it is held. Membership is one small node, linked into the room's list and into the connection's.
// A connection's few are found by a walk; many by a table (memberships.h), so that coming, going and asking cost the same
// whether a connection is in ten rooms or in a hundred thousand.
// Memory comes from base/alloc; what fails refuses one join. The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "worker/directory.h"
#include "realtime/memberships.h"
#include "realtime/publish.h"
#include "base/block.h"
#include "base/node_pool.h"
#include "base/slot_table.h"
#include "net/connection.h"
#include "session/ws_session.h"

namespace martlet::realtime {

struct MemoryRoom;

struct RoomRecord {
  uint32_t generation;
  uint32_t slot;
  base::Block* name_block = nullptr;
  uint32_t name_bytes : 31 = 0;
  uint32_t held : 1 = 0;  // it stays without members
  uint32_t members = 0;
  uint64_t hash = 0;
  Membership* first = nullptr;
  worker::DirectoryEntry* shared = nullptr;  // of a worker of a group: what all workers know of it
  MemoryRoom* memory = nullptr;              // of a room that has one
  AudienceLog log;

  std::string_view name() const noexcept {
    return {reinterpret_cast<const char*>(name_block->data()), name_bytes};
  }
};

class Rooms {
 public:
  Rooms() noexcept;
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;
  ~Rooms();

  // Before the first join: hash as the directory of the group does.
  void use_key(uint64_t key) noexcept { key_ = key; }

  RoomRecord* find(std::string_view name) noexcept;
  RoomRecord* find(const worker::DirectoryEntry& shared) noexcept;
  RoomRecord* find(base::SlotId id) noexcept { return records_.find(id); }
  // Of a membership: the room is there.
  RoomRecord* find_live(uint32_t slot) const noexcept { return records_.live(slot); }
  uint32_t size() const noexcept { return records_.size(); }

  template <typename F>
  void for_each(F&& fn) const {
    for (uint32_t slot = 0; slot < records_.extent(); slot++) {
      if (const RoomRecord* room = records_.at(slot)) fn(room->name(), room->members);
    }
  }

  template <typename F>
  void for_each_record(F&& fn) {
    for (uint32_t slot = 0; slot < records_.extent(); slot++) {
      if (RoomRecord* room = records_.at(slot)) fn(*room);
    }
  }

  // A room that is looked for, there or not, for enter().
  struct Sought {
    RoomRecord* room;
    std::string_view name;
    uint64_t hash;
  };
  Sought look(std::string_view name) noexcept;
  // Enters (and makes) a room that it is not in. Null when memory is out.
  RoomRecord* enter(base::BlockPool& pool, session::WsState& ws, uint32_t connection_slot, const Sought& sought) noexcept;
  // The same by name. Entering again changes nothing.
  RoomRecord* join(base::BlockPool& pool, session::WsState& ws, uint32_t connection_slot, std::string_view name) noexcept;
  // Leaves it; the room goes with its last member, unless it is held.
  void leave(session::WsState& ws, RoomRecord& room) noexcept;
  // The same of a membership that has been found.
  void leave(session::WsState& ws, RoomRecord& room, Membership& m) noexcept;
  // Null when it is not a member.
  Membership* find(const session::WsState& ws, const RoomRecord& room) const noexcept;
  bool is_member(const session::WsState& ws, const RoomRecord& room) const noexcept { return find(ws, room) != nullptr; }
  // More than a walk is for.
  static bool is_in_many(const session::WsState& ws) noexcept { return ws.rooms && ws.rooms->in_table; }
  // A room that is held no more goes when it is empty.
  void let_go(RoomRecord& room) noexcept;

 private:
  static constexpr uint32_t kFew = 16;
  uint64_t hash_of(std::string_view name) const noexcept;
  static bool has_few(const session::WsState& ws) noexcept;
  bool link_to_socket(session::WsState& ws, Membership* m) noexcept;
  void end(RoomRecord& room) noexcept;
  RoomRecord* make(base::BlockPool& pool, std::string_view name, uint64_t hash) noexcept;
  void unlink(session::WsState& ws, Membership* m) noexcept;
  bool grow_table() noexcept;
  void insert(RoomRecord& room) noexcept;
  void erase(const RoomRecord& room) noexcept;

  base::SlotTable<RoomRecord> records_;
  base::NodePool<Membership> memberships_;
  Memberships many_;  // those of connections that have more than a few
  uint32_t* table_ = nullptr;  // slots + 1, open addressing; 0 is free
  uint32_t table_size_ = 0;
  uint64_t key_ = 0;  // of the hash: names come from peers
};

}  // namespace martlet::realtime

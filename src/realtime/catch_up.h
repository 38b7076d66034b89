// What a member of a room with memory is still to be told, and its writing, piece by piece as its connection takes it: the keys in
// pages, if it knows none of them; the messages that it missed; then what has changed since, of each key the newest only; until it
// is where its worker is. What cannot be told any more is said (room:gap), behind the pages, with the place from which on it is told
// all again: whoever has read that has read all before it, and may come back with it.
//
//   {"event":"room:state","args":[{"ACME":1,…},{"page":0,"more":false}],"room":"prices","offset":7}     page 0 begins anew
//   the offset of a page with more behind it: it has the keys that were changed last behind that of the page before, up to this one
//   {"event":"room:joined","args":[{"recovered":true}],"room":"prices","offset":7,"epoch":"…"}
//   {"event":"room:gap","args":[{"reason":"epoch"}],"room":"prices","offset":7,"epoch":"…"}
//
// All of it under the room's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "realtime/room_memory.h"

namespace martlet::realtime {

enum class GapReason : uint8_t { none, epoch, future, trimmed, behind };

struct CatchUpWish {
  std::optional<uint64_t> since = {};
  uint64_t epoch = 0;    // of that
  uint32_t last = 0;     // messages, for one who has none, or whose are gone
  bool positions = false;  // it is told where it is
};

class CatchUp {
 public:
  // Of a connection that joins, up to what its worker has read.
  CatchUp(const RoomMemory& room, uint64_t until, const CatchUpWish& wish) noexcept;
  // Of a member that has been given all up to here.
  explicit CatchUp(uint64_t position) noexcept : position_(position), messages_at_(position), until_(position) {}

  // What it was given last may not have come: it is told of a gap, and all from there on.
  void lose() noexcept { lost_ = true; }
  bool is_lost() const noexcept { return lost_; }
  // The offset behind which messages are still wanted.
  uint64_t needs() const noexcept { return messages_at_ < position_ ? messages_at_ : position_; }

  // Where a large frame lies that others are sent as well. Holds its block.
  struct Shared {
    base::Block* block = nullptr;
    uint8_t* data = nullptr;
    size_t size = 0;
  };
  struct Written {
    size_t bytes = 0;
    uint32_t frames = 0;
    bool done = false;     // it has all up to `until`
    size_t wanted = 0;     // room that the next frame needs, where not even that one had its place
    Shared shared = {};    // one frame, in place of bytes
  };
  // Writes frames of what is not behind `until`, which its worker has read; or says where the next one lies.
  Written write(RoomMemory& room, uint64_t until, const WebSocket& member, uint8_t* to, size_t size) noexcept;

 private:
  enum class Phase : uint8_t { state, messages, changes };
  struct Out;
  static constexpr size_t kSharedBytes = size_t{16} << 10;  // messages of that are

  void start_over(const RoomMemory& room, uint64_t until) noexcept;
  bool step(RoomMemory& room, uint64_t until, const WebSocket& member, Out& out) noexcept;
  bool step_state(RoomMemory& room, Out& out) noexcept;
  bool write_page(RoomMemory& room, Out& out) noexcept;
  bool share_page(RoomMemory& room, Out& out) noexcept;
  void end_kind() noexcept;
  bool step_messages(RoomMemory& room, uint64_t until, const WebSocket& member, Out& out) noexcept;
  bool step_changes(RoomMemory& room, uint64_t until, const WebSocket& member, Out& out) noexcept;
  bool write_message(const MemoryRecord& record, const WebSocket& member, Out& out) noexcept;
  bool lose_messages(const RoomMemory& room, uint64_t until) noexcept;
  bool say_position(RoomMemory& room, uint64_t offset, Out& out) noexcept;

  uint64_t position_ = 0;     // all changes of keys up to here are told
  uint64_t messages_at_ = 0;  // all messages up to here are
  uint64_t until_ = 0;        // where the pages end
  uint64_t page_at_ = 0;  // all keys of that kind up to here are told
  uint32_t page_ = 0;
  Phase phase_ = Phase::changes;
  KeyKind kind_ = KeyKind::state;
  GapReason gap_ = GapReason::none;  // to be said
  bool say_joined_ = false;
  bool recovered_ = false;
  bool lost_ = false;
};

}  // namespace martlet::realtime

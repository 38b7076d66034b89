// Rooms with memory, as a worker has them: for each that has members here, the place up to which they were given what the room
// was sent, and those that are behind it, as they have just come or as their connection takes no more for now. Members that are
// not get what is published like that of any room (publish.h), read from the room's memory when it is published here, or when the
// mail comes that says that it was elsewhere. The worker's thread.
#pragma once

#include <martlet/history.h>

#include <cstdint>
#include <span>
#include <utility>

#include "base/growing_array.h"
#include "realtime/catch_up.h"
#include "realtime/memories.h"
#include "realtime/realtime.h"
#include "worker/parts.h"

namespace martlet::realtime {

// One reference to a room's memory.
class MemoryRef {
 public:
  MemoryRef() noexcept = default;
  explicit MemoryRef(RoomMemory* owned) noexcept : memory_(owned) {}
  MemoryRef(MemoryRef&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  MemoryRef& operator=(MemoryRef&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~MemoryRef() {
    if (memory_) memory_->release();
  }
  static MemoryRef to(RoomMemory& memory) noexcept { return memory.retain(), MemoryRef(&memory); }

  explicit operator bool() const noexcept { return memory_ != nullptr; }
  RoomMemory* operator->() const noexcept { return memory_; }
  RoomMemory& operator*() const noexcept { return *memory_; }
  RoomMemory* take() noexcept { return std::exchange(memory_, nullptr); }

 private:
  RoomMemory* memory_ = nullptr;
};

struct MemoryRoom;
struct Held;

// What there is of one connection in one room stands in a list of each: either may be long, so that it is looked for in both at
// once, until the shorter one ends.
template <typename T>
T* find_of_both(T* of_room, T* of_connection, const MemoryRoom& room, base::SlotId connection) noexcept {
  for (; of_room && of_connection; of_room = of_room->next, of_connection = of_connection->next_of_connection) {
    if (of_room->connection == connection) return of_room;
    if (&of_connection->room == &room) return of_connection;
  }
  return nullptr;
}
template <typename T>
void link_to_both(T& one, T*& of_room, T*& of_connection) noexcept {
  one.next = of_room;
  if (of_room) of_room->previous = &one;
  of_room = &one;
  one.next_of_connection = of_connection;
  if (of_connection) of_connection->previous_of_connection = &one;
  of_connection = &one;
}
template <typename T>
void unlink_from_both(T& one, T*& of_room, T*& of_connection) noexcept {
  (one.previous ? one.previous->next : of_room) = one.next;
  if (one.next) one.next->previous = one.previous;
  (one.previous_of_connection ? one.previous_of_connection->next_of_connection : of_connection) = one.next_of_connection;
  if (one.next_of_connection) one.next_of_connection->previous_of_connection = one.previous_of_connection;
}

// A member that is behind.
struct Behind {
  Behind(MemoryRoom& r, base::SlotId c, const CatchUp& what) noexcept : room(r), connection(c), catch_up(what) {}
  MemoryRoom& room;
  base::SlotId connection;
  CatchUp catch_up;
  Behind* previous = nullptr;  // of its room
  Behind* next = nullptr;
  Behind* previous_of_connection = nullptr;
  Behind* next_of_connection = nullptr;
  Behind* next_due = nullptr;
  bool due = false;   // on the list of those that may go on
  bool over = false;  // it has left meanwhile: it goes with that list
};

// Those of one connection: its slot.
struct BehindList {
  static constexpr worker::PartKey kKey{};
  Behind* first = nullptr;
  bool lost = false;  // all of its rooms know that, and nothing was written since
};

// A room with memory that has members here.
struct MemoryRoom {
  MemoryRoom(MemoryRef m, RoomRecord& r) noexcept : memory(std::move(m)), record(r) {}
  MemoryRef memory;
  RoomRecord& record;
  MemoryReader reader;
  uint64_t published_to = 0;  // read_to; less while what was read is handed to the members
  Behind* behind = nullptr;
  Held* held = nullptr;  // presence.h
  MemoryRoom* previous = nullptr;
  MemoryRoom* next = nullptr;
};

// Who wants to know of members (presence.cc). False when memory is out: then it must not come.
struct MemberSeam {
  bool (*entered)(RealtimeWorker& w, net::Connection& c, MemoryRoom& room) noexcept;
  void (*left)(RealtimeWorker& w, net::Connection& c, MemoryRoom& room) noexcept;
};

struct MemoryPart final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit MemoryPart(worker::Worker& w) noexcept : Part(w) {}
  ~MemoryPart() override;
  // Null when memory is out.
  static MemoryPart* of(RealtimeWorker& w) noexcept;
  RealtimeWorker& realtime() noexcept { return realtime_of(worker); }

  // A connection has come into a room, or goes. False: memory is out, and it must not come.
  bool enter(net::Connection& c, RoomRecord& room) noexcept;
  void leave(net::Connection& c, RoomRecord& room) noexcept;
  // A member is told all again, from where it says.
  void begin(net::Connection& c, MemoryRoom& room, const CatchUpWish& wish) noexcept;
  // A room that had none has a memory from now on.
  void adopt(RoomMemory& memory) noexcept;
  // Gives the members what they have not been given yet.
  void read(MemoryRoom& room) noexcept;
  void read_if_here(RoomMemory& memory) noexcept;
  // What has just been written down for a room is read before anything else is published or sent here, or when the turn ends. Before
  // so much is written down, the room is read if it would be too much with what is unread.
  void read_before(MemoryRoom& room, size_t bytes) noexcept;
  void note_unread(MemoryRoom& room, size_t bytes) noexcept;

  void stalled(net::Connection& c) noexcept;
  void drained(net::Connection& c) noexcept;
  void lost(net::Connection& c) noexcept;
  void go_on() noexcept;
  void look() noexcept;

  Memories* memories = nullptr;
  const CatchUpWish* wish = nullptr;    // of the join under way
  bool* by_mail = nullptr;              // MemorySeam
  const MemberSeam* members = nullptr;  // null where nobody wants to

 private:
  static bool is_much(const MemoryRoom& room, size_t bytes) noexcept;
  bool attach(RoomRecord& record, MemoryRef memory) noexcept;
  bool tell(net::Connection& c, MemoryRoom& room) noexcept;
  void detach(MemoryRoom& room) noexcept;
  static Behind* find_behind(const MemoryRoom& room, net::Connection& c) noexcept;
  Behind* put_behind(MemoryRoom& room, net::Connection& c, const CatchUp& what) noexcept;
  void catch_up_with(Behind& behind) noexcept;
  void put_back(MemoryRoom& room, uint64_t from, const MemoryRun* run) noexcept;
  void mark_due(Behind& behind) noexcept;
  void step(Behind& behind) noexcept;
  struct Told {
    bool done = false;
    bool more = false;  // at once
    size_t shared = 0;  // bytes, of what is where it was
  };
  bool write(Behind& behind, net::Connection& c, Told& told) noexcept;
  FrameRun next_frames(Behind& behind, net::Connection& c, Told& told) noexcept;
  bool publish(MemoryRoom& room, const MemoryRun& run, std::span<const WebSocket> except) noexcept;
  bool gather_excepts(const MemoryRoom& room, std::span<const WebSocket> except) noexcept;
  void look_at(MemoryRoom& room) noexcept;
  void look_at_some() noexcept;

  MemoryRoom* rooms_ = nullptr;
  Behind* due_ = nullptr;
  size_t unread_bytes_ = 0;          // of RealtimeWorker::unread
  MemoryRoom* looked_to_ = nullptr;  // of the look under way: the next room
  uint32_t sweeps_left_ = 0;         // of it
  bool writing_ = false;  // what is lost now is written again, if it is what was written
  bool lost_while_writing_ = false;
  base::GrowingArray<net::Connection*> left_out_;
};

// Tells the workers that have members of it, but this one; null: from outside. Each of them is told by every one that writes: so
// that it reads before it comes to what that one sends there next. Under its lock.
void tell_readers(RoomMemory& memory, const worker::Worker* here) noexcept;
// In milliseconds; for all workers.
uint64_t memory_now_ms() noexcept;
inline bool takes_more(const net::Connection& c) noexcept { return !c.closing && !(c.out && c.out->blocked); }

}  // namespace martlet::realtime

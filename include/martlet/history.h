// martlet/history.h: rooms with memory: what they were sent, for those who were away; and keys with values, for those who come.
//
//   app.history("chat/*", {.age = 10min, .messages = 100});        // which rooms have a memory, and how much it may hold
//   ws.join("chat/1", {.since = offset, .epoch = epoch});          // what was missed, then live: in order, each once
//   ws.join("chat/1", {.last = 50});                               // or the last fifty, for one who is new; or both
//
//   Shared prices = app.shared("prices");
//   prices.set("ACME", quote);                                     // members are told; one who comes is told all keys first
//   prices.send("halted", "ACME");                                 // an event, which is remembered too
//
// All that a room with memory is sent (by Room, Audience, Shared, on whatever worker) has one order, and each message and each
// change of a key has an offset, which counts up in the room's epoch: a text that is another one when the room's memory has begun
// anew. Members are told in this order, and each message once, also while others publish, on all workers.
//
// What goes over the wire. Messages are what was sent. An event says its room and offset:
//   {"event":"say","args":["hello"],"room":"chat/1","offset":7}
// so do the events of keys, which go to all members:
//   {"event":"room:set","args":["ACME",{"bid":1}],"room":"prices","offset":8}
//   {"event":"room:remove","args":["ACME"],"room":"prices","offset":9}
// One who joins a room that has had keys is sent those that it has, in pages; page 0 stands in place of all that it knew:
//   {"event":"room:state","args":[{"ACME":{"bid":1}},{"page":0,"more":false}],"room":"prices","offset":8}
// A page with more behind it says up to which offset it goes, the last one where the room stands. Then it is sent what it asked for
// with JoinOptions, and then, where it gave some, its position, to come back with after a break:
//   {"event":"room:joined","args":[{"recovered":true}],"room":"chat/1","offset":9,"epoch":"9f3c…"}
// What is not there any more is never given in part. Instead the keys are told as to one who is new, and then it is said, with the
// position from which on all will come:
//   {"event":"room:gap","args":[{"reason":"trimmed"}],"room":"chat/1","offset":9,"epoch":"9f3c…"}
// with the reason "epoch" (it is of another life), "future" (no such offset yet), "trimmed" (too old), or "behind": to a member
// whose connection took nothing for so long that what it was still to get is gone. With JoinOptions::last the last messages follow
// (the position that was said is before them), then a room:joined that has not recovered. Behind a gap "behind" no room:joined
// follows, not that of a join which was still to be answered either: it is the position from which on all comes, live.
// Envelope::type_data changes "event" and "args" as it does everywhere. Texts and bytes that are sent as they are take an offset,
// too, but do not tell it: a client that comes back with `since` gets its offsets from events and from room:joined.
//
// A member whose connection takes no more for now (its peer reads slowly) is not sent more and more: what it is to get is read
// from the room when it goes on, of each key the newest value only. One that keeps up gets all. So neither a slow member nor a
// worker that stands still takes memory beyond the room's bounds, and slow_consumer has nothing to do.
// Of a message that leaves somebody out (to(room) of a WebSocket leaves itself) he is told after he has come back: as another
// connection.
#pragma once

#include <martlet/config.h>
#include <martlet/event_writer.h>
#include <martlet/json.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

namespace realtime {
class RoomMemory;
}

// How much each of these rooms may hold. All rooms of the process together hold at most 256 MiB (set_history_bytes), and at most
// 100,000 rooms have a memory at a time; those above have none: their members get what is sent, like those of any room, and a room
// that members have come into without stays so, on all workers, until the last of them has gone.
struct HistoryOptions {
  // Older messages are forgotten; 0: never for their age. A room without members, messages and keys goes.
  milliseconds age = std::chrono::minutes(10);
  // Of messages, and of changes that are on their way to workers. A single larger message is told, and not kept.
  size_t bytes = size_t{1} << 20;
  // Keys; a new one above that is refused.
  uint32_t keys = 10'000;
  // That are kept for those who come back. Members that are behind are still given older ones, if `bytes` allow.
  uint32_t messages = 100;
};

// What all rooms of the process may hold. Any thread.
void set_history_bytes(size_t most) noexcept;
size_t history_bytes_used() noexcept;

// Where a room stands. With that and what it held then a page can be rendered, whose client joins with it as `since`, and misses
// nothing.
struct MARTLET_LAYOUT RoomPosition {
  std::string epoch;
  uint64_t offset = 0;
};

// A room with memory, by name: a value to copy, store and use on any thread. When its App or Server is gone it goes on, without
// members.
class Shared {
 public:
  static constexpr size_t kMaxKeyBytes = 1024;

  Shared() noexcept = default;
  Shared(const Shared& other) noexcept;
  Shared(Shared&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)), first_(other.first_) {}
  Shared& operator=(Shared other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(first_, other.first_);
    return *this;
  }
  ~Shared();

  bool ok() const noexcept { return memory_ != nullptr; }
  explicit operator bool() const noexcept { return ok(); }
  std::string name() const;

  // An event to all members, which is remembered. ok, or dropped when memory is out, or it has more than 64 MiB.
  template <typename... Args>
  SendStatus send(std::string_view event, const Args&... args) const {
    static_assert(sizeof...(Args) <= kMaxEventArguments, "an event has at most 32 arguments");
    detail::EventWriter out(event);
    (out.add(args), ...);
    return send_event(out);
  }
  SendStatus send(std::string_view event, const Json& only) const;

  // Gives a key a value: a member that keeps up is told of each, one that does not of the newest. Dropped when there are too many
  // keys, the key has more than kMaxKeyBytes, it has more than 64 MiB, or memory is out, that of all rooms as well.
  template <typename T>
  SendStatus set(std::string_view key, const T& value) const {
    JsonWriter out;
    json::write_value(out, value);
    return set_text(key, out);
  }
  SendStatus set(std::string_view key, const Json& value) const;
  // Dropped when memory is out; closed when there is no such key.
  SendStatus remove(std::string_view key) const;

  // How many keys it has.
  size_t size() const noexcept;
  // Null when it has no such key.
  Json get(std::string_view key) const;
  // All keys, as an object, and the position that it stood at.
  Json entries(RoomPosition* position = nullptr) const;
  RoomPosition position() const;
  // The payloads of the last messages, oldest first; none that is older than HistoryOptions::age, unless a member is still to get it.
  MARTLET_LAYOUT std::vector<std::string> messages(size_t most) const;

 private:
  friend class App;
  Shared(realtime::RoomMemory* memory, uint32_t first) noexcept : memory_(memory), first_(first) {}
  SendStatus send_event(detail::EventWriter& out) const noexcept;
  SendStatus set_text(std::string_view key, const JsonWriter& value) const noexcept;

  realtime::RoomMemory* memory_ = nullptr;  // one reference
  uint32_t first_ = 0;                      // worker
};

}  // namespace martlet

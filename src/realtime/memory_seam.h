// Where rooms with memory (memory_part.h) come in, in programs that have some: a worker without any has none of it.
#pragma once

#include <martlet/websocket.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "base/slot_table.h"
#include "net/connection.h"

namespace martlet::realtime {

struct Joined;
struct PublishedMessage;
struct RealtimeWorker;
struct RoomRecord;

// The room that a message goes to: the one of this worker, or one that has no members here.
struct MemoryTarget {
  RoomRecord* room;
  std::string_view name;  // where it was asked for by name
  base::SlotId id;
  std::span<const WebSocket> except;
  bool for_all;  // this worker hands it to the others
};

struct MemorySeam {
  // False when the room has no memory.
  bool (*publish)(RealtimeWorker& w, const MemoryTarget& to, const PublishedMessage& message, SendStatus& answer) noexcept;
  // Whether a room of this name has one, or would have.
  bool (*has)(RealtimeWorker& w, std::string_view name) noexcept;
  // A connection has come into a room: false when memory is out, and it must not. And it is about to go, from a room with memory.
  bool (*enter)(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept;
  void (*leave)(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept;
  // RealtimeWorker::enter_room with these wishes.
  Joined (*enter_with)(RealtimeWorker& w, net::Connection& c, std::string_view name, const JoinOptions& options) noexcept;
};

}  // namespace martlet::realtime

// Where rooms with memory (memory_part.h) come in, in programs that have some: a worker without any has none of it.
#pragma once

#include <martlet/function.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "base/alloc.h"
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
  // False when the room has no memory. Its members get it from read_unread().
  bool (*publish)(RealtimeWorker& w, const MemoryTarget& to, const PublishedMessage& message, SendStatus& answer) noexcept;
  // What RealtimeWorker::unread was sent goes into the publish log, and is unread no more.
  void (*read_unread)(RealtimeWorker& w) noexcept;
  // Whether a room of this name has one, or would have.
  bool (*has)(RealtimeWorker& w, std::string_view name) noexcept;
  // A connection has come into a room: false when memory is out, and it must not. And it is about to go, from a room with memory.
  bool (*enter)(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept;
  void (*leave)(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept;
  // RealtimeWorker::enter_room with these wishes.
  Joined (*enter_with)(RealtimeWorker& w, net::Connection& c, std::string_view name, const JoinOptions& options) noexcept;
  // What is published until this is null again came to all workers by mail: who finds it false writes it down. Under the room's lock.
  // The next room that it is published to has the next one.
  void (*by_mail)(RealtimeWorker& w, bool* written) noexcept;
};

// Of a message from outside that goes to all workers, so that it keeps its place before what the thread sends there next: the first one
// that comes to it writes it down, for all; of several rooms, which all workers go through in one order, room by room.
class WrittenOnce {
 public:
  // Empty when it is for no room, or memory is out: then the first worker writes it down.
  static WrittenOnce make(size_t rooms) noexcept {
    WrittenOnce made;
    void* const memory = rooms ? base::allocate(sizeof(One) + rooms * sizeof(bool)) : nullptr;
    if (!memory) return made;
    One* const one = new (memory) One;
    made.one_ = detail::CountedPointer(one);
    std::uninitialized_fill_n(one->written(), rooms, false);
    return made;
  }
  bool* get() const noexcept { return one_.get() ? static_cast<One*>(one_.get())->written() : nullptr; }

 private:
  struct One final : detail::Counted {
    One() noexcept : Counted([](Counted* self) noexcept { base::destroy(static_cast<One*>(self)); }) {}
    bool* written() noexcept { return reinterpret_cast<bool*>(this + 1); }
  };
  detail::CountedPointer one_;
};

// While it is published on one of them.
class ByMail {
 public:
  ByMail(RealtimeWorker& w, const MemorySeam* seam, const WrittenOnce& once) noexcept : worker_(w), seam_(seam) {
    if (seam_) seam_->by_mail(worker_, once.get());
  }
  ByMail(const ByMail&) = delete;
  ByMail& operator=(const ByMail&) = delete;
  ~ByMail() {
    if (seam_) seam_->by_mail(worker_, nullptr);
  }

 private:
  RealtimeWorker& worker_;
  const MemorySeam* seam_;
};

}  // namespace martlet::realtime

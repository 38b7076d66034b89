// Who is in rooms, as a part of a worker: keys of a room's memory whose holders are connections. What a connection holds stands in
// a slot of it; when it leaves, that goes to the list of those that leave, in the order of their time. The worker's thread.
#pragma once

#include <martlet/presence.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "realtime/memory_part.h"
#include "worker/parts.h"

namespace martlet::realtime {

struct Held;

struct PresenceRule {
  std::string pattern;
  Decision<Json(WebSocket)> describe;
  PresenceOptions options;
  Held* leaving = nullptr;  // their time is the same, so that the first one to leave is the first to go
  Held* last_leaving = nullptr;
};

// A connection that has a key in a room, or that has left and may come back until then.
struct Held {
  Held(MemoryRoom& where, net::Connection& c, PresenceRule& r, base::KeptText&& k) noexcept
      : room(where), connection(c.id()), memory(MemoryRef::to(*where.memory)), rule(r), key(std::move(k)) {}
  MemoryRoom& room;  // while it is there
  base::SlotId connection;
  MemoryRef memory;
  PresenceRule& rule;
  base::KeptText key;
  bool shown = false;  // else there was no place for it
  uint64_t until_ms = 0;
  Held* previous = nullptr;  // of its room
  Held* next = nullptr;      // or of those that leave
  Held* previous_of_connection = nullptr;
  Held* next_of_connection = nullptr;
};

struct PresencePart final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit PresencePart(worker::Worker& w) noexcept : Part(w) {}
  ~PresencePart() override;

  // It is to be asked about, at the end of the turn. False when memory is out.
  bool ask(net::Connection& c, const MemoryRoom& room) noexcept;
  void ask_again(net::Connection& c) noexcept;
  // The first one here for whom there was no place: there may be now.
  void ask_hidden(RoomMemory& memory) noexcept;
  void left(net::Connection& c, MemoryRoom& room) noexcept;
  void ask_all() noexcept;
  // Lets go of those whose time is over; of all, when the worker ends.
  void let_go(uint64_t now_ms) noexcept;

  std::vector<std::unique_ptr<PresenceRule>> rules;

 private:
  struct Question {
    base::SlotId connection;
    base::SlotId room;
  };
  PresenceRule* rule_of(std::string_view room) const noexcept;
  void answer(const Question& question) noexcept;
  void show(net::Connection& c, MemoryRoom& room, PresenceRule& rule, std::string_view identity, std::string_view value) noexcept;
  bool put(Held& held, std::string_view value) noexcept;
  void warn(const PresenceRule& rule) noexcept;
  bool remove(Held& held) noexcept;
  void let_go(PresenceRule& rule, uint64_t now_ms) noexcept;
  void arm(uint64_t now_ms) noexcept;

  base::GrowingArray<Question> questions_;
  net::UserTimers::Id timer_;
  uint64_t armed_for_ms_ = UINT64_MAX;
  uint64_t warned_ms_ = 0;
};

}  // namespace martlet::realtime

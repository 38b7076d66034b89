// Who listens to which event: names, and the listeners of each in the order in which they came. Of a route, or of a connection.
//
// Names come from the wire: they are looked up by a keyed hash (base/hash.h), without allocation. A listener that is taken
// off while it runs, or while the listeners of its event are walked, stays where it is until the turn ends (Retired), and
// says that it is gone. The worker's thread.
#pragma once

#include <martlet/events.h>

#include <cstdint>
#include <string_view>

#include "base/kept_text.h"
#include "worker/worker.h"

namespace martlet::realtime {

struct NamedEvent;

struct EventNode final : worker::Retired {
  EventNode(detail::EventFunction&& fn, uint64_t id, bool is_once) noexcept : function(std::move(fn)), number(id), once(is_once) {}
  detail::EventFunction function;
  uint64_t number;             // of its ListenerId; 0: it has none
  uint64_t order = 0;          // when it came
  NamedEvent* event = nullptr; // while it is not gone
  EventNode* following = nullptr;
  bool once;
  bool gone = false;
};

struct NamedEvent {
  NamedEvent(std::string_view text, uint64_t h) noexcept : name(text), hash(h) {}
  base::KeptText name;
  uint64_t hash;
  NamedEvent* next = nullptr;  // in its bucket
  EventNode* first = nullptr;
  EventNode* last = nullptr;
};

class EventTable {
 public:
  EventTable() noexcept = default;
  EventTable(const EventTable&) = delete;
  EventTable& operator=(const EventTable&) = delete;
  // Nothing of it may be running.
  ~EventTable();

  // The first listener of an event; null when there is none.
  EventNode* find(std::string_view name, uint64_t hash) const noexcept {
    if (count_ == 0) return nullptr;
    const NamedEvent* event = find_event(name, hash);
    return event ? event->first : nullptr;
  }
  // Takes the listener over. False when memory is out: then it is the caller's still.
  bool add(std::string_view name, uint64_t hash, EventNode* listener) noexcept;
  void remove(worker::Worker& w, EventNode& listener) noexcept;
  void remove(worker::Worker& w, uint64_t number) noexcept;
  void remove(worker::Worker& w, std::string_view name, uint64_t hash) noexcept;
  // Those that have come so far have this order, or a lower one.
  uint64_t newest() const noexcept { return newest_; }

 private:
  NamedEvent* find_event(std::string_view name, uint64_t hash) const noexcept;
  NamedEvent* add_event(std::string_view name, uint64_t hash) noexcept;
  void forget(NamedEvent& event) noexcept;
  bool grow() noexcept;

  NamedEvent** buckets_ = nullptr;
  uint32_t mask_ = 0;
  uint32_t count_ = 0;
  uint64_t newest_ = 0;
};

}  // namespace martlet::realtime

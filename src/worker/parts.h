// Parts: what not every program uses hangs here on a worker, and costs those that do without it nothing: no byte in the
// binary, no branch per message beyond the look at an empty list, no byte per connection.
//
// A part is made when an option or a call first asks for it, found by the address of its type's key, and named by nobody
// below it. It says once which of the hooks it wants; the worker keeps one short list for each hook. A part's code is
// linked by who names its type, and by nobody else. docs/architecture.md shows how to add one.
//
//   struct Counter final : worker::Part {
//     static constexpr worker::PartKey kKey{};
//     static const worker::PartHooks kHooks;      // {.joined = [](Part& self, …) { … }}
//     uint64_t joins = 0;
//   };
//   Counter* counter = worker.parts.find_or_add<Counter>(worker);   // null when memory is out
//
// The worker's thread.
#pragma once

#include <martlet/websocket.h>

#include <cstdint>
#include <string_view>

#include "base/alloc.h"
#include "base/growing_array.h"
#include "net/connection.h"

namespace martlet::session {
struct MessageView;
}
namespace martlet::realtime {
struct Publication;
}

namespace martlet::worker {

struct Part;
struct Worker;

// Its address is what matters; the byte keeps two of them apart.
struct PartKey {
  char own = 0;
};

// What a part wants to hear of; null where nothing. Called on the worker's thread; a hook runs no callback of the user's
// unless its line says so.
struct PartHooks {
  // The end of a turn, after what was published has gone to its receivers' queues, before they are flushed; and once more
  // when all connections have been ended. It may run callbacks of the user's.
  void (*turn_ended)(Part& self) = nullptr;
  // A connection has become a WebSocket: the route's handler is about to be called.
  void (*opened)(Part& self, net::Connection& c) = nullptr;
  // A message has come, of whatever form: before handlers, listeners of events and those who wait for an answer see it. One that sets
  // RealtimeWorker::message_refused, or closes, keeps it from them. It may run callbacks of the user's.
  void (*received)(Part& self, net::Connection& c, const session::MessageView& message) = nullptr;
  void (*joined)(Part& self, net::Connection& c, std::string_view room) = nullptr;
  // Before it leaves: the room is still there.
  void (*left)(Part& self, net::Connection& c, std::string_view room) = nullptr;
  // Something was sent to an audience that has members on this worker; a message that came from another worker as well.
  void (*published)(Part& self, const realtime::Publication& what) = nullptr;
  // Of connections that are `followed` (net/connection.h): the kernel takes no more of its output for now; all that waited
  // has been given to it; messages for it were dropped. Who wants one of them wants `drained`.
  void (*stalled)(Part& self, net::Connection& c) = nullptr;
  void (*drained)(Part& self, net::Connection& c) = nullptr;
  void (*lost)(Part& self, net::Connection& c) = nullptr;
  // After the close handlers, before it leaves its rooms. It may run callbacks of the user's.
  void (*closed)(Part& self, net::Connection& c, const CloseInfo& why) = nullptr;
  // All connections are gone; the part is destroyed with its worker. Routes and rooms are still there.
  void (*worker_ends)(Part& self) = nullptr;
};

// Parts are destroyed after what the rooms above the worker had: a destructor gives back what is the part's own, and does
// not touch rooms, routes or connections. What needs them is for `worker_ends`.
struct Part {
  explicit Part(Worker& w) noexcept : worker(w) {}
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  virtual ~Part() = default;

  Worker& worker;
  const PartKey* key = nullptr;
  Part* next = nullptr;
};

// A hook of whatever form, and whose it is.
struct HookEntry {
  void (*hook)();
  Part* part;
};

// The parts that want one hook, in the order in which they came.
template <typename... Args>
class HookList {
 public:
  using Hook = void (*)(Part&, Args...);

  bool empty() const noexcept { return entries_.empty(); }
  void operator()(Args... args) const {
    if (entries_.empty()) [[likely]] return;
    for (uint32_t i = 0; i < entries_.size(); i++) {  // a callback may bring another part
      const HookEntry entry = entries_[i];
      reinterpret_cast<Hook>(entry.hook)(*entry.part, args...);
    }
  }

 private:
  friend class Parts;
  base::GrowingArray<HookEntry> entries_;  // of one type for all forms: its code is there once
};

class Parts {
 public:
  Parts() noexcept = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts();

  template <typename T>
  T* find() const noexcept {
    for (Part* part = first_; part; part = part->next) {
      if (part->key == &T::kKey) return static_cast<T*>(part);
    }
    return nullptr;
  }
  // Null when memory is out: then there is no part, and nothing has changed.
  template <typename T>
  T* find_or_add(Worker& w) noexcept {
    if (T* part = find<T>()) return part;
    T* part = base::create<T>(w);
    if (!part) return nullptr;
    if (add(w, *part, T::kKey, T::kHooks)) return part;
    base::destroy(part);
    return nullptr;
  }

  HookList<> turn_ended;
  HookList<net::Connection&> opened;
  HookList<net::Connection&, const session::MessageView&> received;
  HookList<net::Connection&, std::string_view> joined;
  HookList<net::Connection&, std::string_view> left;
  HookList<const realtime::Publication&> published;
  HookList<net::Connection&> stalled;
  HookList<net::Connection&> drained;
  HookList<net::Connection&> lost;
  HookList<net::Connection&, const CloseInfo&> closed;
  HookList<> worker_ends;

 private:
  struct Wanted {
    void (*hook)();
    base::GrowingArray<HookEntry>* list;
  };
  template <typename... Args>
  static Wanted wanted(void (*hook)(Part&, Args...), HookList<Args...>& list) noexcept {
    return {reinterpret_cast<void (*)()>(hook), &list.entries_};
  }
  bool add(Worker& w, Part& part, const PartKey& key, const PartHooks& hooks) noexcept;

  Part* first_ = nullptr;
};

}  // namespace martlet::worker

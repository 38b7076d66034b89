// A connection's lazy block: what it owns beyond its state. Connections that need none of it have none.
#pragma once

#include <martlet/websocket.h>

#include <cstdint>
#include <utility>

#include "worker/slots.h"
#include "worker/worker.h"

namespace martlet::realtime {

// What a connection may have listeners of its own for.
enum class Event : uint8_t { message, close, drain, error, ping, pong, fragment, filter };
inline constexpr size_t kEvents = 8;

// A listener of one connection, by address, in the list of its event. One that is taken out while it runs, or while one
// before it does, stays where it is until nobody can be at it, and still knows what comes after it.
struct ListenerBase : worker::Retired {
  uint64_t id = 0;                    // of its ListenerId
  ListenerBase* following = nullptr;
  uint64_t number = 0;                // counts the connection's listeners: a later one has a higher one
  bool once = false;
  bool gone = false;                  // taken out
};

template <typename Signature>
struct Listener final : ListenerBase {
  explicit Listener(Function<Signature>&& f) noexcept : function(std::move(f)) {}
  Function<Signature> function;
};

}  // namespace martlet::realtime

namespace martlet::session {

struct WsExtras {
  realtime::ListenerBase*& listeners(realtime::Event event) noexcept { return first[static_cast<size_t>(event)]; }

  realtime::ListenerBase* first[realtime::kEvents] = {};  // in the order in which they came
  uint64_t last_number = 0;                               // of a listener
  worker::Slots slots;
  detail::DataSlot* data = nullptr;                       // of the program's types; websocket.h finds them
};

}  // namespace martlet::session

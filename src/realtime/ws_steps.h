// Steps behind the 101 (Routes::ws_use, and those of a route): a part, so that programs without them have none of it. The
// worker's thread.
#pragma once

#include <martlet/router.h>

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "realtime/realtime.h"
#include "session/exchange.h"
#include "worker/parts.h"

namespace martlet {

// What the library may look at in a WsStep.
struct SocketStepAccess {
  static Function<void(WebSocket, Request&, Next)>& function(WsStep& s) noexcept { return s.function_; }
  static const Error* mistake(const WsStep& s) noexcept { return s.mistake_.get(); }
  static const detail::SocketStepParts* parts(const WsStep& s) noexcept { return s.parts_; }
};

// Named by App and Router through the steps that they are given.
struct detail::SocketStepParts {
  void (*add_use)(realtime::RealtimeWorker& w, std::string_view prefix, WsStep&& step, routing::UsePrefix kind);
  void (*add_own)(realtime::WsRouteEntry& route, std::vector<WsStep>&& steps);
};

namespace realtime {

// The slot of a connection that its steps have not let through: while it is there the connection is not in the route's list.
struct PendingSocket {
  static constexpr worker::PartKey kKey{};
  PendingSocket() noexcept = default;
  PendingSocket(const PendingSocket&) = delete;
  PendingSocket& operator=(const PendingSocket&) = delete;
  ~PendingSocket();

  session::Exchange* exchange = nullptr;  // null once the chain is over
  uint32_t request_number = 0;
  uint32_t position = 0;   // of the next step
  bool in_step = false;    // one is on the stack
  bool goes_on = false;    // and has called next()
  TimerId timer = {};      // by which it has to be over, when it waits
  bool waits = false;      // one has returned without that: reading is off, and the exchange is kept
};

}  // namespace realtime
}  // namespace martlet

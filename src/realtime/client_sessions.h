// The sessions of one worker (martlet/sessions.h): a part, so that programs without them have none of it. What all workers share, who is
// where and what waits for whom, is the directory's. The worker's thread.
#pragma once

#include <martlet/sessions.h>

#include "realtime/client_identity.h"
#include "realtime/realtime.h"
#include "worker/parts.h"

namespace martlet::realtime {

struct ClientSessions final : worker::Part {
  explicit ClientSessions(worker::Worker& w) noexcept : Part(w) {}
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  bool serves(const WsRouteEntry& route) const noexcept;

  ClientDirectory* directory = nullptr;
  SessionOptions options;                // less what the directory has taken
  base::IntrusiveList<SaveHook> open;    // the connections that have begun, the one that was saved longest ago first
  uint32_t open_count = 0;
  uint32_t questions = 0;
  uint32_t untold_seen = 0;
};

// App::sessions.
Error add_sessions(RealtimeWorker& w, SessionOptions&& options) noexcept;

// Sends what is on its way to a connection, as long as that takes it.
void deliver_to_client(RealtimeWorker& w, net::Connection& c, ClientOfSocket& own) noexcept;
// Any thread: a message for a client that could not be sent to directly.
SendStatus put_for_client(ClientDirectory& directory, std::string_view client, const SharedFrame& frame) noexcept;

}  // namespace martlet::realtime

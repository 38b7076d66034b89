// How the calls of a WebSocket come to its connection: commands from any thread, queries on the worker's own.
#pragma once

#include <cstdint>
#include <utility>

#include "net/mailbox.h"
#include "net/worker_registry.h"
#include "realtime/realtime.h"

namespace martlet::realtime {

// Runs `act(worker, connection)` on the connection's worker: now, when this is its thread, else by mail.
template <typename Act>
void command(const WebSocket& ws, Act&& act) noexcept {
  const uint32_t number = MessageAccess::worker(ws);
  if (RealtimeWorker* w = here(number)) {
    if (net::Connection* c = w->websocket(MessageAccess::id(ws))) act(*w, *c);
    return;
  }
  post_to(number, [id = MessageAccess::id(ws), act = std::forward<Act>(act)](RealtimeWorker& w) mutable {
    if (net::Connection* c = w.websocket(id)) act(w, *c);
  });
}

// A worker's connection for a query, or null when it is gone. Aborts on another thread than the worker's.
inline net::Connection* query(const WebSocket& ws, const char* what) noexcept {
  const uint32_t number = MessageAccess::worker(ws);
  if (RealtimeWorker* w = here(number)) return w->websocket(MessageAccess::id(ws));
  net::Inbox* inbox = number ? net::find_inbox(number) : nullptr;
  if (inbox && inbox->is_open()) worker::wrong_thread(what);
  return nullptr;
}

}  // namespace martlet::realtime

// Routes in two phases, and what connections leave to be done at their end. Linked by who has such a route.
#include <martlet/route_server.h>

#include <memory>
#include <string>
#include <utility>

#include "realtime/commands.h"
#include "realtime/connection_slots.h"

namespace martlet {

namespace realtime {

namespace {

// A slot of the connection's lazy block.
struct KeptCleanup {
  static constexpr worker::PartKey kKey{};
  Cleanup run;
};

void run(RealtimeWorker& w, const std::string& pattern, const WebSocket& ws, Cleanup& cleanup) noexcept {
  w.note_call(pattern);
  if (!cleanup()) w.report_failure(pattern, ws);
}

// Ends with the worker.
struct Cleanups final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
};

void closed(worker::Part& self, net::Connection& c, const CloseInfo&) {
  KeptCleanup* kept = find_slot<KeptCleanup>(c);
  if (!kept) return;
  RealtimeWorker& w = realtime_of(self.worker);
  Cleanup cleanup = std::move(kept->run);
  run(w, static_cast<const WsRouteEntry*>(c.state<session::WsState>().route)->pattern, w.handle(c), cleanup);
}

const worker::PartHooks Cleanups::kHooks{.closed = closed};

// False when memory is out.
bool keep(RealtimeWorker& w, net::Connection& c, Cleanup& cleanup) noexcept {
  if (!w.parts.find_or_add<Cleanups>(w)) return false;
  KeptCleanup* kept = slot_for<KeptCleanup>(c);
  if (kept) kept->run = std::move(cleanup);
  return kept != nullptr;
}

}  // namespace

}  // namespace realtime

namespace detail {

void keep_cleanup(const WebSocket& ws, Cleanup cleanup) noexcept {
  if (!cleanup) return;
  realtime::RealtimeWorker* w = realtime::here(MessageAccess::worker(ws));
  net::Connection* c = w ? w->websocket(MessageAccess::id(ws)) : nullptr;
  if (c && realtime::keep(*w, *c, cleanup)) return;
  cleanup();
  if (c) session::fail_websocket(w->sessions, *c, proto::close_code::try_again, "Out of memory.", CloseCause::out_of_memory);
}

}  // namespace detail

// RouteServer ---------------------------------------------------------------------------------------------------------

std::string_view RouteServer::pattern() const noexcept { return route_->pattern; }

Audience RouteServer::everybody() const noexcept {
  const realtime::RealtimeWorker& w = *route_->worker;
  if (!realtime::here(w.number)) return MessageAccess::audience(MessageAccess::Kind::route, w.first, route_->pattern);
  const base::SlotId id = w.id_of(*route_);
  const bool none = w.group && id.generation == 0;
  return MessageAccess::audience(none ? MessageAccess::Kind::none : MessageAccess::Kind::route, w.first, id);
}

std::vector<WebSocket> RouteServer::clients() const {
  realtime::RealtimeWorker& w = *route_->worker;
  std::vector<WebSocket> all;
  all.reserve(route_->connections);
  for (uint32_t slot = route_->first; slot != session::WsState::kNone;) {
    net::Connection* c = w.reactor.connections.live(slot);
    all.push_back(w.handle(*c));
    slot = c->state<session::WsState>().route_next;
  }
  return all;
}

RouteStats RouteServer::stats() const noexcept {
  const realtime::RealtimeWorker& w = *route_->worker;
  if (!w.group) return {route_->connections, route_->connections};
  const worker::DirectoryEntry* shared = route_->shared;
  if (!shared) shared = w.group->directory.find(worker::AudienceKind::route, route_->pattern).entry;
  return {shared ? shared->members.load(std::memory_order_relaxed) : 0, route_->connections};
}

// The first phase -----------------------------------------------------------------------------------------------------

namespace realtime {

namespace {

Error begin(WsRouteEntry& route) noexcept {
  RouteServer server = MessageAccess::route_server(route);
  if (route.set_up(server, route.on_open)) return route.set_up = nullptr, Error();
  return Error::of({"route \"", route.pattern, "\": its set-up has thrown: ", detail::last_failure()});
}

}  // namespace

std::unique_ptr<WsRouteEntry> two_phase_route(detail::RouteSetup set_up, WsOptions options) {
  auto entry = std::make_unique<WsRouteEntry>();
  entry->handlers.options = std::move(options);
  entry->set_up = std::move(set_up);
  entry->begin = begin;
  return entry;
}

}  // namespace realtime

}  // namespace martlet

// What happens to a WebSocket: accepting it, its messages, its end; each handed to the route's handlers and then to
// the connection's own.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <utility>

#include "realtime/agents.h"
#include "realtime/connection_slots.h"
#include "realtime/kept_request.h"
#include "realtime/listeners.h"
#include "realtime/realtime.h"
#include "base/bytes.h"
#include "net/output.h"
#include "net/reactor.h"
#include "proto/ws_handshake.h"
#include "session/http_refusal.h"
#include "session/http_response.h"
#include "sys/log_line.h"

namespace martlet::realtime {

namespace {

WsRouteEntry& entry_of(session::WsRoute& route) noexcept { return static_cast<WsRouteEntry&>(route); }

RealtimeWorker& worker_of(session::WsRoute& route) noexcept { return *entry_of(route).worker; }



// Runs the route's handler and then the connection's own ones of the same event. False when one of them threw.
template <typename... Args>
bool run_handlers(WsRouteEntry& route, net::Connection& c, Function<void(WebSocket, Args...)>& handler, Event event,
                  std::type_identity_t<Args>... args) noexcept {
  RealtimeWorker& w = worker_of(route);
  bool good = true;
  if (handler && !handler(w.handle(c), args...)) {
    w.report_failure(route.pattern, w.handle(c));
    good = false;
  }
  session::WsExtras* extras = extras_of(c);
  if (extras && extras->listeners(event)) good &= run_listeners<Args...>(route, c, *extras, event, args...);
  return good;
}

bool on_message(session::WsRoute& route, net::Connection& c, const session::MessageView& view) {
  WsRouteEntry& entry = entry_of(route);
  const Message message = MessageAccess::message(view);
  return run_handlers(entry, c, entry.handlers.message, Event::message, message);
}

bool on_ping(session::WsRoute& route, net::Connection& c, std::string_view payload) {
  WsRouteEntry& entry = entry_of(route);
  return run_handlers(entry, c, entry.handlers.ping, Event::ping, payload);
}

bool on_pong(session::WsRoute& route, net::Connection& c, std::string_view payload) {
  WsRouteEntry& entry = entry_of(route);
  return run_handlers(entry, c, entry.handlers.pong, Event::pong, payload);
}

bool on_drain(session::WsRoute& route, net::Connection& c) {
  WsRouteEntry& entry = entry_of(route);
  return run_handlers(entry, c, entry.handlers.drain, Event::drain);
}

// The text of an exception is the thread's last one: copied, as a handler that throws again would change it.
bool on_error(session::WsRoute& route, net::Connection& c, const ErrorInfo& error) {
  WsRouteEntry& entry = entry_of(route);
  char text[256];
  ErrorInfo told = error;
  if (told.message.empty()) {
    const std::string_view failure(detail::last_failure());
    told.message = {text, failure.copy(text, sizeof text)};
  }
  return run_handlers(entry, c, entry.handlers.error, Event::error, told);
}

void link(RealtimeWorker& w, WsRouteEntry& route, net::Connection& c) noexcept {
  auto& ws = c.state<session::WsState>();
  ws.published = w.log.end();  // what was published before it came is not for it
  ws.route_next = route.first;
  if (route.first != session::WsState::kNone) {
    w.reactor.connections.live(route.first)->state<session::WsState>().route_previous = c.slot;
  }
  route.first = c.slot;
  route.connections++;
  w.stats.open_websockets++;
}

void unlink(RealtimeWorker& w, WsRouteEntry& route, net::Connection& c) noexcept {
  const auto& ws = c.state<session::WsState>();
  auto& connections = w.reactor.connections;
  if (ws.route_previous == session::WsState::kNone) {
    route.first = ws.route_next;
  } else {
    connections.live(ws.route_previous)->state<session::WsState>().route_next = ws.route_next;
  }
  if (ws.route_next != session::WsState::kNone) {
    connections.live(ws.route_next)->state<session::WsState>().route_previous = ws.route_previous;
  }
  route.connections--;
  w.stats.open_websockets--;
  w.leave_route(route);
}

void release_extras(RealtimeWorker& w, session::WsExtras* extras) noexcept {
  if (!extras) return;
  for (ListenerBase*& first : extras->first) take_out_all(w, first);
  while (detail::DataSlot* slot = extras->data) {
    extras->data = slot->next;
    slot->destroy(slot);
  }
  base::destroy(extras);
}

// The close handlers still see the rooms, and may send to them; then the connection leaves.
void on_close(session::WsRoute& route, net::Connection& c, const CloseInfo& why) {
  WsRouteEntry& entry = entry_of(route);
  RealtimeWorker& w = worker_of(route);
  run_handlers(entry, c, entry.handlers.close, Event::close, why);
  w.parts.closed(c, why);
  auto& ws = c.state<session::WsState>();
  while (session::Membership* m = ws.rooms) w.leave_room(c, *w.rooms.find_live(m->room_slot));
  unlink(w, entry, c);
  release_extras(w, std::exchange(ws.extras, nullptr));  // what a destructor of the program's asks for is not there any more
  if (w.dirty_audiences) w.reactor.want_turn();  // what its handlers sent
}

// The same where a watchdog looks, which is told first whose handler is called, and where parts listen.
template <auto kEvent, typename... Args>
auto watched(session::WsRoute& route, Args... args) {
  worker_of(route).note_call(entry_of(route).pattern);
  return kEvent(route, args...);
}

bool on_observed_message(session::WsRoute& route, net::Connection& c, const session::MessageView& view) {
  RealtimeWorker& w = worker_of(route);
  w.note_call(entry_of(route).pattern);
  w.parts.received(c, view);
  return on_message(route, c, view);
}

// Handshakes ----------------------------------------------------------------------------------------------------------

bool origin_allowed(const WsRouteEntry& route, const session::Exchange& e) noexcept {
  const auto& origins = route.handlers.options.origins;
  const proto::Field* field = e.head.find(proto::FieldName::origin);
  if (origins.empty() || !field) return true;
  const std::string_view origin = e.field(field);
  for (const std::string& allowed : origins) {
    if (allowed == "*") return true;
    if (allowed.size() != origin.size()) continue;
    size_t same = 0;
    while (same < origin.size() && base::ascii_lower(origin[same]) == base::ascii_lower(allowed[same])) same++;
    if (same == origin.size()) return true;
  }
  return false;
}

// The first of the server's subprotocols that the client offers too; empty when there is none.
std::string_view choose_protocol(const WsRouteEntry& route, const session::Exchange& e) noexcept {
  for (const std::string& own : route.handlers.options.protocols) {
    proto::OfferedProtocols offered(e.head, e.base);
    std::string_view protocol;
    while (offered.next(protocol)) {
      if (protocol == own) return own;
    }
  }
  return {};
}

// A browser that offered subprotocols and is given none ends the connection without a word to anybody.
void tell_of_no_protocol(const WsRouteEntry& route, const session::Exchange& e) noexcept {
  if (log_level() > LogLevel::info) return;
  char line[256];
  const std::string_view offered = e.field(e.head.find(proto::FieldName::sec_websocket_protocol));
  const int size = std::snprintf(line, sizeof line, "%.100s: \"%.*s\" is offered; browsers end such a connection",
                                 route.pattern.c_str(), static_cast<int>(std::min<size_t>(offered.size(), 80)),
                                 offered.data());
  sys::log_limited(LogLevel::info, "none of the client's subprotocols is chosen", {line, static_cast<size_t>(size)});
}

void refuse(session::Exchange& e, int status, std::string_view text) noexcept {
  if (e.flags.responded) return;
  session::drop_body_fields(e);
  e.status = static_cast<uint16_t>(status);
  e.flags.close_after = true;
  session::send_response(e, base::as_bytes(text), session::BodyType::text);
}

// Whether messages will be compressed (RFC 7692), and the answer that says so.
void decide_compression(RealtimeWorker& w, const session::Exchange& e, const WsRouteEntry& route,
                        session::DeflateDecision& decision) noexcept {
  if (!route.deflate.on || !e.head.find(proto::FieldName::sec_websocket_extensions)) return;
  const std::string_view agent = e.field(e.head.find(proto::FieldName::user_agent));
  for (const std::string& broken : *route.broken_agents) {
    if (contains_agent(agent, broken)) return;
  }
  w.sessions.compression->decide(e.head, e.base, route, decision);
}

bool send_switching(session::Exchange& e, std::string_view protocol, std::string_view extensions) noexcept {
  constexpr std::string_view kStart =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
  constexpr std::string_view kProtocol = "\r\nSec-WebSocket-Protocol: ";
  constexpr std::string_view kExtensions = "\r\nSec-WebSocket-Extensions: ";
  const size_t size = kStart.size() + proto::kAcceptKeySize + (protocol.empty() ? 0 : kProtocol.size() + protocol.size()) +
                      (extensions.empty() ? 0 : kExtensions.size() + extensions.size()) + 2 + e.fields.size() + 2;
  uint8_t* room = e.fields.failed() ? nullptr : net::append_room(e.sessions->reactor, *e.connection, size);
  if (!room) return false;
  auto put = [&room](std::string_view text) {
    std::memcpy(room, text.data(), text.size());
    room += text.size();
  };
  put(kStart);
  proto::accept_key(e.field(e.head.find(proto::FieldName::sec_websocket_key)), reinterpret_cast<char*>(room));
  room += proto::kAcceptKeySize;
  if (!protocol.empty()) {
    put(kProtocol);
    put(protocol);
  }
  if (!extensions.empty()) {
    put(kExtensions);
    put(extensions);
  }
  put("\r\n");
  if (!e.fields.empty()) put(e.fields.text());
  put("\r\n");
  return true;
}

// Puts what lasts into the lazy block, where there is any: the request and the subprotocol. False when memory is out.
bool keep(session::Exchange& e, const WsRouteEntry& route, std::string_view protocol, session::WsExtras*& extras) noexcept {
  if (!route.keep_request && protocol.empty()) return true;
  extras = base::create<session::WsExtras>();
  if (!extras) return false;
  const auto* chosen = protocol.empty() ? nullptr : extras->slots.find_or_add<ChosenProtocol>(protocol);
  const auto* kept = route.keep_request ? extras->slots.find_or_add<KeptRequest>(e, route.handlers.options.keep_headers) : nullptr;
  if ((protocol.empty() || (chosen && chosen->name.ok())) && (!route.keep_request || (kept && kept->ok()))) return true;
  base::destroy(extras);
  return false;
}

}  // namespace

const session::WsSink ws_sink{on_message, on_ping, on_pong, on_drain, on_error, on_close};
const session::WsSink observed_ws_sink{
    on_observed_message,
    watched<on_ping, net::Connection&, std::string_view>,
    watched<on_pong, net::Connection&, std::string_view>,
    watched<on_drain, net::Connection&>,
    watched<on_error, net::Connection&, const ErrorInfo&>,
    watched<on_close, net::Connection&, const CloseInfo&>,
};

void accept_websocket(routing::RoutedWorker& worker, session::Exchange& e, session::WsRoute& to) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  WsRouteEntry& route = entry_of(to);
  if (e.flags.responded) return;
  if (!origin_allowed(route, e)) return refuse(e, 403, "This origin is not allowed.");
  using Entered = RealtimeWorker::Entered;
  const Entered entered = w.enter_route(route);
  if (entered == Entered::full) return refuse(e, 503, "Too many connections.");
  const std::string_view protocol = choose_protocol(route, e);
  if (protocol.empty() && e.head.count(proto::FieldName::sec_websocket_protocol)) tell_of_no_protocol(route, e);
  session::WsExtras* extras = nullptr;
  if (entered == Entered::no_memory || !keep(e, route, protocol, extras)) {
    if (entered == Entered::yes) w.leave_route(route);
    return refuse(e, 503, "Out of memory.");
  }
  net::Connection& c = *e.connection;
  session::DeflateDecision decision;
  decide_compression(w, e, route, decision);
  if (e.flags.watched) {
    e.status = 101;
    session::announce_answer(e, 0);
  }
  if (!send_switching(e, protocol, {decision.answer, decision.answer_size})) {
    if (decision.own) w.sessions.compression->give_back(decision.own);
    w.leave_route(route);
    base::destroy(extras);
    return w.reactor.abort(c);
  }
  e.flags.upgraded = true;
  session::start_websocket(w.sessions, c, route);
  link(w, route, c);
  auto& state = c.state<session::WsState>();
  state.extras = extras;
  state.deflated = decision.agreed;
  state.deflate = decision.own;
  if (route.look) begin_times(w, route, c);
  w.parts.opened(c);
  const WebSocket ws = w.handle(c);
  auto& handler = route.on_open ? route.on_open : route.handlers.open;
  if (handler && !handler(ws, e.request)) {
    w.report_failure(route.pattern, ws);
    session::handler_failed(w.sessions, c);
  }
  if (w.draining) w.say_goodbye(c);  // it was let in before the drain, and asked after that
}

}  // namespace martlet::realtime

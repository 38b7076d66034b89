// What happens to a WebSocket: accepting it, its messages, its end; each handed to the route's handlers and then to
// the connection's own.
#include <cstring>
#include <type_traits>
#include <utility>

#include "realtime/admission.h"
#include "realtime/agents.h"
#include "realtime/connection_slots.h"
#include "realtime/kept_request.h"
#include "realtime/listeners.h"
#include "realtime/log_lines.h"
#include "realtime/realtime.h"
#include "realtime/ws_steps.h"
#include "base/bytes.h"
#include "net/output.h"
#include "net/reactor.h"
#include "proto/ws_handshake.h"
#include "session/http_response.h"

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
    w.report_failure(route.pattern, w.handle(c), after_failure(event));
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
  const bool opened = !find_slot<PendingSocket>(c);
  if (log_level() == LogLevel::debug) [[unlikely]] log_close(c, why);
  Function<void(WebSocket, const CloseInfo&)> none;
  run_handlers(entry, c, opened ? entry.handlers.close : none, Event::close, why);
  w.parts.closed(c, why);
  auto& ws = c.state<session::WsState>();
  if (ws.rooms) w.in_rooms->leave_all(w, c);
  if (opened) unlink(w, entry, c);
  w.leave_route(entry);
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
  return !w.observe(c, view) || on_message(route, c, view);
}

// Handshakes ----------------------------------------------------------------------------------------------------------

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

// Puts what lasts into the lazy block, where there is any: the request and the subprotocol; and what steps need. False when
// memory is out.
bool keep(const RealtimeWorker& w, session::Exchange& e, const WsRouteEntry& route, std::string_view protocol, session::WsExtras*& extras) noexcept {
  if (!route.keep_request && protocol.empty() && !route.steps) return true;
  extras = base::create<session::WsExtras>();
  if (!extras) return false;
  const auto* chosen = protocol.empty() ? nullptr : extras->slots.find_or_add<ChosenProtocol>(protocol);
  const auto* kept = route.keep_request ? extras->slots.find_or_add<KeptRequest>(e, route.handlers.options.keep_headers) : nullptr;
  const bool prepared = !route.steps || w.open_steps->prepare(*extras);
  if (prepared && (protocol.empty() || (chosen && chosen->name.ok())) && (!route.keep_request || (kept && kept->ok()))) return true;
  base::destroy(extras);
  return false;
}

void call_open(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, session::Exchange& e) noexcept {
  const WebSocket ws = w.handle(c);
  if (w.open_sessions) w.open_sessions->begin(w, c);
  auto& handler = route.on_open ? route.on_open : route.handlers.open;
  if (handler && !handler(ws, e.request)) {
    w.report_failure(route.pattern, ws, RealtimeWorker::Then::closes);
    session::handler_failed(w.sessions, c);
  }
  if (w.draining) w.say_goodbye(c);  // it was let in before the drain, and asked after that
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
  Verdict verdict;
  if (route.verified_protocol) {
    verdict.protocol = route.verified_protocol(e);
  } else {
    verdict = judge_handshake(route, e);
  }
  if (verdict.status != 101) return refuse_handshake(e, verdict.status, verdict.text);
  using Entered = RealtimeWorker::Entered;
  const Entered entered = w.enter_route(route);
  if (entered == Entered::full) return refuse_handshake(e, 503, "Too many connections.");
  const std::string_view protocol = verdict.protocol;
  session::WsExtras* extras = nullptr;
  if (entered == Entered::no_memory || !keep(w, e, route, protocol, extras)) {
    if (entered == Entered::yes) w.leave_route(route);
    return refuse_handshake(e, 503, "Out of memory.");
  }
  net::Connection& c = *e.connection;
  if (w.open_sessions && !w.open_sessions->admit(w, c, route, e, extras)) {
    w.leave_route(route);
    return base::destroy(extras);
  }
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
  auto& state = c.state<session::WsState>();
  state.extras = extras;
  state.deflated = decision.agreed;
  state.deflate = decision.own;
  if (route.look) begin_times(w, route, c);
  if (route.steps) {
    state.published = kNothingPublished;
    w.parts.opened(c);
    return w.open_steps->begin(w, c, route, e);
  }
  link(w, route, c);
  w.parts.opened(c);
  call_open(w, c, route, e);
}

void open_websocket(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, session::Exchange& e) noexcept {
  link(w, route, c);
  if (c.followed) w.parts.drained(c);  // it was in a room already, and takes what that has for it from now on
  call_open(w, c, route, e);
}

}  // namespace martlet::realtime

// See log_lines.h.
#include "realtime/log_lines.h"

#include <martlet/websocket_names.h>

#include "realtime/connection_slots.h"
#include "realtime/kept_request.h"
#include "realtime/realtime.h"
#include "session/ws_session.h"
#include "sys/log_line.h"
#include "worker/line_parts.h"

namespace martlet::realtime {

namespace {

using codec::LogText;

const WsRouteEntry& route_of(net::Connection& c) noexcept { return *static_cast<const WsRouteEntry*>(c.state<session::WsState>().route); }

void add_name(LogText& line, std::string_view pattern, const WebSocket& ws) noexcept {
  char id[MessageAccess::kIdBytes];
  MessageAccess::write_id(ws, id);
  line.add("WebSocket ").add_escaped(pattern, worker::kPatternBytes).add(" ").add({id, sizeof id});
}

// Where its request is kept.
void add_params(LogText& line, net::Connection& c) noexcept {
  const auto* kept = find_slot<KeptRequest>(c);
  if (!kept) return;
  const size_t begin = line.text().size();
  for (const NamedText& param : kept->params()) {
    if (!worker::has_room_for_param(line, begin)) return;
    line.add_field(param.name, param.value, worker::kValueBytes);
  }
}

void add_close(LogText& line, CloseCode code, CloseCause cause) noexcept {
  line.add(" ").add(static_cast<uint64_t>(code)).add(" ").add(name_of(cause));
}

void log_at(LogLevel level, net::Connection& c, const CloseInfo& why) noexcept {
  if (!sys::may_log(level)) return;
  const WsRouteEntry& route = route_of(c);
  const WebSocket ws = route.worker->handle(c);
  LogText line;
  add_name(line, route.pattern, ws);
  add_close(line, why.code, why.cause);
  add_params(line, c);
  worker::add_user(line, sys::user_of(ws));
  if (!why.reason.empty()) line.add(": ").add_sentence(why.reason);
  sys::log_line(level, line.text());
}

// Nobody has to look for a reason.
bool is_ordinary(const CloseInfo& why) noexcept {
  const bool wanted = why.cause == CloseCause::peer_close || why.cause == CloseCause::local_close || why.cause == CloseCause::drain;
  return wanted && (why.code == CloseCode::normal || why.code == CloseCode::going_away || why.code == CloseCode::no_status);
}

}  // namespace

void describe_socket(worker::Worker& w, const WebSocket& ws, std::string_view route, bool closes, LogText& line) noexcept {
  net::Connection* c = w.websocket(MessageAccess::id(ws));
  if (!c) return add_name(line, route, ws);
  const std::string_view pattern = route_of(*c).pattern;
  add_name(line, pattern, ws);
  if (route != pattern) line.add(" ").add_escaped(route, worker::kValueBytes);
  if (closes && c->state<session::WsState>().ready == ReadyState::open && !c->closing) add_close(line, CloseCode::internal_error, CloseCause::handler_failure);
  add_params(line, *c);
}

void log_close(net::Connection& c, const CloseInfo& why) noexcept {
  if (!is_ordinary(why)) log_at(LogLevel::debug, c, why);
}

void log_mistake(net::Connection& c, const CloseInfo& why) noexcept { log_at(LogLevel::warn, c, why); }

}  // namespace martlet::realtime

// See proxied.h. The state is HTTP's from the beginning: what has come of the header is held there as the beginning of a head
// would be, and what follows the header stays held.
#include "session/proxied.h"

#include <new>

#include "base/limits.h"
#include "net/reactor.h"
#include "proto/proxy_header.h"
#include "session/http_held.h"
#include "session/http_pace.h"
#include "session/http_session.h"
#include "session/http_steps.h"
#include "session/origin.h"
#include "sys/log_line.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

constexpr size_t kReadBytes = size_t{16} << 10;  // the header, and a head behind it

void refuse(Sessions& s, net::Connection& c, const char* cause) noexcept {
  s.stats.bad_requests++;
  sys::log_limited(LogLevel::warn, "proxy_protocol: a connection was cut", cause);
  s.reactor.abort(c);
}

// The header is read; [at, end) is the client's.
void begin_http(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept {
  HttpState& http = c.state<HttpState>();
  hold(s, c, at, end);
  if (c.closing) return;
  http.got_bytes = at < end;
  c.protocol = &http_protocol;
  enter(s, c, HttpPhase::head);
  s.reactor.arm(c, s.limits.head_timeout_ms);
  if (http.held) s.reactor.mark_ready(c);
}

void take(Sessions& s, net::Connection& c, const uint8_t* begin, const uint8_t* end) noexcept {
  proto::ProxyHeader header;
  const char* cause = "";
  switch (proto::parse_proxy_header({begin, end}, header, cause)) {
    case proto::ParseStatus::need_more: return hold(s, c, begin, end);
    case proto::ParseStatus::error: return refuse(s, c, cause);
    case proto::ParseStatus::done: break;
  }
  if (!s.origins->note(s.origins->context, c, header)) return s.reactor.abort(c);
  begin_http(s, c, begin + header.size, end);
}

void on_readable(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  HttpState& http = c.state<HttpState>();
  uint8_t* to = reactor.receive_buffer;
  size_t room = kReadBytes;
  if (http.held) {
    if (!grow_held(s, http)) return reactor.abort(c);
    to = http.held->data() + http.held_end;
    if (const size_t left = http.held->capacity - http.held_end; left < room) room = left;
  }
  const sys::IoResult io = sys::receive(c.fd, to, room);
  if (io.status == sys::IoStatus::would_block) return;
  if (io.status == sys::IoStatus::failed) return reactor.broken(c, io.os_code);
  if (io.bytes == 0) return reactor.abort(c);
  c.last_seen_ms = reactor.now_ms();
  if (!http.held) {
    reactor.note_received(io.bytes);
    return take(s, c, to, to + io.bytes);
  }
  http.held_end += static_cast<uint32_t>(io.bytes);
  take(s, c, http.held->data() + http.held_begin, http.held->data() + http.held_end);
}

void on_ready(net::Reactor&, net::Connection&) {}
void on_drained(net::Reactor&, net::Connection&) {}
void on_broken(net::Reactor&, net::Connection&, int) {}

void on_deadline(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  const HttpState& http = c.state<HttpState>();
  uint32_t left_ms = base::kNeverMs;
  // Once more before it is called silent: a loop that was kept busy may not have got to it.
  if (passed(reactor, http.since_ms, s.limits.head_timeout_ms, left_ms)) reactor.hear(c);
  if (c.closing || c.protocol != &proxied_protocol) return;
  if (passed(reactor, http.since_ms, s.limits.head_timeout_ms, left_ms)) return refuse(s, c, "The header took too long.");
  reactor.arm(c, left_ms);
}

void on_reap(net::Reactor&, net::Connection& c) { release_held(c.state<HttpState>()); }

}  // namespace

const net::Protocol proxied_protocol{on_readable, on_ready, on_drained, on_deadline, on_broken, on_reap, false, false, true};

void start_proxied(Sessions& s, net::Connection& c) noexcept {
  c.protocol = &proxied_protocol;
  new (c.session) HttpState{};
  enter(s, c, HttpPhase::head);
  s.reactor.arm(c, s.limits.head_timeout_ms);
}

}  // namespace martlet::session

// See discard.h.
#include "session/discard.h"

#include <new>

#include "base/limits.h"
#include "net/output.h"
#include "net/reactor.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

// Per readiness. Others must not wait for what nobody wants.
constexpr size_t kReadBytes = size_t{64} << 10;

// The output has left.
void shut(Sessions& s, net::Connection& c) noexcept {
  DiscardState& d = c.state<DiscardState>();
  d.shut = true;
  d.since_ms = c.last_seen_ms = s.reactor.now_ms();
  sys::shutdown_sending(c.fd);
  const HttpLimits& limits = s.limits;
  s.reactor.arm(c, limits.discard_idle_ms < limits.discard_ms ? limits.discard_idle_ms : limits.discard_ms);
}

// No more is read: it ends as soon as it has nothing to say.
void stop(Sessions& s, net::Connection& c, net::Pause reason) noexcept {
  s.reactor.pause(c, reason);
  s.reactor.finish(c);
}

// A connection takes a place with the first bytes it is sent: most peers have nothing more to send, and only close.
bool take_place(Sessions& s, DiscardState& d) noexcept {
  if (d.has_place) return true;
  if (s.discarding >= s.limits.discarding) return false;
  s.discarding++;
  return d.has_place = true;
}

void on_readable(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  DiscardState& d = c.state<DiscardState>();
  const sys::IoResult io = sys::receive(c.fd, reactor.receive_buffer, kReadBytes);
  if (io.status == sys::IoStatus::would_block) return;
  if (io.status == sys::IoStatus::failed) return reactor.broken(c, io.os_code);
  if (io.bytes == 0) return stop(s, c, net::kPauseEof);  // it may still be reading
  c.last_seen_ms = reactor.now_ms();
  d.bytes += io.bytes;
  if (d.bytes > s.limits.discard_bytes || !take_place(s, d)) stop(s, c, net::kPauseInput);
}

void on_ready(net::Reactor&, net::Connection&) {}

void on_drained(net::Reactor& reactor, net::Connection& c) {
  if (!c.state<DiscardState>().shut) shut(sessions_of(reactor), c);
}

// How long until the next look; 0: it is over.
uint32_t time_left(Sessions& s, net::Connection& c) noexcept {
  const DiscardState& d = c.state<DiscardState>();
  const uint32_t now = s.reactor.now_ms();
  if (!d.shut) return d.most_words_ms == kAnyWords ? kAnyWords : base::time_left(now, d.since_ms, d.most_words_ms);
  const uint32_t left = base::time_left(now, d.since_ms, s.limits.discard_ms);
  // Once more before it is called silent: a loop that was kept busy may not have got to it.
  if (left && base::time_left(now, c.last_seen_ms, s.limits.discard_idle_ms) == 0) on_readable(s.reactor, c);
  const uint32_t idle_left = base::time_left(now, c.last_seen_ms, s.limits.discard_idle_ms);
  return idle_left < left ? idle_left : left;
}

void on_deadline(net::Reactor& reactor, net::Connection& c) {
  const uint32_t write_left = net::write_time_left(reactor, c);
  if (write_left == 0) return reactor.abort(c, true);
  if (c.closing) return;
  const uint32_t left = time_left(sessions_of(reactor), c);
  if (c.closing) return;
  if (left == 0) return reactor.abort(c, c.out != nullptr);  // an answer that was cut must not look like a whole one
  const uint32_t next = left < write_left ? left : write_left;
  if (next != UINT32_MAX) reactor.arm(c, next);
}

void on_broken(net::Reactor&, net::Connection&, int) {}

void on_reap(net::Reactor& reactor, net::Connection& c) {
  sessions_of(reactor).discarding -= c.state<DiscardState>().has_place;
}

}  // namespace

const net::Protocol discard_protocol{on_readable, on_ready, on_drained, on_deadline, on_broken, on_reap, false, true};

void start_discarding(Sessions& s, net::Connection& c, uint32_t most_words_ms) noexcept {
  c.protocol = &discard_protocol;
  DiscardState& d = *new (c.session) DiscardState{};
  if (!c.out) return shut(s, c);
  d.since_ms = s.reactor.now_ms();
  d.most_words_ms = most_words_ms;
  // The deadline that watched the write may be the one that has just ended the session.
  s.reactor.arm(c, most_words_ms < s.reactor.write_timeout_ms ? most_words_ms : s.reactor.write_timeout_ms);
}

}  // namespace martlet::session

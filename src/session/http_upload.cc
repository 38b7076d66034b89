// See http_upload.h.
#include "session/http_upload.h"

#include <span>

#include "base/limits.h"
#include "net/reactor.h"
#include "session/http_body.h"
#include "session/http_held.h"
#include "session/http_pace.h"
#include "session/http_response.h"
#include "session/http_steps.h"
#include "sys/socket.h"

namespace martlet::session {

void begin_waiting(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  e->flags.wants_body = false;
  wait_for_body(s, c, e);
  if (e->head.expects_continue && e->head.minor_version == 1) send_continue(s, c);
}

namespace {

constexpr uint64_t kPassedBytes = uint64_t{1} << 20;  // of a body after the answer

// The body is whole: runs the steps, or those that have waited for it. False: the connection cannot go on now.
bool run_with_body(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  if (e->flags.is_upgrade) return run_handshake(s, c, e);
  if (!e->flags.body_coming) {
    s.stats.requests++;
  } else {
    e->flags.body_coming = e->flags.close_after = false;
    if (e->tasks) e->tasks->hooks->body_is_whole(*e);
    if (e->flags.responded) return end_exchange(s, c, e), true;
    if (!e->flags.chain_waits) return after_steps(s, c, e);  // it was a task that wanted it
    e->flags.chain_waits = false;
  }
  call_steps(s, c, e, s.http.run_chain);
  return after_steps(s, c, e);
}

// The body of an answered request is passed over when it is small, as the next request is worth more. Who waits to be told
// to go on is told by the answer, and may not send it at all.
bool is_worth_passing(const Exchange& e) noexcept {
  return e.head.framing == proto::BodyFraming::content_length && e.head.content_length <= kPassedBytes && !e.head.expects_continue;
}

// The head is here, and a part of the body: runs the steps up to the first that wants it whole. A handshake's is read first.
void run_early(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  HttpState& http = c.state<HttpState>();
  http.request_ms = http.phase == HttpPhase::head ? http.since_ms : s.reactor.now_ms();
  if (e->flags.is_upgrade) return begin_waiting(s, c, e);
  s.stats.requests++;
  e->flags.body_coming = true;
  e->flags.close_after = !is_worth_passing(*e);
  call_steps(s, c, e, s.http.run_chain);
  after_steps(s, c, e);
}

// The body is whole, or refused; [at, end) is behind it.
void after_body(Sessions& s, net::Connection& c, const Body& body, const uint8_t* at, const uint8_t* end) noexcept {
  HttpState& http = c.state<HttpState>();
  Exchange* e = http.exchange;
  if (body.state == BodyState::refused) return refuse_request(s, c, e, body.status, body.cause);
  http.exchange = nullptr;
  http.phase = HttpPhase::idle;
  if (run_with_body(s, c, e)) return run_requests(s, c, at, end);
  if (!c.closing && http.phase == HttpPhase::response) hold(s, c, at, end);
}

// [at, end) came with the head of a body that is wanted by now, or is to be passed over. It is not the whole of it.
void take_beginning(Sessions& s, net::Connection& c, Exchange* e, const uint8_t*& at, const uint8_t* end) noexcept {
  if (at == end) return;
  const Body body = take_copied(s, *e, at, end);
  if (body.state == BodyState::refused) refuse_request(s, c, e, body.status, body.cause);
}

}  // namespace

void wait_for_body(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  HttpState& http = c.state<HttpState>();
  http.exchange = e;
  enter(s, c, HttpPhase::body);
  c.last_seen_ms = http.since_ms;  // it may have been held for long
  uint32_t left_ms = base::kNeverMs;
  s.reactor.arm(c, body_passed(s, c, left_ms) ? 0 : left_ms);
}

bool take_with_body(Sessions& s, net::Connection& c, Exchange* e, const uint8_t*& at, const uint8_t* end) noexcept {
  const uint8_t* next;
  s.http.find_chain(s.http.context, *e);
  const Body body = begin_body(s, *e, at, end, next);
  at = next;
  if (body.state == BodyState::whole) return run_with_body(s, c, e);
  if (body.state == BodyState::refused) return refuse_request(s, c, e, body.status, body.cause), false;
  run_early(s, c, e);
  if (!c.closing && c.state<HttpState>().phase == HttpPhase::body) take_beginning(s, c, e, at, end);
  return false;  // with an answer still owed, what is here of the body is held
}

void read_body(Sessions& s, net::Connection& c) noexcept {
  HttpState& http = c.state<HttpState>();
  Exchange* e = http.exchange;
  const std::span<uint8_t> room = body_room(s, *e);
  if (room.empty()) return refuse_request(s, c, e, kNoBodyMemory.status, kNoBodyMemory.cause);
  const sys::IoResult io = sys::receive(c.fd, room.data(), room.size());
  if (io.status == sys::IoStatus::failed) return s.reactor.broken(c, io.os_code);
  if (io.status == sys::IoStatus::would_block) return;
  if (io.bytes == 0) {  // the body will never be whole; what was answered before it still leaves
    s.reactor.pause(c, net::kPauseEof);
    return s.reactor.finish(c);
  }
  c.last_seen_ms = s.reactor.now_ms();
  const uint8_t* at = room.data();
  const uint8_t* end = at + io.bytes;
  if (at == s.reactor.receive_buffer) s.reactor.note_received(io.bytes);
  const Body body = take_body(s, *e, at, end);
  if (body.state == BodyState::coming) return;
  after_body(s, c, body, at, end);
}

// It came while a step was thinking about the head.
void take_held_body(Sessions& s, net::Connection& c) noexcept {
  HttpState& http = c.state<HttpState>();
  const uint8_t* at = http.held->data() + http.held_begin;
  const uint8_t* end = http.held->data() + http.held_end;
  const Body body = take_copied(s, *http.exchange, at, end);
  if (body.state != BodyState::coming) return after_body(s, c, body, at, end);
  release_held(http);
  if (c.pause & net::kPauseEof) s.reactor.finish(c);
}

void read_waiting(Sessions& s, net::Connection& c) noexcept {
  s.reactor.resume(c, net::kPauseInput);
  if (c.state<HttpState>().held) {
    s.reactor.mark_ready(c);
  } else if (c.pause & net::kPauseEof) {
    s.reactor.finish(c);
  }
}

void want_body(Exchange& e) noexcept {
  if (e.flags.in_handler) return;  // the session looks afterwards
  Sessions& s = *e.sessions;
  net::Connection& c = *e.connection;
  if (c.state<HttpState>().phase == HttpPhase::body) return void(e.flags.wants_body = false);  // it comes, for another step
  c.state<HttpState>().request_ms = s.reactor.now_ms();  // what the step has taken is not the peer's
  begin_waiting(s, c, &e);
  if (!c.closing) read_waiting(s, c);
}

}  // namespace martlet::session

// HTTP/1.1 on a connection: see http_session.h. In order: exchanges, errors, one request, the loop over what was read,
// reading, deadlines, the protocol's entry points. Bodies are gathered in http_body.cc.
#include "session/http_session.h"

#include <cstring>
#include <span>

#include "base/limits.h"
#include "net/output.h"
#include "net/reactor.h"
#include "proto/ws_handshake.h"
#include "session/discard.h"
#include "session/http_body.h"
#include "session/http_held.h"
#include "session/http_pace.h"
#include "session/http_refusal.h"
#include "session/http_response.h"
#include "session/http_steps.h"
#include "session/http_upload.h"
#include "session/ws_session.h"
#include "sys/socket.h"

namespace martlet::session {

namespace {

constexpr size_t kReadBytes = kBodyReadBytes;         // per readiness
constexpr uint32_t kHeldBytes = uint32_t{64} << 10;  // above it reading stops
constexpr int kRequestBudget = 256;                 // per dispatch
constexpr uint32_t kDrainGraceMs = 1000;

// Exchanges -----------------------------------------------------------------------------------------------------------

Exchange* take_exchange(Sessions& s, net::Connection& c) noexcept {
  Exchange* e = s.spare ? s.spare : s.exchanges.take(s, c);
  s.spare = nullptr;
  if (e) e->connection = &c;
  return e;
}

// True when its tasks keep it, or a WebSocket's steps; else what it owns is given back.
[[gnu::cold]] [[gnu::noinline]] bool is_held_by_tasks(Exchange* e) noexcept {
  if (e->watch) [[unlikely]] e->end_watch();  // also of one that its tasks still keep
  if (e->tasks && e->tasks->hooks->let_go(*e)) return true;
  if (e->keeper.generation) return e->connection = &Exchange::nobody, true;
  e->give_back();
  return false;
}

void give_back_exchange(Sessions& s, Exchange* e) noexcept {
  if (e->flags.owns_more) [[unlikely]] {
    if (is_held_by_tasks(e)) return;
  }
  e->reset(*e->connection);
  if (s.spare) {
    s.exchanges.give_back(e);
  } else {
    s.spare = e;
  }
}

}  // namespace

void enter(Sessions& s, net::Connection& c, HttpPhase phase) noexcept {
  HttpState& http = c.state<HttpState>();
  http.phase = phase;
  http.since_ms = s.reactor.now_ms();
}

namespace {

// Errors --------------------------------------------------------------------------------------------------------------

// The last answer was given: what still comes is thrown away for a while, see discard.h.
void linger(Sessions& s, net::Connection& c) noexcept {
  if (c.pause & net::kPauseEof) return s.reactor.finish(c);  // nothing more can come
  enter(s, c, HttpPhase::lingering);
  if (s.reactor.cork.owner != &c) s.reactor.end_session(c);  // else when the answer has left the cork
}

void refuse(Sessions& s, net::Connection& c, int status, std::string_view cause, std::string_view extra = {},
            bool head_only = false) noexcept {
  s.stats.bad_requests++;
  send_error(s, c, status, cause, extra, head_only);
  linger(s, c);
}

// One request ---------------------------------------------------------------------------------------------------------

// After the handler has returned, or the last answer of an exchange that outlived it has been given.
[[gnu::always_inline]] inline void end_with_body(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  HttpState& http = c.state<HttpState>();
  const bool close = e->flags.close_after;
  if (!e->flags.upgraded) {
    http.exchange = nullptr;
    enter(s, c, HttpPhase::idle);
    if (close) {
      linger(s, c);
    } else if (s.limits.keep_alive_ms < s.limits.head_timeout_ms) {
      s.reactor.arm(c, s.limits.keep_alive_ms);  // else what is armed comes early enough
    }
  }
  give_back_exchange(s, e);
}

// Somebody will answer later. The exchange is detached.
void await_answer(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  c.state<HttpState>().exchange = e;
  enter(s, c, HttpPhase::response);
  if (e->flags.is_upgrade) s.reactor.arm(c, s.limits.handshake_ms);
  const uint32_t left_ms = answer_time_left(s, *e, s.reactor.now_ms());
  if (left_ms != kNoLimit) s.reactor.arm(c, left_ms);
}

}  // namespace

void release_exchange(Exchange& e) noexcept { give_back_exchange(*e.sessions, &e); }

void end_exchange(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  if (e->flags.body_coming & !e->flags.close_after) {  // to pass over it
    e->flags.settled = true;
    e->drop_coming_body();
    if (e->tasks) e->tasks->hooks->answered(*e);
    return wait_for_body(s, c, e);
  }
  end_with_body(s, c, e);
}

// The request of an exchange, which is over with it: but for a step of the application's that answers later. `cause` and
// `extra` are static texts.
void refuse_request(Sessions& s, net::Connection& c, Exchange* e, int status, std::string_view cause, std::string_view extra) noexcept {
  s.stats.bad_requests++;
  if (e->flags.responded) {  // what is wrong is the body that is passed over
    e->flags.close_after = true;
    return end_exchange(s, c, e);
  }
  HttpState& http = c.state<HttpState>();
  http.exchange = e;
  run_refusal(s, *e, {status, cause, extra});
  if (!e->flags.responded && !c.closing) return await_answer(s, c, e);
  if (!c.closing) return settle_exchange(*e);
  http.exchange = nullptr;
  give_back_exchange(s, e);
}

namespace {

// The steps have been run as far as they go. False when the connection cannot go on with the next request now.
template <bool kHasBody>
[[gnu::always_inline]] inline bool finish_steps(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  HttpState& http = c.state<HttpState>();
  e->flags.in_handler = false;
  if (!e->flags.upgraded) http.exchange = nullptr;
  if (c.closing) return give_back_exchange(s, e), false;
  if (e->flags.responded || e->flags.upgraded) {
    const bool go_on = !e->flags.close_after && !e->flags.upgraded && !(kHasBody && e->flags.body_coming);
    kHasBody ? end_exchange(s, c, e) : end_with_body(s, c, e);
    return go_on;
  }
  if (kHasBody && e->flags.wants_body) return begin_waiting(s, c, e), false;
  if (!e->flags.detached && !detach_exchange(*e)) return refuse_request(s, c, e, 503, "Out of memory."), false;
  return await_answer(s, c, e), false;
}

}  // namespace

bool after_steps(Sessions& s, net::Connection& c, Exchange* e) noexcept { return finish_steps<true>(s, c, e); }

void call_steps(Sessions& s, net::Connection& c, Exchange* e, void (*steps)(void*, Exchange&)) noexcept {
  c.state<HttpState>().exchange = e;
  e->flags.in_handler = true;
  steps(s.http.context, *e);
}

bool run_handshake(Sessions& s, net::Connection& c, Exchange* e) noexcept {
  s.stats.requests++;
  const proto::Handshake handshake = proto::check_handshake(e->head, e->base);
  if (handshake.status == 101) {
    call_steps(s, c, e, s.http.on_upgrade);
    return after_steps(s, c, e);
  }
  refuse_request(s, c, e, handshake.status, handshake.cause, handshake.status == 426 ? kUpgradeFields : "");
  return false;
}

namespace {

// The loop over what was read -----------------------------------------------------------------------------------------

// Parses and runs one request at `at`. True: it was taken and `at` stands behind it. False: stop here.
bool take_request(Sessions& s, net::Connection& c, const uint8_t*& at, const uint8_t* end) noexcept {
  HttpState& http = c.state<HttpState>();
  Exchange* e = take_exchange(s, c);
  if (!e) return s.reactor.abort(c), false;
  proto::HttpError error;
  const auto status = s.parser.parse_request_head({at, end}, s.limits.head, http.scanned, e->head, error);
  if (status != proto::ParseStatus::done) {
    s.spare = e;
    if (status == proto::ParseStatus::error) {
      at = end;
      refuse(s, c, error.status, error.cause);
    }
    return false;
  }
  http.scanned = 0;
  e->base = at;
  e->request_number = ++http.request_number;  // before anything can wait: a late call for an earlier one must miss
  e->flags.is_upgrade = e->head.connection_upgrade && proto::asks_for_websocket(e->head, at);
  if (e->head.framing != proto::BodyFraming::none) [[unlikely]] return take_with_body(s, c, e, at, end);
  at += e->head.head_bytes;
  if (e->flags.is_upgrade) [[unlikely]] return run_handshake(s, c, e);
  s.stats.requests++;
  call_steps(s, c, e, s.http.on_request);
  return finish_steps<false>(s, c, e);
}

// With requests that are held: in the next turn, or when the output has left. What a late answer has added to output that
// waited already was not written, and has not paused anything.
void go_on_later(Sessions& s, net::Connection& c) noexcept {
  if (c.out && c.out->blocked && c.out->bytes >= net::Reactor::kPauseReadingBytes) {
    s.reactor.pause(c, net::kPauseOutput);
  }
  if (!(c.pause & net::kPauseOutput)) s.reactor.mark_ready(c);
}

// Where the connection stands after the requests that could be run: waits for the rest of a head, or goes on later.
void after_requests(Sessions& s, net::Connection& c, bool stopped_early) noexcept {
  HttpState& http = c.state<HttpState>();
  const uint32_t held = http.held_end - http.held_begin;
  if (http.phase == HttpPhase::idle || http.phase == HttpPhase::head) {
    if (stopped_early && held) {
      go_on_later(s, c);
    } else if (c.pause & net::kPauseEof) {
      s.reactor.finish(c);
    } else if (held && http.phase == HttpPhase::idle) {
      enter(s, c, HttpPhase::head);
      s.reactor.arm(c, s.limits.head_timeout_ms);
    }
  } else if (http.phase == HttpPhase::body && (c.pause & net::kPauseEof)) {
    s.reactor.finish(c);  // the body will never be whole; what was answered before it still leaves
  } else if (http.phase == HttpPhase::response && held >= kHeldBytes) {
    s.reactor.pause(c, net::kPauseInput);
  }
}

}  // namespace

// Works through [at, end). The cork is open.
void run_requests(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept {
  int budget = kRequestBudget;
  bool stopped_early = false;
  while (at < end) {
    if (budget-- == 0 || net::unsent_bytes(s.reactor, c) >= net::Reactor::kPauseReadingBytes) {
      stopped_early = true;
      break;
    }
    if (!take_request(s, c, at, end)) break;
  }
  if (c.closing) return;
  if (c.protocol != &http_protocol) {
    feed_websocket(s, c, at, end);
    return;
  }
  if (c.finish || c.state<HttpState>().phase == HttpPhase::lingering) return release_held(c.state<HttpState>());
  hold(s, c, at, end);
  if (!c.closing) after_requests(s, c, stopped_early);
}

namespace {

// Reading -------------------------------------------------------------------------------------------------------------

void peer_ended(Sessions& s, net::Connection& c) noexcept {
  HttpState& http = c.state<HttpState>();
  s.reactor.pause(c, net::kPauseEof);
  if (http.phase == HttpPhase::response && !s.limits.half_close_is_abort) return;  // what was asked is still answered
  if (c.out && http.phase != HttpPhase::lingering) return s.reactor.finish(c);
  s.reactor.abort(c);
}

void read_requests(Sessions& s, net::Connection& c) noexcept {
  HttpState& http = c.state<HttpState>();
  uint8_t* to = s.reactor.receive_buffer;
  size_t room = kReadBytes;
  if (http.held) {
    if (!grow_held(s, http)) return s.reactor.abort(c);
    to = http.held->data() + http.held_end;
    if (const size_t left = http.held->capacity - http.held_end; left < room) room = left;
  }
  const sys::IoResult io = sys::receive(c.fd, to, room);
  if (io.status != sys::IoStatus::ok || io.bytes == 0) [[unlikely]] {
    if (io.status == sys::IoStatus::failed) return s.reactor.broken(c, io.os_code);
    if (io.end_of_stream()) peer_ended(s, c);
    return;
  }
  c.last_seen_ms = s.reactor.now_ms();
  http.got_bytes = true;
  const uint8_t* begin = to;
  if (http.held) {
    http.held_end += static_cast<uint32_t>(io.bytes);
    begin = http.held->data() + http.held_begin;
  } else {
    s.reactor.note_received(io.bytes);
  }
  if (http.phase == HttpPhase::response) {  // an answer is owed: this waits
    hold(s, c, begin, to + io.bytes);
    return after_requests(s, c, false);
  }
  run_requests(s, c, begin, to + io.bytes);
}

void finish_dispatch(Sessions& s, net::Connection& c) noexcept {
  if (c.protocol != &http_protocol) {
    return end_websocket_dispatch(s, c);
  }
  net::close_cork(s.reactor, c);
  if (c.closing) return;
  if (c.state<HttpState>().phase == HttpPhase::lingering) s.reactor.end_session(c);
}

// Entry points --------------------------------------------------------------------------------------------------------

void on_readable(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  const HttpPhase phase = c.state<HttpState>().phase;
  // Requests are held and on the ready list: reading goes on after them. Else each turn of a flood would move what is
  // held to the front of its block, for a few requests' room.
  if (c.in_ready && c.state<HttpState>().held) return;
  net::open_cork(reactor, c);
  phase == HttpPhase::body ? read_body(s, c) : read_requests(s, c);
  finish_dispatch(s, c);
}

// Something is held that no answer is in the way of.
bool may_go_on(const HttpState& http) noexcept { return http.held && (!http.exchange || http.phase == HttpPhase::body); }

void on_ready(net::Reactor& reactor, net::Connection& c) {
  HttpState& http = c.state<HttpState>();
  if (!may_go_on(http) || (c.pause & net::kPauseOutput)) return;
  Sessions& s = sessions_of(reactor);
  net::open_cork(reactor, c);
  if (http.phase == HttpPhase::body) {
    take_held_body(s, c);
  } else {
    run_requests(s, c, http.held->data() + http.held_begin, http.held->data() + http.held_end);
  }
  finish_dispatch(s, c);
}

void on_drained(net::Reactor& reactor, net::Connection& c) {
  HttpState& http = c.state<HttpState>();
  // It has the answer only now, and it may not have been read meanwhile.
  if (http.phase != HttpPhase::response) http.since_ms = http.request_ms = reactor.now_ms();
  if (may_go_on(http)) reactor.mark_ready(c);
}

// The application owes an answer.
void check_answer(Sessions& s, net::Connection& c, uint32_t& left_ms) noexcept {
  const HttpState& http = c.state<HttpState>();
  Exchange* e = http.exchange;
  if (e->flags.is_upgrade && passed(s.reactor, http.since_ms, s.limits.handshake_ms, left_ms)) {
    return refuse_request(s, c, e, 408, "The handshake took too long.");
  }
  const uint32_t answer_ms = answer_time_left(s, *e, http.since_ms);
  if (answer_ms == 0) return answer_overdue(*e);
  if (answer_ms < left_ms) left_ms = answer_ms;
}

// What is due now; false: nothing, and left_ms says when to look again.
void check_phase(Sessions& s, net::Connection& c, uint32_t& left_ms) noexcept {
  HttpState& http = c.state<HttpState>();
  const net::Reactor& r = s.reactor;
  switch (http.phase) {
    case HttpPhase::idle:
      if (!c.out && passed(r, http.since_ms, s.limits.keep_alive_ms, left_ms)) s.reactor.finish(c);
      return;
    case HttpPhase::head:
      if (c.pause || !passed(r, http.since_ms, s.limits.head_timeout_ms, left_ms)) return;  // paused: it is not read
      return http.got_bytes ? refuse(s, c, 408, "The head of the request took too long.") : s.reactor.abort(c);
    case HttpPhase::body:
      if (c.pause || !body_passed(s, c, left_ms)) return;
      return refuse_request(s, c, http.exchange, 408, "The body of the request took too long.");
    case HttpPhase::response:
      return check_answer(s, c, left_ms);
    case HttpPhase::lingering: return;
  }
}

void on_deadline(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  uint32_t left_ms = net::write_time_left(reactor, c);
  if (left_ms == 0) return reactor.abort(c, true);
  if (!c.closing && is_overdue(s, c)) reactor.hear(c);
  if (c.closing || c.protocol != &http_protocol) return;
  if (left_ms > s.limits.keep_alive_ms) left_ms = s.limits.keep_alive_ms;
  net::open_cork(reactor, c);
  check_phase(s, c, left_ms);
  finish_dispatch(s, c);
  if (!c.closing) reactor.arm(c, left_ms);
}

void on_broken(net::Reactor&, net::Connection&, int) {}

void on_reap(net::Reactor& reactor, net::Connection& c) {
  Sessions& s = sessions_of(reactor);
  HttpState& http = c.state<HttpState>();
  if (Exchange* e = http.exchange) {
    if (e->aborted && !e->flags.responded) s.http.on_aborted(s.http.context, *e);
    give_back_exchange(s, e);
  }
  http.exchange = nullptr;
  release_held(http);
  if (c.goes_on) start_discarding(s, c, kAnyWords);
}

}  // namespace

const net::Protocol http_protocol{on_readable, on_ready, on_drained, on_deadline, on_broken, on_reap, false};

void start_http(Sessions& s, net::Connection& c, bool refuse_it) noexcept {
  c.protocol = &http_protocol;
  new (c.session) HttpState{};
  enter(s, c, HttpPhase::head);
  s.reactor.arm(c, s.limits.head_timeout_ms);
  if (!refuse_it) return;
  net::open_cork(s.reactor, c);
  refuse(s, c, 503, "Too many connections.");
  finish_dispatch(s, c);
}

Exchange* find_exchange(Sessions& s, base::SlotId id, uint32_t request_number) noexcept {
  net::Connection* c = s.reactor.find(id);
  if (!c || c->protocol != &http_protocol) return nullptr;
  Exchange* e = c->state<HttpState>().exchange;
  return e && e->request_number == request_number && !e->flags.settled ? e : nullptr;
}

void settle_exchange(Exchange& e) noexcept {
  if (e.flags.in_handler) return;
  Sessions& s = *e.sessions;
  net::Connection& c = *e.connection;
  if (e.flags.upgraded) {
    give_back_exchange(s, &e);
    return s.reactor.mark_ready(c);  // for frames that are held behind the handshake
  }
  end_exchange(s, c, &e);
  if (c.closing || c.finish || c.state<HttpState>().phase == HttpPhase::lingering) return;
  read_waiting(s, c);
}

void drain_http(Sessions& s, net::Connection& c) noexcept {
  const HttpState& http = c.state<HttpState>();
  if (http.phase == HttpPhase::idle && !http.held) s.reactor.finish(c);
  // Who has just been accepted may have sent a request that was not read yet.
  const bool silent = http.phase == HttpPhase::head && !http.got_bytes;
  if (silent && s.reactor.now_ms() - http.since_ms >= kDrainGraceMs) s.reactor.abort(c);
}

}  // namespace martlet::session

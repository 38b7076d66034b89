// The life of a worker: set-up, turns, drain, end. See worker.h.
#include "worker/worker.h"

#include <martlet/log.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "net/worker_registry.h"
#include "session/http_response.h"
#include "session/http_session.h"
#include "session/origin.h"
#include "sys/clock.h"
#include "sys/log_line.h"
#include "sys/process.h"
#include "worker/trust.h"

namespace martlet::worker {

thread_local constinit Worker* current_worker_ = nullptr;

namespace {

thread_local constinit Worker* workers_of_thread = nullptr;

// A worker belongs to the thread that gave it its first turn.
void join_thread(Worker& w) noexcept {
  if (!w.thread_mark) {
    w.thread_mark = &workers_of_thread;
    w.next_on_thread = workers_of_thread;
    workers_of_thread = &w;
  }
  MARTLET_CHECK(w.thread_mark == &workers_of_thread && "the turns of one App on two threads");
}

void leave_thread(Worker& w) noexcept {
  if (w.thread_mark != &workers_of_thread) return;
  for (Worker** link = &workers_of_thread; *link; link = &(*link)->next_on_thread) {
    if (*link != &w) continue;
    *link = w.next_on_thread;
    break;
  }
  w.thread_mark = nullptr;
}

}  // namespace

namespace {

Worker* find_by(uint32_t Worker::*which, uint32_t value) noexcept {
  for (Worker* w = workers_of_thread; w; w = w->next_on_thread) {
    if (w->*which != value) continue;
    w->reactor.refresh_clock();
    return w;
  }
  return nullptr;
}

}  // namespace

Worker* find_on_thread(uint32_t number) noexcept { return find_by(&Worker::number, number); }
Worker* find_member_on_thread(uint32_t first) noexcept { return find_by(&Worker::first, first); }

void wrong_thread(const char* what) noexcept {
  std::fprintf(stderr, "martlet: %s called off its worker's thread\n", what);
  std::abort();
}

namespace {

constexpr uint64_t kDrainStepNs = 20'000'000;

void on_accept(void* context, net::Connection& c, bool over_limit) {
  auto& w = *static_cast<Worker*>(context);
  if (over_limit) [[unlikely]] w.tell_limit();
  if (c.proxied && !over_limit) [[unlikely]] {
    const session::OriginFinder& finder = *w.sessions.origins;  // or nobody would listen so
    return finder.accept(finder.context, c);
  }
  session::start_http(w.sessions, c, over_limit);
}

void on_refuse(void* context, int fd) {
  auto& w = *static_cast<Worker*>(context);
  w.tell_limit();
  session::refuse_at_once(w.sessions, fd);
}

void before_flush(void* context) {
  auto& w = *static_cast<Worker*>(context);
  if (w.draining) w.keep_draining();
  if (w.group) w.end_group_turn();
  if (w.delivery_due) w.seam->deliver(w);
  w.parts.turn_ended();
  while (Retired* thing = w.retired) {
    w.retired = thing->next;
    base::destroy(thing);
  }
}

void on_signal(void* context, int) {
  auto& w = *static_cast<Worker*>(context);
  if (w.signalled) {
    w.over = true;  // asked a second time
  } else {
    w.signalled = true;
    w.begin_drain({.deadline_ms = base::to_ms(w.options.drain_deadline)});
  }
}

}  // namespace

Worker::Worker(const AppOptions& app_options, const WorkerSeam& seam_above) : options(app_options), seam(&seam_above) {
  register_inbox();  // handles made during set-up (timers, to_route) name the worker already
}

void Worker::register_inbox() noexcept {
  Place& place = place_;
  if (place.group && !place.taken) return sit_down(place);
  if (auto registered = net::register_worker()) {
    inbox = *registered;
    first = number = inbox->worker();
  }
}

// Set-up --------------------------------------------------------------------------------------------------------------

void Worker::take_options() noexcept {
  session::HttpLimits& limits = sessions.limits;
  limits.head.head_bytes = options.max_head_bytes < 65'535 ? options.max_head_bytes : 65'535;
  limits.head.fields = options.max_header_fields < proto::RequestHead::kMaxFields ? options.max_header_fields
                                                                                   : proto::RequestHead::kMaxFields;
  limits.body_bytes = base::at_most_everything(options.max_body_bytes);
  limits.receive_budget_bytes = base::at_most_everything(options.receive_budget_bytes);
  limits.head_timeout_ms = base::to_ms(options.head_timeout);
  limits.body_timeout_ms = base::to_ms(options.body_timeout);
  limits.min_body_rate = options.min_body_rate;
  limits.request_timeout_ms =
      options.request_timeout == milliseconds(0) ? base::kNeverMs : base::to_ms(options.request_timeout);
  sessions.set_keep_alive(base::to_ms(options.keep_alive_timeout));
  limits.handshake_ms = base::to_ms(options.handshake_timeout);
  limits.close_ms = base::to_ms(options.close_timeout);
  limits.answer_ms = base::to_ms(options.handler_timeout);
  limits.half_close_is_abort = options.half_close_is_abort;
  limits.discard_bytes = options.max_discard_bytes;
  limits.discard_ms = base::to_ms(options.discard_timeout);
  limits.discard_idle_ms = base::to_ms(options.discard_idle_timeout);
  limits.discarding = options.max_discarding;
  reactor.idle_bytes = options.idle_memory_bytes;
  reactor.write_timeout_ms = base::to_ms(options.write_timeout);
}

// Leaves everything as it was when it fails: it may be tried again.
Error Worker::open() {
  if (opened) return {};
  if (mistake) return mistake;
  if (!inbox && !over) register_inbox();
  if (!inbox) return Error("no worker number or descriptor is left");
  if (options.debug || sys::debug_is_asked_for()) set_log_level(LogLevel::debug);
  take_options();
  if (Error error = ProxiesAccess::open(options.trusted_proxies, *this)) return error;
  if (Error error = seam->open(*this)) return error;
  if (!common_of(*this).worker_opens(*this)) return Error("out of memory");
  const uint32_t most = make_room();
  net::ReactorHooks hooks{this, on_accept, on_refuse, before_flush, on_signal, nullptr};
  if (group) {
    Seat& own = group->seats[seat];
    reactor.share({&group->connections, &own.connections, group->watched ? &own.turn_since_ns : nullptr});
    if (group->placing != Placing::stay) {
      hooks.place = [](void* w, int fd) { return static_cast<Worker*>(w)->place_connection(fd); };
    }
  }
  if (Error error = reactor.open(hooks, *inbox, most)) return error;
  opened = true;
  reactor.rest();  // what is posted before the first turn shows at fd()
  return {};
}

Error Worker::may_listen(bool proxied) const noexcept {
  if (!proxied || ProxiesAccess::any(options.trusted_proxies)) return {};
  return Error("proxy_protocol needs trusted_proxies: whom else could it believe");
}

Result<uint16_t> Worker::listen(const ListenOptions& listen_options) {
  if (Error error = may_listen(listen_options.proxy_protocol)) return error;
  if (Error error = open()) return error;
  Result<uint16_t> bound = reactor.listen(listen_options);
  if (bound && port == 0) port = *bound;
  return bound;
}

// Running -------------------------------------------------------------------------------------------------------------

void Worker::turn(int64_t timeout_ns) noexcept {
  MARTLET_CHECK(!in_turn && "run() or poll_once() inside a callback");
  join_thread(*this);
  Worker* const outer = current_worker_;  // one whose callback asked for this turn
  current_worker_ = this;
  in_turn = true;
  reactor.turn(timeout_ns);
  in_turn = false;
  current_worker_ = outer;
  if (draining && is_drained()) over = true;
  if (group) show_turn();
  if (over) {
    end();
    leave_thread(*this);
  }
}

void Worker::begin_drain(DrainRequest drain) noexcept {
  if (draining || over) return;
  draining = true;
  sessions.draining = true;
  drain_since_ns = sys::monotonic_ns();
  cut_at_ns = drain_since_ns + uint64_t{drain.deadline_ms} * 1'000'000;
  spread_ns = uint64_t{drain.spread_ms < drain.deadline_ms ? drain.spread_ms : drain.deadline_ms} * 1'000'000;
  if (!group || group->begin_drain(drain_since_ns, cut_at_ns)) tell_drain(drain.deadline_ms);
  reactor.accept_waiting();  // the kernel has told these clients that they are connected
  reactor.stop_listening();
  if (!drain.notice.text().empty()) seam->send_notice(*this, drain.notice.text());
  say_goodbyes(drain_since_ns);
  // Requests that the kernel holds already are read first: idle connections end at the next step.
}

// Closes the WebSockets whose turn it is: all at once, or evenly over the spread.
void Worker::say_goodbyes(uint64_t now_ns) noexcept {
  const uint64_t passed = now_ns - drain_since_ns;
  const uint64_t all = reactor.connections.extent();
  // In milliseconds: the product of a long time and many connections must not wrap.
  const uint64_t due = passed >= spread_ns ? all : all * (passed / 1'000'000) / (spread_ns / 1'000'000);
  for (; goodbyes < due; goodbyes++) {
    net::Connection* c = reactor.connections.at(goodbyes);
    if (c && !c->closing && c->protocol == &session::ws_protocol) say_goodbye(*c);
  }
}

void Worker::say_goodbye(net::Connection& c) noexcept {
  seam->before_close(*this, c);
  session::close_websocket(sessions, c, proto::close_code::going_away, "The server is going away.", CloseCause::drain);
}

// The steps come by a timer. Until there is memory for it, they come with turns that do not sleep.
void Worker::keep_draining() noexcept {
  if (drain_timed || over) return;
  drain_timed = reactor.timers.every(reactor.now_ns(), kDrainStepNs / 1'000'000,
                                     {[](void* w) { static_cast<Worker*>(w)->drain_step(); }, nullptr, this})
                    .generation != 0;
  if (drain_timed) return;
  if (sys::monotonic_ns() >= drain_since_ns + kDrainStepNs) drain_step();
  reactor.want_turn();
}

void Worker::drain_step() noexcept {
  const uint64_t now_ns = sys::monotonic_ns();
  const bool cut = now_ns >= cut_at_ns;
  say_goodbyes(now_ns);
  for (uint32_t slot = 0; slot < reactor.connections.extent(); slot++) {
    net::Connection* c = reactor.connections.at(slot);
    if (!c || c->closing) continue;
    if (cut) cut_connections++;
    if (cut && c->protocol == &session::ws_protocol) {
      session::abort_websocket(sessions, *c, CloseCause::drain);
    } else if (cut) {
      reactor.abort(*c);
    } else if (c->protocol == &session::http_protocol || c->protocol->before_http) {
      session::drain_http(sessions, *c);
    }
  }
}

void Worker::end() noexcept {
  sys::release_descriptors(std::exchange(claimed_descriptors, 0));
  if (!inbox) return;
  over = true;
  if (group && !draining) (void)group->begin_drain(0, 0);  // no restart hands listeners over that are about to be closed
  Worker* outer = current_worker_;
  current_worker_ = this;
  cut_connections += reactor.connections.size();
  for_each_websocket([this](net::Connection& c) {
    session::abort_websocket(sessions, c, draining ? CloseCause::drain : CloseCause::local_close);
  });
  reactor.end_all();
  before_flush(this);
  parts.worker_ends();
  if (group) stand_up();
  else if (opened) tell_end();
  inbox->close();
  inbox = nullptr;
  current_worker_ = outer;
}

void Worker::leave() noexcept {
  MARTLET_CHECK(!in_turn && "an App destroyed inside one of its callbacks");
  end();
  leave_thread(*this);
}

Stats Worker::snapshot() const noexcept {
  Stats now = stats;
  now.accepted = reactor.stats.accepted;
  now.refused_connections = reactor.stats.refused;
  now.accept_pauses = reactor.stats.accept_pauses;
  now.open_connections = reactor.connections.size();
  if (inbox) now.mail_refused = inbox->refused();
  return now;
}

void Worker::retire(Retired* thing) noexcept {
  if (!thing) return;
  thing->next = retired;
  retired = thing;
  reactor.want_turn();  // it goes when nobody can be running it
}

}  // namespace martlet::worker

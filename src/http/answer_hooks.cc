// See answer_hooks.h.
#include "http/answer_hooks.h"

#include <cstring>
#include <utility>

#include "net/output.h"
#include "net/reactor.h"
#include "session/http_session.h"
#include "sys/clock.h"

namespace martlet {

namespace http {

namespace {

AnswerHooks& hooks_of(const session::Exchange& e) noexcept {
  auto& w = *static_cast<routing::RoutedWorker*>(e.sessions->http.context);
  return *w.parts.find<AnswerHooks>();  // who has made the record
}

}  // namespace

const worker::PartHooks AnswerHooks::kHooks{
    .turn_ended = [](worker::Part& self) { static_cast<AnswerHooks&>(self).turn_ended(); },
};

AnswerHooks::AnswerHooks(worker::Worker& w) noexcept : Part(w) {
  w.reactor.watcher = {
      .context = this,
      .flushed = [](void* self) { static_cast<AnswerHooks*>(self)->flushed(); },
      .drained = [](void* self, net::Connection& c) { static_cast<AnswerHooks*>(self)->drained(c); },
      .gone = [](void* self, net::Connection& c) { static_cast<AnswerHooks*>(self)->ended(c); },
  };
}

void AnswerHooks::Queue::push(AnswerRecord& r) noexcept {
  r.next = nullptr;
  (last ? last->next : first) = &r;
  last = &r;
  size++;
}

AnswerRecord* AnswerHooks::Queue::pop() noexcept {
  AnswerRecord* r = first;
  if (!r) return nullptr;
  first = r->next;
  if (!first) last = nullptr;
  size--;
  return r;
}

// Before the answer ---------------------------------------------------------------------------------------------------

AnswerRecord* AnswerHooks::record_of(session::Exchange& e) noexcept {
  if (e.watch) return static_cast<AnswerRecord*>(e.watch);
  AnswerRecord* r = records_.take();
  if (!r) return nullptr;
  r->on_answer = [](session::AnswerWatch& self, session::Exchange& of, size_t body_bytes) noexcept {
    hooks_of(of).answered(static_cast<AnswerRecord&>(self), of, body_bytes);
  };
  r->on_end = [](session::AnswerWatch& self, session::Exchange& of) noexcept {
    hooks_of(of).unanswered(static_cast<AnswerRecord&>(self));
  };
  e.watch = r;
  e.flags.watched = e.flags.owns_more = true;
  return r;
}

bool AnswerHooks::add_headers(session::Exchange& e, Function<void(Response&)> fn) noexcept {
  AnswerRecord* r = record_of(e);
  HeadersHook* hook = r ? headers_.take(HeadersHook{r->headers, std::move(fn)}) : nullptr;
  if (hook) r->headers = hook;
  return hook != nullptr;
}

bool AnswerHooks::add_finish(session::Exchange& e, Function<void(const Finished&)> fn) noexcept {
  AnswerRecord* r = record_of(e);
  if (!r || (!r->texts && !note_request(*r, e))) return false;
  FinishHook* hook = finishes_.take(FinishHook{nullptr, std::move(fn)});
  if (!hook) return false;
  (r->last_finish ? r->last_finish->next : r->finishes) = hook;
  r->last_finish = hook;
  return true;
}

// Here, as the head may be gone when the answer has left.
bool AnswerHooks::note_request(AnswerRecord& r, const session::Exchange& e) noexcept {
  const std::string_view method = e.request.method();
  const std::string_view path = e.path();
  r.texts = worker.reactor.blocks.acquire(method.size() + path.size());
  if (!r.texts) return false;
  std::memcpy(r.texts->data(), method.data(), method.size());
  std::memcpy(r.texts->data() + method.size(), path.data(), path.size());
  r.method_bytes = method.size();
  r.path_bytes = path.size();
  r.route = &static_cast<const routing::Chain*>(e.route)->pattern;
  r.begun_ns = worker.reactor.now_ns();
  return true;
}

// The answer ----------------------------------------------------------------------------------------------------------

void AnswerHooks::run_headers(AnswerRecord& r, session::Exchange& e) noexcept {
  const auto& pattern = static_cast<const routing::Chain*>(e.route)->pattern;
  Response by_name = e.deferred_response();
  Response& response = e.flags.muted ? by_name : e.response;  // the step's own is not heard any more
  while (HeadersHook* hook = std::exchange(r.headers, r.headers ? r.headers->next : nullptr)) {
    worker.note_call(pattern);
    if (!hook->fn(response)) worker.report_failure(pattern);
    headers_.give_back(hook);
  }
}

void AnswerHooks::answered(AnswerRecord& r, session::Exchange& e, size_t body_bytes) noexcept {
  run_headers(r, e);
  if (!r.finishes) return give_back(r);
  const bool no_body = e.status == 204 || e.status == 304 || e.head.method == proto::Method::head;
  r.status = e.status;
  r.body_bytes = no_body ? 0 : body_bytes;
  if (!await(r, *e.connection)) over(r, false, sys::monotonic_ns());
}

void AnswerHooks::unanswered(AnswerRecord& r) noexcept {
  if (!r.finishes) return give_back(r);
  over(r, true, sys::monotonic_ns());
}

// Until it has left -----------------------------------------------------------------------------------------------------

// False when memory is out: then it is told of at once.
bool AnswerHooks::await(AnswerRecord& r, net::Connection& c) noexcept {
  while (waiting_.size() <= c.slot) {
    if (!waiting_.push({})) return false;
  }
  if (!fresh_.push(c.slot)) return false;
  Queue& queue = waiting_[c.slot];
  if (queue.size == kMostWaiting) over(*queue.pop(), false, sys::monotonic_ns());
  queue.push(r);
  c.watched = true;
  return true;
}

// True when it need not be looked at again: its answers are with the kernel, or that has refused them, or nobody gets them.
bool AnswerHooks::settle(net::Connection& c, bool flushed) noexcept {
  if (c.closing && !c.goes_on) return ended(c), true;
  if (!c.out) return all_over(c, false), true;
  return flushed && c.out->blocked;
}

void AnswerHooks::settle_fresh(bool flushed) noexcept {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < fresh_.size(); i++) {
    const uint32_t slot = fresh_[i];
    net::Connection* c = waiting_[slot].first ? worker.reactor.connections.at(slot) : nullptr;
    if (c && !settle(*c, flushed)) fresh_[kept++] = slot;
  }
  fresh_.truncate(kept);
  worker.reactor.watcher.looks = kept > 0;
}

void AnswerHooks::flushed() noexcept { settle_fresh(true); }
void AnswerHooks::drained(net::Connection& c) noexcept { all_over(c, false); }

// Whether it has said all that it had is known by `finish`, see Reactor.
void AnswerHooks::ended(net::Connection& c) noexcept { all_over(c, !c.finish); }

void AnswerHooks::all_over(net::Connection& c, bool aborted) noexcept {
  c.watched = false;
  const uint64_t now_ns = sys::monotonic_ns();
  while (AnswerRecord* r = waiting_[c.slot].pop()) over(*r, aborted, now_ns);
}

void AnswerHooks::over(AnswerRecord& r, bool aborted, uint64_t now_ns) noexcept {
  r.aborted = aborted;
  r.over_ns = now_ns;
  due_.push(r);
  worker.reactor.want_turn();
}

// The callbacks ---------------------------------------------------------------------------------------------------------

void AnswerHooks::turn_ended() noexcept {
  settle_fresh(false);
  Queue due = std::exchange(due_, Queue());  // what these answer comes in the next turn
  while (AnswerRecord* r = due.pop()) tell(*r);
}

void AnswerHooks::tell(AnswerRecord& r) noexcept {
  const auto* const texts = reinterpret_cast<const char*>(r.texts->data());
  const Finished finished{
      .status = r.status,
      .bytes = r.body_bytes,
      .duration = std::chrono::nanoseconds(r.over_ns - r.begun_ns),
      .aborted = r.aborted,
      .method = {texts, r.method_bytes},
      .path = {texts + r.method_bytes, r.path_bytes},
      .route = *r.route,
  };
  while (FinishHook* hook = r.finishes) {
    r.finishes = hook->next;
    worker.note_call(*r.route);
    if (!hook->fn(finished)) worker.report_failure(*r.route);
    finishes_.give_back(hook);
  }
  give_back(r);
}

void AnswerHooks::give_back(AnswerRecord& r) noexcept {
  while (HeadersHook* hook = std::exchange(r.headers, r.headers ? r.headers->next : nullptr)) headers_.give_back(hook);
  if (r.texts) r.texts->release();
  records_.give_back(&r);
}

namespace {

// Registers with the exchange that the response is of. A connection that has no memory for it is of no more use.
template <typename Fn>
void add_hook(session::Exchange& e, Fn fn, bool (AnswerHooks::*add)(session::Exchange&, Fn) noexcept) noexcept {
  if (e.flags.responded || e.flags.upgraded || e.is_kept()) return;
  auto& w = *static_cast<routing::RoutedWorker*>(e.sessions->http.context);
  AnswerHooks* hooks = w.parts.find_or_add<AnswerHooks>(w);
  if (!hooks || !(hooks->*add)(e, std::move(fn))) w.reactor.abort(*e.connection);
}

}  // namespace

}  // namespace http

void Response::on_headers(Function<void(Response&)> fn) const noexcept {
  if (elsewhere()) {
    worker::post_to(worker_, [self = *this, fn = std::move(fn)](worker::Worker&) mutable { self.on_headers(std::move(fn)); });
  } else if (session::Exchange* e = resolve()) {
    http::add_hook(*e, std::move(fn), &http::AnswerHooks::add_headers);
  }
}

void Response::on_finish(Function<void(const Finished&)> fn) const noexcept {
  if (elsewhere()) {
    worker::post_to(worker_, [self = *this, fn = std::move(fn)](worker::Worker&) mutable { self.on_finish(std::move(fn)); });
  } else if (session::Exchange* e = resolve()) {
    http::add_hook(*e, std::move(fn), &http::AnswerHooks::add_finish);
  } else if (worker::Worker* w = worker::here(worker_); w && !w->reactor.find({slot_, generation_})) {
    // It has gone already. Not here and now: no call runs a callback before it returns.
    worker::post_to(worker_, [fn = std::move(fn)](worker::Worker& worker) mutable {
      if (!fn(Finished{.aborted = true})) worker.report_failure({});
    });
  }
}

}  // namespace martlet

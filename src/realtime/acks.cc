// Answers that connections wait for: who is to be told, and by when. A slot of the connection holds them; the number that goes over
// the wire is the place in it and a count, so that an answer finds its place at once, and one that comes late, twice, or from somebody
// who was not asked finds nothing. The worker's thread, but for what says otherwise.
#include <algorithm>
#include <utility>

#include "net/user_timers.h"
#include "realtime/connection_slots.h"
#include "realtime/events.h"
#include "sys/clock.h"

namespace martlet {

namespace {

using detail::EventAccess;
using realtime::RealtimeWorker;
using AckFunction = Function<void(WebSocket, AckResult)>;

struct Waiting {
  Waiting(AckFunction&& f, uint64_t n) noexcept : fn(std::move(f)), ack(n) {}
  AckFunction fn;
  uint64_t ack;
  net::UserTimers::Id timer{};
};

class PendingAcks {
 public:
  static constexpr worker::PartKey kKey{};
  PendingAcks() noexcept = default;
  PendingAcks(const PendingAcks&) = delete;
  PendingAcks& operator=(const PendingAcks&) = delete;
  ~PendingAcks() {
    for (Waiting* waiting : places_) base::destroy(waiting);
  }

  // Null when there are too many, or memory is out: then `fn` is the caller's still.
  Waiting* add(AckFunction& fn) noexcept {
    const uint32_t place = free_.empty() ? places_.size() : free_.back();
    if (place == kMaxUnansweredAcks || (free_.empty() && !make_place())) return nullptr;
    auto* waiting = base::create<Waiting>(std::move(fn), count_ * kMaxUnansweredAcks + place);
    if (!waiting) return nullptr;
    free_.truncate(free_.size() - 1);
    count_++;
    return places_[place] = waiting;
  }
  // The one with this number, which is no longer here; null when there is none.
  Waiting* take(uint64_t ack) noexcept {
    const auto place = static_cast<uint32_t>(ack % kMaxUnansweredAcks);
    Waiting* waiting = place < places_.size() ? places_[place] : nullptr;
    if (!waiting || waiting->ack != ack) return nullptr;
    places_[place] = nullptr;
    free_.push(place);  // there is room: it had one
    return waiting;
  }
  // The last call but for the next ones of this: the oldest that is left; null when none is.
  Waiting* take_oldest() noexcept {
    if (taken_ == 0) std::sort(places_.begin(), places_.end(), [](const Waiting* a, const Waiting* b) { return age_of(a) < age_of(b); });
    return taken_ < places_.size() ? std::exchange(places_[taken_++], nullptr) : nullptr;
  }

 private:
  // By when they were asked; nobody comes last.
  static uint64_t age_of(const Waiting* waiting) noexcept { return waiting ? waiting->ack / kMaxUnansweredAcks : UINT64_MAX; }
  // One more of both, so that giving a place back never fails.
  bool make_place() noexcept {
    if (!places_.push(nullptr)) return false;
    if (free_.push(places_.size() - 1)) return true;
    places_.truncate(places_.size() - 1);
    return false;
  }

  base::GrowingArray<Waiting*> places_;
  base::GrowingArray<uint32_t> free_;
  uint64_t count_ = 0;
  uint32_t taken_ = 0;  // by take_oldest()
};

// Tells who waited. False when he has thrown.
bool tell(RealtimeWorker& w, net::Connection& c, Waiting* waiting, const AckResult& result) noexcept {
  if (waiting->timer.generation) w.reactor.timers.cancel(waiting->timer);
  const std::string& route = realtime::route_of(c).pattern;
  const WebSocket ws = w.handle(c);
  w.note_call(route);
  const bool good = waiting->fn(ws, result);
  if (!good) w.report_failure(route, ws, RealtimeWorker::Then::closes);
  base::destroy(waiting);
  return good;
}

// Not from inside the call that has failed: in a later turn.
void tell_later(const WebSocket& ws, AckFunction fn, AckStatus status) noexcept {
  realtime::post_to(MessageAccess::worker(ws), [ws, fn = std::move(fn), status](RealtimeWorker& w) mutable {
    w.note_call(RealtimeWorker::kPost);
    if (!fn(ws, EventAccess::result(status))) w.report_failure(RealtimeWorker::kPost, ws);
  });
}

// Timeouts ----------------------------------------------------------------------------------------------------------------

struct AckTimer {
  RealtimeWorker& worker;
  base::SlotId connection;
  uint64_t ack;
};

void run_out(void* context) {
  const AckTimer timer = *static_cast<AckTimer*>(context);
  net::Connection* c = timer.worker.websocket(timer.connection);
  PendingAcks* acks = c ? realtime::find_slot<PendingAcks>(*c) : nullptr;
  Waiting* waiting = acks ? acks->take(timer.ack) : nullptr;
  if (!waiting) return;
  waiting->timer = {};  // it is this one
  if (!tell(timer.worker, *c, waiting, EventAccess::result(AckStatus::timed_out))) session::handler_failed(timer.worker.sessions, *c);
}

bool start_timer(RealtimeWorker& w, net::Connection& c, Waiting& waiting, milliseconds time) noexcept {
  auto* timer = base::create<AckTimer>(AckTimer{w, c.id(), waiting.ack});
  if (!timer) return false;
  const net::TimerTask task{run_out, [](void* context) { base::destroy(static_cast<AckTimer*>(context)); }, timer};
  waiting.timer = w.reactor.timers.after(sys::monotonic_ns(), static_cast<uint64_t>(time.count()), task);
  return waiting.timer.generation != 0;
}

// Asking ------------------------------------------------------------------------------------------------------------------

struct Question {
  EventAccess::Parts event;
  bool good;
  milliseconds timeout;
};

// Null when it cannot be.
Waiting* expect(RealtimeWorker& w, net::Connection& c, PendingAcks& acks, AckFunction& fn, milliseconds timeout) noexcept {
  Waiting* waiting = acks.add(fn);
  if (!waiting || timeout.count() < 0 || start_timer(w, c, *waiting, timeout)) return waiting;
  fn = std::move(waiting->fn);
  base::destroy(acks.take(waiting->ack));
  return nullptr;
}

SendStatus send_question(const WebSocket& ws, const Question& question, uint64_t ack, Envelope envelope) noexcept {
  JsonWriter out;
  if (envelope == Envelope::event_args) {
    out.raw(question.event.head);
    EventAccess::finish(out, ack);
  } else {
    EventAccess::write_type_data(out, question.event, ack);
  }
  return ws.send(JsonText(out));
}

void ask(RealtimeWorker& w, const WebSocket& ws, const Question& question, AckFunction fn) noexcept {
  net::Connection* c = w.websocket(MessageAccess::id(ws));
  if (!c || c->closing || c->state<session::WsState>().ready != ReadyState::open) return tell_later(ws, std::move(fn), AckStatus::closed);
  realtime::WsRouteEntry& route = realtime::route_of(*c);
  auto* acks = question.good && realtime::Events::of(w, route) ? realtime::slot_for<PendingAcks>(*c) : nullptr;
  const Waiting* waiting = acks ? expect(w, *c, *acks, fn, question.timeout) : nullptr;
  if (!waiting) return tell_later(ws, std::move(fn), AckStatus::refused);
  const uint64_t ack = waiting->ack;
  const SendStatus sent = send_question(ws, question, ack, realtime::envelope_of(route));
  if (sent == SendStatus::ok || sent == SendStatus::backpressure) return;
  Waiting* unasked = acks->take(ack);
  if (unasked->timer.generation) w.reactor.timers.cancel(unasked->timer);
  tell_later(ws, std::move(unasked->fn), sent == SendStatus::closed ? AckStatus::closed : AckStatus::refused);
  base::destroy(unasked);
}

}  // namespace

// Any thread.
void AckRequest::then(AckFunction fn) {
  const EventAccess::Parts event = EventAccess::parts(event_);
  Question question{event, EventAccess::good(event_), timeout_};
  const uint32_t worker = MessageAccess::worker(ws_);
  if (RealtimeWorker* w = realtime::here(worker)) return ask(*w, ws_, question, std::move(fn));
  base::KeptText head(question.good ? event.head : std::string_view());
  const size_t bytes = event.head.size() + 1;
  auto run = [ws = ws_, question, head = std::move(head), fn = std::move(fn)](RealtimeWorker& w) mutable {
    question.event.head = head.text();
    question.good = question.good && head.ok();
    ask(w, ws, question, std::move(fn));
  };
  realtime::post_to(worker, std::move(run), bytes);
}

AckRequest WebSocket::emit_with_ack(std::string_view event, const Json& only) const { return AckRequest(*this, event, only); }

namespace realtime {

bool waits_for_answers(net::Connection& c) noexcept { return realtime::find_slot<PendingAcks>(c) != nullptr; }

bool take_answer(RealtimeWorker& w, net::Connection& c, const json::EventText& answer) noexcept {
  PendingAcks* acks = realtime::find_slot<PendingAcks>(c);
  Waiting* waiting = acks ? acks->take(answer.ack) : nullptr;
  const bool bare = envelope_of(route_of(c)) == Envelope::type_data;
  return !waiting || tell(w, c, waiting, EventAccess::result(AckStatus::ok, answer.args, bare));
}

void cancel_acks(RealtimeWorker& w, net::Connection& c) noexcept {
  PendingAcks* acks = realtime::find_slot<PendingAcks>(c);
  if (!acks) return;
  while (Waiting* waiting = acks->take_oldest()) tell(w, c, waiting, EventAccess::result(AckStatus::closed));
}

}  // namespace realtime

// The result ----------------------------------------------------------------------------------------------------------------

std::string_view name_of(AckStatus status) noexcept {
  constexpr std::string_view kNames[] = {"ok", "timed_out", "closed", "refused"};
  return kNames[static_cast<size_t>(status)];
}

size_t AckResult::size() const noexcept { return bare_ ? !args_.empty() : args_.empty() ? 0 : json::count_arguments(args_); }

std::string_view AckResult::text(size_t index) const noexcept {
  if (args_.empty()) return {};
  if (bare_) return index == 0 ? args_ : std::string_view();
  return json::argument_at(args_, index);
}

}  // namespace martlet

// App::reconfigure: options that change while connections are open. What is asked for is judged once, on the thread that asks;
// then it is one Change, which all workers share, with a mail in it for each: where there is memory for that nothing can fail
// any more, so that it is done everywhere or nowhere. Each worker does it on its own thread when it takes its mail, where no
// connection is in its dispatch and no function of a route's options is being called. Limits lie in the route, for all of its
// connections; what each has of its own are its deadlines, and a message that is too long by now: for these a worker walks once
// over all its connections.
//
// Programs that do not call it are linked without it.
#include <martlet/ws_changes.h>

#include <mutex>
#include <new>
#include <utility>

#include "base/kept_text.h"
#include "codec/origin_pattern.h"
#include "net/worker_registry.h"
#include "realtime/admission.h"
#include "realtime/realtime.h"
#include "session/ws_session.h"
#include "worker/orders.h"

namespace martlet::realtime {

namespace {

struct Change;

struct ChangeMail : net::Mail {
  Change* change = nullptr;
};

// In one block with the mails, which follow it. Each of them that is on its way has a reference, and so has every route whose
// origins it owns.
struct Change final : detail::Counted {
  Change(std::optional<std::string_view> only, WsChanges&& changes) noexcept
      : Counted([](Counted* self) noexcept {
          static_cast<Change*>(self)->~Change();
          base::deallocate(self);
        }),
        said(std::move(changes)), one_route(only), pattern(only ? base::KeptText(*only) : base::KeptText()) {}

  bool ok() const noexcept { return !one_route || pattern.ok(); }
  bool means(const WsRouteEntry& route) const noexcept { return !one_route || route.pattern == pattern.text(); }
  detail::CountedPointer another() noexcept {
    references.fetch_add(1, std::memory_order_relaxed);
    return detail::CountedPointer(this);
  }

  const WsChanges said;
  const bool one_route;
  const base::KeptText pattern;
};

// A message that refers to one that was dropped could not be read; new connections would go without a context, but there are
// those that have agreed upon one.
Error judge_policy(const WsRouteEntry& route, const WsChanges& changes) noexcept {
  const bool drops = changes.slow_consumer == SlowConsumerPolicy::drop_oldest;
  if (!drops || !route.deflate.on || !route.deflate.dedicated) return {};
  return Error::of({"SlowConsumerPolicy::drop_oldest where compression keeps a context: ", route.pattern});
}

// What was said goes into the route's options, but `origins`, which would have to be copied: they stay where they are.
void take_said(WsRouteEntry& route, Change& change) noexcept {
  const WsChanges& said = change.said;
  WsOptions& options = route.handlers.options;
  const auto take = [](auto& option, const auto& value) {
    if (value) option = *value;
  };
  take(options.allow_origin, said.allow_origin);
  take(options.heartbeat_interval, said.heartbeat_interval);
  take(options.heartbeat_timeout, said.heartbeat_timeout);
  take(options.idle_timeout, said.idle_timeout);
  take(options.max_connections, said.max_connections);
  take(options.max_fragments, said.max_fragments);
  take(options.max_lifetime, said.max_lifetime);
  take(options.max_message_bytes, said.max_message_bytes);
  take(options.max_metadata_bytes, said.max_metadata_bytes);
  take(options.max_unsent_bytes, said.max_unsent_bytes);
  take(options.measure_latency, said.measure_latency);
  take(options.require_origin, said.require_origin);
  if (!judge_policy(route, said)) take(options.slow_consumer, said.slow_consumer);  // a route that the judge has not seen may be another
  if (!said.origins) return;
  route.origins = &*said.origins;
  route.origins_owner = change.another();
}

void change_route(RealtimeWorker& w, WsRouteEntry& route, Change& change) noexcept {
  const session::WsLimits before = route.limits;
  route.changed.before = {route.times.idle, route.times.lifetime};
  take_said(route, change);
  take_limits(route);
  w.choose_sink(route);
  const session::WsLimits& now = route.limits;
  const bool other_ages = route.times.idle != route.changed.before.idle || route.times.lifetime != route.changed.before.lifetime;
  route.changed.heartbeats = now.heartbeat_interval_ms != before.heartbeat_interval_ms ||
                             now.heartbeat_timeout_ms != before.heartbeat_timeout_ms;
  route.changed.message_limit = now.message.message_bytes < before.message.message_bytes;
  route.changed.times = route.look && (other_ages || route.changed.heartbeats);  // heartbeats have put the next look off
}

void change_connection(RealtimeWorker& w, net::Connection& c) noexcept {
  auto& route = *static_cast<WsRouteEntry*>(c.state<session::WsState>().route);
  if (route.changed.message_limit) session::take_new_message_limit(w.sessions, c);
  if (route.changed.heartbeats) session::take_new_heartbeats(w.sessions, c);
  if (route.changed.times) take_new_times(w, route, route.changed.before, c);
}

void apply(RealtimeWorker& w, Change& change) noexcept {
  bool walk = false;
  for (const auto& route : w.ws_routes) {
    if (!change.means(*route)) continue;
    change_route(w, *route, change);
    walk |= route->changed.heartbeats || route->changed.message_limit || route->changed.times;
  }
  if (!walk) return;
  w.for_each_websocket([&](net::Connection& c) { change_connection(w, c); });
  for (const auto& route : w.ws_routes) route->changed = {};
}

const WsRouteEntry* find_route(const RealtimeWorker& w, std::string_view pattern) noexcept {
  for (const auto& route : w.ws_routes) {
    if (route->pattern == pattern) return route.get();
  }
  return nullptr;
}

Error judge_origins(const WsChanges& changes) noexcept {
  if (!changes.origins) return {};
  for (const std::string& origin : *changes.origins) {
    if (const char* wrong = codec::wrong_origin(origin)) return Error::of({wrong, ": ", origin});
  }
  return {};
}

// The change with so many mails behind it; null when memory is out.
Change* make_change(std::optional<std::string_view> pattern, WsChanges&& changes, uint32_t mails) noexcept {
  static_assert(alignof(Change) <= alignof(std::max_align_t) && sizeof(Change) % alignof(ChangeMail) == 0);
  void* memory = base::allocate(sizeof(Change) + mails * sizeof(ChangeMail));
  return memory ? new (memory) Change(pattern, std::move(changes)) : nullptr;
}

// Fills in the mail of one worker. From when it is posted it may be over at any moment.
void address(ChangeMail& mail, Change& change) noexcept {
  mail.change = &change;
  mail.run = [](net::Mail* to, void* worker) {
    const detail::CountedPointer held(static_cast<ChangeMail*>(to)->change);
    apply(realtime_of(*static_cast<worker::Worker*>(worker)), *static_cast<ChangeMail*>(to)->change);
  };
  mail.drop = [](net::Mail* to) { (void)detail::CountedPointer(static_cast<ChangeMail*>(to)->change); };
}

// Straight into the worker's inbox, whoever's thread this is: lanes would have an order of their own.
bool post(uint32_t number, ChangeMail& mail, Change& change) noexcept {
  address(mail, change);
  change.references.fetch_add(1, std::memory_order_relaxed);
  net::Inbox* inbox = net::find_inbox(number);
  if (inbox && inbox->post(&mail) == net::Posted::yes) return true;
  mail.drop(&mail);
  return false;
}

}  // namespace

Error judge_changes(const RealtimeWorker& w, std::optional<std::string_view> pattern, const WsChanges& changes) noexcept {
  if (!w.opened) return "reconfigure() before listen()";
  if (pattern && !find_route(w, *pattern)) return Error::of({"no WebSocket route: ", *pattern});
  if (Error error = judge_origins(changes)) return error;
  for (const auto& route : w.ws_routes) {
    if (pattern && route->pattern != *pattern) continue;
    if (Error error = judge_policy(*route, changes)) return error;
  }
  return {};
}

namespace {
// Two that change something at once are heard by all workers in the same order.
constinit std::mutex ordering;
}

Error order_changes(uint32_t first, uint32_t end, std::optional<std::string_view> pattern, WsChanges&& changes) noexcept {
  Change* change = make_change(pattern, std::move(changes), end - first);
  if (!change) return "out of memory";
  const detail::CountedPointer held(change);
  if (!change->ok()) return "out of memory";
  auto* mails = reinterpret_cast<ChangeMail*>(change + 1);
  bool any = false;
  const std::lock_guard lock(ordering);
  for (uint32_t number = first; number < end; number++, mails++) any |= post(number, *new (mails) ChangeMail, *change);
  return any ? Error() : Error("reconfigure() when all is over");
}

}  // namespace martlet::realtime

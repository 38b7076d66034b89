// See ws_steps.h. In order: which steps a route has, the way through them, what happens from outside while one waits.
//
// A connection is opened first (the 101 is with its output), and is then not in its route's list until its steps have let it
// through. The request outlives HTTP's session where a step decides later: the exchange stays with the connection's slot.
#include "realtime/ws_steps.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "net/reactor.h"
#include "realtime/connection_slots.h"
#include "routing/path.h"
#include "session/http_session.h"
#include "session/origin.h"
#include "session/ws_session.h"

namespace martlet::realtime {

namespace {

// Which steps a route has ------------------------------------------------------------------------------------------------

// Positions of these chains are told from those of HTTP's, of which a late next() may have one.
constexpr uint32_t kBehind = uint32_t{1} << 31;

struct Use {
  Use(WsStep&& s, std::string_view p, bool v) : step(std::move(s)), prefix(p), varies(v) {}
  WsStep step;
  std::string prefix;
  bool varies;
};

struct SocketSteps final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit SocketSteps(worker::Worker& w) noexcept : Part(w) {}

  struct Entry {
    WsStep* step;
    std::string_view prefix;  // when it depends on the request whether the path lies below it
  };
  struct Chain {
    std::vector<WsStep> own;
    std::vector<Entry> entries;
  };

  void add_uses(const WsRouteEntry& route, Chain& chain, bool with_prefix);
  void compile(WsRouteEntry& route);

  std::list<Use> uses;
  std::list<Chain> chains;
};

const worker::PartHooks SocketSteps::kHooks = {};

SocketSteps::Chain& chain_of(const WsRouteEntry& route) noexcept { return *static_cast<SocketSteps::Chain*>(route.steps); }

void SocketSteps::add_uses(const WsRouteEntry& route, Chain& chain, bool with_prefix) {
  for (Use& use : uses) {
    if (use.prefix.empty() == with_prefix) continue;
    const routing::Below answer = routing::below_use(route.pattern, use.prefix, use.varies);
    if (answer == routing::Below::always) chain.entries.push_back({&use.step, {}});
    if (answer == routing::Below::perhaps) chain.entries.push_back({&use.step, use.prefix});
  }
}

void SocketSteps::compile(WsRouteEntry& route) {
  if (!route.steps) route.steps = &chains.emplace_back();
  Chain& chain = chain_of(route);
  chain.entries.clear();  // listen() may be called again after a failure
  add_uses(route, chain, false);
  add_uses(route, chain, true);
  for (WsStep& step : chain.own) chain.entries.push_back({&step, {}});
  if (chain.entries.empty()) route.steps = nullptr;
}

// The way through them ---------------------------------------------------------------------------------------------------

// Lets go of the request. HTTP's session may have it still, or its tasks, and gives it back then.
void let_go(session::Exchange* e) noexcept {
  if (!e) return;
  e->keeper = {};
  if (e->is_kept() && !e->tasks) session::release_exchange(*e);
}

// The connection is closing, or is not the route's for another reason: the slot stays, and says that it never was.
void give_up(RealtimeWorker& w, net::Connection& c, PendingSocket& open) noexcept {
  let_go(std::exchange(open.exchange, nullptr));
  if (!c.closing) session::resume_websocket(w.sessions, c, net::kPauseSteps);
}

void drop_empty_extras(net::Connection& c) noexcept {
  auto& ws = c.state<session::WsState>();
  const bool listens = std::any_of(std::begin(ws.extras->first), std::end(ws.extras->first), [](const ListenerBase* first) { return first; });
  if (!listens && ws.extras->slots.empty() && !ws.extras->data) base::destroy(std::exchange(ws.extras, nullptr));
}

// They have all let it through.
void let_in(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, PendingSocket& open) noexcept {
  session::Exchange& e = *std::exchange(open.exchange, nullptr);
  if (open.timer) w.handle(c).cancel(open.timer);
  extras_of(c)->slots.remove<PendingSocket>();
  drop_empty_extras(c);
  if (route.times.idle) note_data(w, route, c);  // what it has sent meanwhile was not read
  open_websocket(w, c, route, e);
  let_go(&e);
  session::resume_websocket(w.sessions, c, net::kPauseSteps);
  if (c.followed && !c.closing) w.reactor.follower.drained(w.reactor.follower.context, c);  // it takes what it did not until now
}

// False when memory is out.
bool keep_request(RealtimeWorker& w, net::Connection& c, session::Exchange& e) noexcept {
  if (!session::detach_exchange(e)) return false;
  // Who the client was is found out while it is HTTP's connection.
  if (const session::OriginFinder* finder = w.sessions.origins) finder->find(finder->context, e);
  e.keeper = c.id();
  return true;
}

void begin_waiting(RealtimeWorker& w, net::Connection& c, PendingSocket& open) noexcept {
  if (std::exchange(open.waits, true)) return;
  const WebSocket ws = w.handle(c);
  if (!keep_request(w, c, *open.exchange)) {
    session::close_websocket(w.sessions, c, proto::close_code::try_again, "Out of memory", CloseCause::out_of_memory);
    return give_up(w, c, open);
  }
  w.reactor.pause(c, net::kPauseSteps);
  open.timer = ws.after(milliseconds(w.sessions.limits.handshake_ms), [](WebSocket late) {
    RealtimeWorker* worker = here(MessageAccess::worker(late));
    net::Connection* of = worker ? worker->websocket(MessageAccess::id(late)) : nullptr;
    const PendingSocket* pending = of ? find_slot<PendingSocket>(*of) : nullptr;
    if (pending && pending->exchange) late.close(CloseCode::policy_violation, "The handshake took too long");
  });
  if (!open.timer) ws.close(CloseCode::try_again, "Out of memory");
  if (w.draining) w.say_goodbye(c);
}

bool is_open(net::Connection& c) noexcept { return !c.closing && c.state<session::WsState>().ready == ReadyState::open; }

// Runs the step at its position. False: the chain goes no further now.
bool run_step(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, PendingSocket& open, WsStep& step) noexcept {
  const WebSocket ws = w.handle(c);
  const Next next = NextAccess::make(w.number, c.id(), open.request_number, kBehind | open.position);
  open.in_step = true;
  open.goes_on = false;
  const bool good = SocketStepAccess::function(step)(ws, open.exchange->request, next);
  open.in_step = false;
  if (!good) {
    w.report_failure(route.pattern, ws, RealtimeWorker::Then::closes);
    session::handler_failed(w.sessions, c);
    return false;
  }
  return open.goes_on;
}

void run(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, PendingSocket& open) noexcept {
  const auto& entries = chain_of(route).entries;
  for (;;) {
    if (!is_open(c)) return give_up(w, c, open);
    if (open.position == entries.size()) return let_in(w, c, route, open);
    const SocketSteps::Entry& entry = entries[open.position++];
    if (!entry.prefix.empty() && !routing::lies_below(open.exchange->path(), entry.prefix)) continue;
    if (run_step(w, c, route, open, *entry.step)) continue;
    return is_open(c) ? begin_waiting(w, c, open) : give_up(w, c, open);
  }
}

bool prepare(session::WsExtras& extras) noexcept { return extras.slots.find_or_add<PendingSocket>() != nullptr; }

void begin(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, session::Exchange& e) noexcept {
  PendingSocket& open = *find_slot<PendingSocket>(c);
  open.exchange = &e;
  open.request_number = e.request_number;
  run(w, c, route, open);
}

// From outside -----------------------------------------------------------------------------------------------------------

// A next() that HTTP knows nothing of. Null when it is not one of these either, or comes too late; twice, it is noted.
PendingSocket* find_pending(RealtimeWorker& w, net::Connection& c, const Next& next) noexcept {
  auto* open = find_slot<PendingSocket>(c);
  if (!open || !open->exchange || open->request_number != NextAccess::request(next)) return nullptr;
  const bool is_its = NextAccess::position(next) == (kBehind | open->position);
  if (is_its && !open->goes_on) return open;
  routing::note_bad_next(w, static_cast<WsRouteEntry*>(c.state<session::WsState>().route)->pattern);
  return nullptr;
}

void refuse(const WebSocket& ws, const HttpError& error) noexcept {
  ws.close(error.status >= 500 ? CloseCode::internal_error : CloseCode::policy_violation, error.text);
}

void take_next(routing::RoutedWorker& worker, const Next& next, const HttpError* error) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  net::Connection* c = w.websocket(NextAccess::connection(next));
  PendingSocket* open = c ? find_pending(w, *c, next) : nullptr;
  if (!open || !is_open(*c)) return;
  if (error) refuse(w.handle(*c), *error);
  open->goes_on = true;
  if (open->in_step) return;
  auto& route = *static_cast<WsRouteEntry*>(c->state<session::WsState>().route);
  w.note_call(route.pattern);
  run(w, *c, route, *open);
}

constexpr OpenSteps kOpenSteps{prepare, begin};

SocketSteps* steps_of(RealtimeWorker& w) noexcept {
  auto* part = w.parts.find_or_add<SocketSteps>(w);
  if (!part && !w.mistake) w.mistake = Error("out of memory");
  w.open_steps = &kOpenSteps;
  w.socket_next = take_next;
  w.compile_steps = [](RealtimeWorker& worker) {
    for (const auto& route : worker.ws_routes) worker.parts.find<SocketSteps>()->compile(*route);
  };
  return part;
}

void note_mistake(RealtimeWorker& w, const WsStep& step) {
  if (const Error* wrong = SocketStepAccess::mistake(step)) w.note_mistake(*wrong);
}

void add_use(RealtimeWorker& w, std::string_view prefix, WsStep&& step, routing::UsePrefix kind) {
  bool varies = false;
  if (!w.take_prefix(prefix, kind, varies)) return;
  note_mistake(w, step);
  if (SocketSteps* part = steps_of(w)) part->uses.emplace_back(std::move(step), prefix, varies);
}

void add_own(WsRouteEntry& route, std::vector<WsStep>&& steps) {
  SocketSteps* part = steps_of(*route.worker);
  if (!part) return;
  for (const WsStep& step : steps) note_mistake(*route.worker, step);
  SocketSteps::Chain& chain = part->chains.emplace_back();
  chain.own = std::move(steps);
  route.steps = &chain;
}

}  // namespace

PendingSocket::~PendingSocket() { let_go(exchange); }

}  // namespace martlet::realtime

namespace martlet {
constinit const detail::SocketStepParts detail::socket_step_parts{realtime::add_use, realtime::add_own};
}

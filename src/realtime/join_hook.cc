// App::on_join: somebody decides who enters which room, at once or later. A join that is not decided yet is an Asked: the
// worker's part has a table of them, and the connection a list of its own. The program's function runs at the end of the turn,
// as no call of the API runs one before it returns. The worker's thread, but for Admit.
#include <martlet/events.h>
#include <martlet/rooms.h>

#include <utility>

#include "realtime/commands.h"
#include "base/growing_array.h"
#include "base/kept_text.h"
#include "net/reactor.h"
#include "realtime/connection_slots.h"
#include "realtime/join_hook.h"

namespace martlet::realtime {

namespace {

constexpr uint32_t kMostAsked = 64;  // of one connection

enum class Decision : uint8_t { none, yes, no, forgotten };

struct Asked {
  uint32_t generation;
  uint32_t slot;
  base::SlotId connection;
  base::KeptText room;
  JoinOptions options;
  base::KeptText epoch;   // of those
  base::KeptText reason;  // of a no
  bool calling = false;   // the program's function is being asked
  Decision decision = Decision::none;

  base::SlotId id() const noexcept { return {slot, generation}; }
};

struct JoinHook;

// What has been asked about one connection; it ends with that.
struct AskedOfSocket {
  static constexpr worker::PartKey kKey{};
  AskedOfSocket() noexcept = default;
  AskedOfSocket(const AskedOfSocket&) = delete;
  AskedOfSocket& operator=(const AskedOfSocket&) = delete;
  ~AskedOfSocket();

  JoinHook* hook = nullptr;
  base::GrowingArray<base::SlotId> all;
};

struct JoinHook final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  // One that is not wanted any more is none, though the program's function may be at it.
  Asked* find(const AskedOfSocket& socket, std::string_view room) const noexcept {
    for (const base::SlotId id : socket.all) {
      Asked* one = asked.find(id);
      if (one && one->decision != Decision::forgotten && one->room.text() == room) return one;
    }
    return nullptr;
  }
  // It is over, unless the program's function is at it: then when that has returned.
  void end(Asked& one, Decision decision) noexcept {
    one.decision = decision;
    if (!one.calling) asked.destroy(&one);
  }

  base::SlotTable<Asked> asked;
  base::GrowingArray<base::SlotId> due;  // about which the program has yet to be asked
  Function<void(WebSocket, std::string_view, Admit)> fn;
};

AskedOfSocket::~AskedOfSocket() {
  for (const base::SlotId id : all) {
    if (Asked* one = hook->asked.find(id)) hook->end(*one, Decision::forgotten);
  }
}

// Asking --------------------------------------------------------------------------------------------------------------

// Those that are over leave the connection's list when a new one wants a place.
void tidy(const JoinHook& hook, AskedOfSocket& socket) noexcept {
  uint32_t kept = 0;
  for (const base::SlotId id : socket.all) {
    if (hook.asked.find(id)) socket.all[kept++] = id;
  }
  socket.all.truncate(kept);
}

JoinRefusal ask(RealtimeWorker& w, net::Connection& c, std::string_view room, const JoinOptions& options) noexcept {
  auto& hook = *w.parts.find<JoinHook>();
  AskedOfSocket* socket = slot_for<AskedOfSocket>(c);
  if (!socket) return JoinRefusal::out_of_memory;
  socket->hook = &hook;
  tidy(hook, *socket);
  if (hook.find(*socket, room)) return JoinRefusal::undecided;
  if (socket->all.size() >= kMostAsked) return JoinRefusal::too_many_rooms_of_socket;
  if (!socket->all.make_room() || !hook.due.make_room()) return JoinRefusal::out_of_memory;
  base::KeptText kept(room);
  base::KeptText epoch(options.epoch.substr(0, JoinRules::kMostEpochBytes));
  Asked* one = kept.ok() && epoch.ok() ? hook.asked.create() : nullptr;
  if (!one) return JoinRefusal::out_of_memory;
  one->connection = c.id();
  one->room = std::move(kept);
  one->options = options;
  one->epoch = std::move(epoch);
  socket->all.push(one->id());
  hook.due.push(one->id());
  w.reactor.want_turn();
  return JoinRefusal::undecided;
}

void forget(RealtimeWorker& w, net::Connection& c, std::string_view room) noexcept {
  auto& hook = *w.parts.find<JoinHook>();
  const AskedOfSocket* socket = find_slot<AskedOfSocket>(c);
  Asked* one = socket ? hook.find(*socket, room) : nullptr;
  if (one) hook.end(*one, Decision::forgotten);
}

// Deciding ------------------------------------------------------------------------------------------------------------

void carry_out(const WebSocket& ws, Asked& one) noexcept {
  const std::string_view room = one.room.text();
  if (one.decision == Decision::yes) {
    one.options.epoch = one.epoch.text();
    one.options.trusted = true;
    ws.join(room, one.options);
  } else if (one.decision == Decision::no && !one.reason.text().empty()) {
    ws.emit("room:refused", Json{{"room", room}, {"reason", one.reason.text()}});
  }
}

// No callback runs meanwhile, and nothing is asked.
void settle(JoinHook& hook, Asked& one) noexcept {
  RealtimeWorker& w = realtime_of(hook.worker);
  const net::Connection* c = w.websocket(one.connection);
  if (c && !c->closing) carry_out(w.handle(*c), one);
  hook.asked.destroy(&one);
}

void decide(RealtimeWorker& w, base::SlotId id, Decision decision, base::KeptText reason) noexcept {
  auto* hook = w.parts.find<JoinHook>();
  Asked* one = hook ? hook->asked.find(id) : nullptr;
  if (!one || one->decision != Decision::none) {
    w.stats.late_admits++;
    return;
  }
  one->decision = decision;
  one->reason = std::move(reason);
  if (!one->calling) settle(*hook, *one);
}

void call(JoinHook& hook, Asked& one) noexcept {
  RealtimeWorker& w = realtime_of(hook.worker);
  net::Connection* c = w.websocket(one.connection);
  if (!c || c->closing) return;  // it ends with its connection
  const WebSocket ws = w.handle(*c);
  const std::string& pattern = static_cast<const WsRouteEntry*>(c->state<session::WsState>().route)->pattern;
  one.calling = true;
  w.note_call(pattern);
  const bool good = hook.fn(ws, one.room.text(), MessageAccess::admit(w.number, one.id()));
  one.calling = false;
  if (!good) {
    w.report_failure(pattern, ws);
    if (one.decision == Decision::none) one.decision = Decision::no;
  }
  if (one.decision != Decision::none) settle(hook, one);
}

// What is asked meanwhile waits for the next turn.
void turn_ended(worker::Part& part) {
  auto& hook = static_cast<JoinHook&>(part);
  const uint32_t count = hook.due.size();
  if (count == 0) return;
  for (uint32_t i = 0; i < count; i++) {
    if (Asked* one = hook.asked.find(hook.due[i])) call(hook, *one);
  }
  const uint32_t left = hook.due.size() - count;
  for (uint32_t i = 0; i < left; i++) hook.due[i] = hook.due[count + i];
  hook.due.truncate(left);
  if (left) hook.worker.reactor.want_turn();
}

const worker::PartHooks JoinHook::kHooks{.turn_ended = turn_ended};

}  // namespace

bool hook_joins(RealtimeWorker& w, Function<void(WebSocket, std::string_view, Admit)> fn) noexcept {
  auto* hook = w.parts.find_or_add<JoinHook>(w);
  if (!hook) return false;
  hook->fn = std::move(fn);
  w.joins.ask = hook->fn ? ask : nullptr;  // an empty one decides nothing, and nobody is to wait for it
  w.joins.forget = forget;
  return true;
}

}  // namespace martlet::realtime

namespace martlet {

namespace {

void decide_anywhere(uint32_t worker, base::SlotId id, realtime::Decision decision, std::string_view reason) noexcept {
  base::KeptText kept(reason);  // where memory is out, nobody is told why
  if (realtime::RealtimeWorker* w = realtime::here(worker)) return realtime::decide(*w, id, decision, std::move(kept));
  realtime::post_to(worker, [id, decision, kept = std::move(kept)](realtime::RealtimeWorker& w) mutable {
    realtime::decide(w, id, decision, std::move(kept));
  });
}

}  // namespace

void Admit::yes() const noexcept { decide_anywhere(worker_, {slot_, generation_}, realtime::Decision::yes, {}); }

void Admit::no(std::string_view reason) const noexcept {
  decide_anywhere(worker_, {slot_, generation_}, realtime::Decision::no, reason);
}

}  // namespace martlet

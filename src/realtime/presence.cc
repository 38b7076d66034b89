// See presence.h.
#include "realtime/presence.h"

#include "base/limits.h"
#include "net/reactor.h"
#include "realtime/client_identity.h"
#include "realtime/commands.h"
#include "realtime/connection_slots.h"
#include "realtime/key_text.h"
#include "sys/log_line.h"

namespace martlet::realtime {

namespace {

PresencePart& part_of(worker::Part& part) noexcept { return static_cast<PresencePart&>(part); }

// The keys of a connection: its slot.
struct HeldList {
  static constexpr worker::PartKey kKey{};
  Held* first = nullptr;  // none any more when it has left its rooms
};

Held* find_held(net::Connection& c, const MemoryRoom& room) noexcept {
  const auto* list = room.held ? find_slot<HeldList>(c) : nullptr;
  return list ? find_of_both(room.held, list->first, room, c.id()) : nullptr;
}

bool type_data(const RoomMemory& memory) noexcept { return memory.type_data.load(std::memory_order_relaxed); }

}  // namespace

const worker::PartHooks PresencePart::kHooks{
    .turn_ended = [](worker::Part& p) { part_of(p).ask_all(); },
    .worker_ends = [](worker::Part& p) { part_of(p).let_go(UINT64_MAX); },
};

PresencePart::~PresencePart() {
  for (const auto& rule : rules) {
    while (Held* held = rule->leaving) {
      rule->leaving = held->next;
      base::destroy(held);
    }
  }
}

PresenceRule* PresencePart::rule_of(std::string_view room) const noexcept {
  PresenceRule* best = nullptr;
  for (const auto& rule : rules) {
    if (pattern_fits(rule->pattern, room) && (!best || rule->pattern.size() > best->pattern.size())) best = rule.get();
  }
  return best;
}

// Coming --------------------------------------------------------------------------------------------------------------

bool PresencePart::ask(net::Connection& c, const MemoryRoom& room) noexcept {
  if (!rule_of(room.record.name())) return true;
  worker.reactor.want_turn();
  return questions_.push({c.id(), {room.record.slot, room.record.generation}});
}

void PresencePart::ask_again(net::Connection& c) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  for (const Membership* m = c.state<session::WsState>().rooms; m; m = m->next_of_socket) {
    const MemoryRoom* room = w.rooms.find_live(m->room_slot)->memory;
    if (room) (void)ask(c, *room);
  }
}

void PresencePart::ask_hidden(RoomMemory& memory) noexcept {
  const RoomRecord* record = realtime_of(worker).rooms.find(memory.name());
  for (Held* held = record && record->memory ? record->memory->held : nullptr; held; held = held->next) {
    if (!held->shown) return void(ask(*worker.reactor.connections.live(held->connection.slot), *record->memory));
  }
}

// The functions of the program may bring further questions: they are for the next turn, however often they do.
void PresencePart::ask_all() noexcept {
  const uint32_t count = questions_.size();
  if (count == 0) return;
  for (uint32_t i = 0; i < count; i++) answer(Question(questions_[i]));
  const uint32_t further = questions_.size() - count;
  for (uint32_t i = 0; i < further; i++) questions_[i] = questions_[count + i];
  questions_.truncate(further);
}

void PresencePart::answer(const Question& question) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  net::Connection* c = w.websocket(question.connection);
  RoomRecord* record = w.rooms.find(question.room);
  if (!c || c->closing || !record || !record->memory || !w.rooms.is_member(c->state<session::WsState>(), *record)) return;
  PresenceRule& rule = *rule_of(record->name());
  const WebSocket ws = w.handle(*c);
  Json value;
  std::string identity = rule.options.identify ? std::string() : public_name_of(*c);
  w.note_call(rule.pattern);
  if (!rule.describe(ws, value) || (rule.options.identify && !rule.options.identify(ws, identity))) return w.report_failure(rule.pattern, ws);
  if (!rule.options.identify && identity.empty()) identity = ws.id();
  c = w.websocket(question.connection);  // what it was asked about may be gone by now
  record = w.rooms.find(question.room);
  if (!c || !record || !record->memory || !w.rooms.is_member(c->state<session::WsState>(), *record)) return;
  JsonWriter text;
  text.value(value);
  if (identity.empty() || identity.size() > Shared::kMaxKeyBytes || !text.ok()) return;
  show(*c, *record->memory, rule, identity, text.text());
}

// One that is there already is another than before, or the same.
void PresencePart::show(net::Connection& c, MemoryRoom& room, PresenceRule& rule, std::string_view identity, std::string_view value) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  auto* list = slot_for<HeldList>(c);
  if (!list) return;
  Held* held = find_held(c, room);
  if (held && held->key.text() != identity) {
    left(c, room);
    held = nullptr;
  }
  if (!held) {
    base::KeptText kept(identity);
    held = kept.ok() ? base::create<Held>(room, c, rule, std::move(kept)) : nullptr;
    if (!held) return;
    link_to_both(*held, room.held, list->first);
    const std::lock_guard lock(room.memory->mutex);
    room.memory->hidden++;
  }
  if (!put(*held, value)) warn(rule);
  w.parts.find<MemoryPart>()->read(room);
}

void PresencePart::warn(const PresenceRule& rule) noexcept {
  const uint64_t now_ms = memory_now_ms();
  if (now_ms - warned_ms_ < 1'000) return;
  warned_ms_ = now_ms;
  sys::log_limited(LogLevel::warn, "presence: a member is not shown, as there is no place for one more", rule.pattern);
}

// False when there is no place for it. One that is shown already is shown as it was then.
bool PresencePart::put(Held& held, std::string_view value) noexcept {
  RoomMemory& memory = *held.memory;
  const std::string_view identity = held.key.text();
  const KeyText told("presence:join", identity, value, type_data(memory));
  if (!told.ok()) return false;
  read_unread(realtime_of(worker));
  const std::lock_guard lock(memory.mutex);
  const MemoryEntry* before = memory.map().find(KeyKind::presence, identity);
  const bool same = before && !before->gone && before->value_text() == value;
  if (!same && memory.set(KeyKind::presence, identity, told.told(), memory_now_ms()) != RoomMemory::Changed::yes) return false;
  MemoryEntry& entry = *memory.map().find(KeyKind::presence, identity);
  entry.leaves_ms = 0;
  if (!std::exchange(held.shown, true)) {
    entry.holders++;
    memory.hidden--;
  }
  if (!same) tell_readers(memory, &worker);
  return true;
}

// Going ---------------------------------------------------------------------------------------------------------------

void PresencePart::left(net::Connection& c, MemoryRoom& room) noexcept {
  Held* const held = find_held(c, room);
  if (!held) return;
  unlink_from_both(*held, room.held, find_slot<HeldList>(c)->first);
  if (!held->shown) {
    {
      const std::lock_guard lock(held->memory->mutex);
      held->memory->hidden--;
    }
    return base::destroy(held);
  }
  PresenceRule& rule = held->rule;
  const uint64_t now_ms = memory_now_ms();
  held->until_ms = now_ms + base::to_ms(rule.options.grace);
  {
    const std::lock_guard lock(held->memory->mutex);
    MemoryEntry* entry = held->memory->map().find(KeyKind::presence, held->key.text());
    if (entry && --entry->holders == 0) entry->leaves_ms = held->until_ms;
  }
  held->next = nullptr;
  (rule.leaving ? rule.last_leaving->next : rule.leaving) = held;
  rule.last_leaving = held;
  if (held->until_ms == now_ms) return let_go(now_ms);
  arm(now_ms);
}

// For the next one of all.
void PresencePart::arm(uint64_t now_ms) noexcept {
  uint64_t next_ms = UINT64_MAX;
  for (const auto& rule : rules) {
    if (rule->leaving && rule->leaving->until_ms < next_ms) next_ms = rule->leaving->until_ms;
  }
  if (next_ms >= armed_for_ms_) return;
  const auto run = [](void* self) {
    auto& part = *static_cast<PresencePart*>(self);
    part.armed_for_ms_ = UINT64_MAX;
    part.let_go(memory_now_ms());
  };
  worker.reactor.timers.cancel(timer_);
  timer_ = worker.reactor.timers.after(worker.reactor.now_ns(), next_ms > now_ms ? next_ms - now_ms : 0, {run, nullptr, this});
  armed_for_ms_ = timer_.generation ? next_ms : UINT64_MAX;
}

void PresencePart::let_go(uint64_t now_ms) noexcept {
  for (const auto& rule : rules) let_go(*rule, now_ms);
  if (now_ms != UINT64_MAX) arm(now_ms);
}

void PresencePart::let_go(PresenceRule& rule, uint64_t now_ms) noexcept {
  while (rule.leaving && rule.leaving->until_ms <= now_ms) {
    Held& held = *rule.leaving;
    if (!remove(held) && now_ms != UINT64_MAX) {
      held.until_ms = now_ms + 1'000;  // memory is out, and the others wait with it
      return;
    }
    rule.leaving = held.next;
    base::destroy(&held);
  }
}

namespace {

// There is place for one more. Under the lock.
void tell_hidden(RoomMemory& memory) noexcept {
  for (const MemoryReader* reader = memory.hidden ? memory.readers() : nullptr; reader; reader = reader->next) {
    post_to(reader->worker, [ref = MemoryRef::to(memory)](RealtimeWorker& w) {
      if (auto* part = w.parts.find<PresencePart>()) part->ask_hidden(*ref);
    });
  }
}

}  // namespace

// False when memory is out. Nothing is removed while somebody else holds the key, or did so later than this one.
bool PresencePart::remove(Held& held) noexcept {
  RoomMemory& memory = *held.memory;
  const KeyText told("presence:leave", held.key.text(), {}, type_data(memory));
  if (!told.ok()) return false;
  read_unread(realtime_of(worker));
  {
    const std::lock_guard lock(memory.mutex);
    const MemoryEntry* entry = memory.map().find(KeyKind::presence, held.key.text());
    if (!entry || entry->gone || entry->holders > 0 || entry->leaves_ms > held.until_ms) return true;
    if (memory.remove(KeyKind::presence, held.key.text(), told.told(), memory_now_ms()) == RoomMemory::Changed::no_memory) return false;
    tell_readers(memory, &worker);
    tell_hidden(memory);
  }
  realtime_of(worker).parts.find<MemoryPart>()->read_if_here(memory);
  return true;
}

}  // namespace martlet::realtime

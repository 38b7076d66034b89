// See presence.h.
#include "realtime/presence.h"

#include "net/reactor.h"
#include "realtime/client_identity.h"
#include "realtime/connection_slots.h"
#include "realtime/key_text.h"

namespace martlet::realtime {

namespace {

PresencePart& part_of(worker::Part& part) noexcept { return static_cast<PresencePart&>(part); }

// The keys of a connection: its slot.
struct HeldList {
  static constexpr worker::PartKey kKey{};
  HeldList() noexcept = default;
  HeldList(const HeldList&) = delete;
  HeldList& operator=(const HeldList&) = delete;
  ~HeldList() {
    while (Held* held = first) {
      first = held->next;
      base::destroy(held);
    }
  }
  // The link of the one of this room; one of null when there is none.
  Held** link_of(const RoomMemory& memory) noexcept {
    Held** link = &first;
    while (*link && &*(*link)->memory != &memory) link = &(*link)->next;
    return link;
  }
  Held* first = nullptr;
};

bool type_data(const RoomMemory& memory) noexcept { return memory.type_data.load(std::memory_order_relaxed); }

}  // namespace

const worker::PartHooks PresencePart::kHooks{
    .turn_ended = [](worker::Part& p) { part_of(p).ask_all(); },
    .worker_ends = [](worker::Part& p) { part_of(p).let_go(UINT64_MAX); },
};

PresencePart::~PresencePart() {
  while (Held* held = leaving_) {
    leaving_ = held->next;
    base::destroy(held);
  }
}

const PresenceRule* PresencePart::rule_of(std::string_view room) const noexcept {
  const PresenceRule* best = nullptr;
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

// The functions of the program may bring further questions.
void PresencePart::ask_all() noexcept {
  if (questions_.empty()) return;
  for (uint32_t i = 0; i < questions_.size(); i++) answer(Question(questions_[i]));
  questions_.clear();
}

void PresencePart::answer(const Question& question) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  net::Connection* c = w.websocket(question.connection);
  RoomRecord* record = w.rooms.find(question.room);
  if (!c || c->closing || !record || !record->memory || !w.rooms.is_member(c->state<session::WsState>(), *record)) return;
  const PresenceRule& rule = *rule_of(record->name());
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
void PresencePart::show(net::Connection& c, MemoryRoom& room, const PresenceRule& rule, std::string_view identity, std::string_view value) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  auto* list = slot_for<HeldList>(c);
  if (!list) return;
  Held** const link = list->link_of(*room.memory);
  if (*link && (*link)->key.text() != identity) left(c, room);
  Held* held = *link;
  const bool is_new = !held;
  if (is_new) {
    base::KeptText kept(identity);
    held = kept.ok() ? base::create<Held>(MemoryRef::to(*room.memory), rule, std::move(kept)) : nullptr;
    if (!held) return;
  }
  const KeyText told("presence:join", identity, value, type_data(*room.memory));
  bool shown = told.ok();
  if (shown) {
    const std::lock_guard lock(room.memory->mutex);
    const MemoryEntry* before = room.memory->map().find(KeyKind::presence, identity);
    const bool same = before && !before->gone && before->value_text() == value;
    shown = same || room.memory->set(KeyKind::presence, identity, told.told(), memory_now_ms()) == RoomMemory::Changed::yes;
    MemoryEntry* entry = shown ? room.memory->map().find(KeyKind::presence, identity) : nullptr;
    if (entry) {
      entry->leaves_ms = 0;
      entry->holders += is_new;
    }
    if (!same) tell_readers(*room.memory, w.number);
  }
  if (is_new && shown) {
    held->next = list->first;
    list->first = held;
  } else if (is_new) {
    base::destroy(held);
  }
  w.parts.find<MemoryPart>()->read(room);
}

// Going ---------------------------------------------------------------------------------------------------------------

void PresencePart::left(net::Connection& c, const MemoryRoom& room) noexcept {
  auto* list = find_slot<HeldList>(c);
  Held** const link = list ? list->link_of(*room.memory) : nullptr;
  if (!link || !*link) return;
  Held& held = **link;
  *link = held.next;
  const uint64_t now_ms = memory_now_ms();
  held.until_ms = now_ms + static_cast<uint64_t>(held.rule.options.grace.count());
  {
    const std::lock_guard lock(held.memory->mutex);
    MemoryEntry* entry = held.memory->map().find(KeyKind::presence, held.key.text());
    if (entry && --entry->holders == 0) entry->leaves_ms = held.until_ms;
  }
  queue(held);
  if (held.rule.options.grace.count() == 0) {
    let_go(now_ms);
  } else {
    arm(now_ms);
  }
}

void PresencePart::queue(Held& held) noexcept {
  Held** link = &leaving_;
  while (*link && (*link)->until_ms <= held.until_ms) link = &(*link)->next;
  held.next = *link;
  *link = &held;
}

void PresencePart::arm(uint64_t now_ms) noexcept {
  if (armed_ || !leaving_) return;
  const uint64_t in_ms = leaving_->until_ms > now_ms ? leaving_->until_ms - now_ms : 0;
  const auto run = [](void* self) {
    auto& part = *static_cast<PresencePart*>(self);
    part.armed_ = false;
    part.let_go(memory_now_ms());
  };
  armed_ = worker.reactor.timers.after(worker.reactor.now_ns(), in_ms, {run, nullptr, this}).generation != 0;
}

void PresencePart::let_go(uint64_t now_ms) noexcept {
  while (leaving_ && leaving_->until_ms <= now_ms) {
    Held& held = *leaving_;
    if (!remove(held)) {
      held.until_ms = now_ms + 1'000;  // memory is out
      leaving_ = held.next;
      if (now_ms != UINT64_MAX) {
        queue(held);
        continue;
      }
    } else {
      leaving_ = held.next;
    }
    base::destroy(&held);
  }
  if (now_ms != UINT64_MAX) arm(now_ms);
}

// False when memory is out. Nothing is removed while somebody else holds the key, or did so later than this one.
bool PresencePart::remove(Held& held) noexcept {
  RoomMemory& memory = *held.memory;
  const KeyText told("presence:leave", held.key.text(), {}, type_data(memory));
  if (!told.ok()) return false;
  {
    const std::lock_guard lock(memory.mutex);
    const MemoryEntry* entry = memory.map().find(KeyKind::presence, held.key.text());
    if (!entry || entry->gone || entry->holders > 0 || entry->leaves_ms > held.until_ms) return true;
    if (memory.remove(KeyKind::presence, held.key.text(), told.told(), memory_now_ms()) == RoomMemory::Changed::no_memory) return false;
    tell_readers(memory, worker.number);
  }
  realtime_of(worker).parts.find<MemoryPart>()->read_if_here(memory);
  return true;
}

}  // namespace martlet::realtime

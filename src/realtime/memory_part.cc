// See memory_part.h.
#include "realtime/memory_part.h"

#include "base/block.h"
#include "net/output.h"
#include "net/reactor.h"
#include "realtime/connection_slots.h"
#include "session/ws_session.h"
#include "sys/clock.h"

namespace martlet::realtime {

namespace {

MemoryPart& part_of(worker::Part& part) noexcept { return static_cast<MemoryPart&>(part); }

constexpr uint64_t kLookMs = 5'000;
constexpr size_t kStepBytes = size_t{64} << 10;
constexpr size_t kPagesBytes = size_t{256} << 10;  // in a step, of what lies where it is for several
constexpr size_t kMostUnread = size_t{16} << 10;  // bytes

}  // namespace

const worker::PartHooks MemoryPart::kHooks{
    .turn_ended = [](worker::Part& p) { part_of(p).go_on(); },
    .stalled = [](worker::Part& p, net::Connection& c) { part_of(p).stalled(c); },
    .drained = [](worker::Part& p, net::Connection& c) { part_of(p).drained(c); },
    .lost = [](worker::Part& p, net::Connection& c) { part_of(p).lost(c); },
};

uint64_t memory_now_ms() noexcept { return sys::monotonic_ns() / 1'000'000; }

// Being there ---------------------------------------------------------------------------------------------------------

namespace {

// Whom a message goes to by name, where that is a room with memory which has no members here.
MemoryRef memory_of(MemoryPart& part, const RealtimeWorker& w, const MemoryTarget& to) noexcept {
  if (to.room && to.room->members > 0) return MemoryRef();
  const auto find_or_make = [&](std::string_view name) {
    Memories::Why why;
    return MemoryRef(part.memories->find_or_make(name, w.group ? &w.group->directory : nullptr, Memories::For::message, why));
  };
  if (to.room) return find_or_make(to.room->name());  // it stays without members
  if (!to.name.empty() || to.id.generation == 0) return find_or_make(to.name);
  return w.group ? MemoryRef(part.memories->find(w.group->directory.name_of(to.id))) : MemoryRef();
}

bool publish_to_memory(RealtimeWorker& w, const MemoryTarget& to, const PublishedMessage& message, SendStatus& answer) noexcept {
  MemoryPart* part = w.parts.find<MemoryPart>();
  bool* const once = part->by_mail ? part->by_mail++ : nullptr;
  MemoryRoom* const here = to.room ? to.room->memory : nullptr;
  const MemoryRef elsewhere = here ? MemoryRef() : memory_of(*part, w, to);
  if (!here && !elsewhere) return false;
  if (!to.for_all && !once && w.number != w.first) return true;  // the first worker writes it down for all
  if (here) part->read_before(*here, message.size);
  RoomMemory& memory = here ? *here->memory : *elsewhere;
  const RoomMemory::Sent sent{message.opcode, {static_cast<const char*>(message.data), message.size}, message.is_event,
                              message.compress, to.except};
  {
    const std::lock_guard lock(memory.mutex);
    const bool is_written = !to.for_all && once && std::exchange(*once, true);
    if (!is_written) {
      answer = memory.send(sent, w.reactor.now_ns() / 1'000'000) ? SendStatus::ok : SendStatus::dropped;
      if (!here || !memory.is_only(here->reader)) tell_readers(memory, &w);
    }
  }
  if (answer == SendStatus::dropped) w.stats.messages_dropped++;
  if (here) part->note_unread(*here, message.size);
  return true;
}

bool has_memory(RealtimeWorker& w, std::string_view name) noexcept {
  return w.parts.find<MemoryPart>()->memories->covers(name);
}

bool enter(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept { return w.parts.find<MemoryPart>()->enter(c, room); }
void leave(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept { w.parts.find<MemoryPart>()->leave(c, room); }

Joined enter_with(RealtimeWorker& w, net::Connection& c, std::string_view name, const JoinOptions& options) noexcept {
  MemoryPart& part = *w.parts.find<MemoryPart>();
  const RoomRecord* before = w.rooms.find(name);
  const bool again = before && w.rooms.is_member(c.state<session::WsState>(), *before);
  const CatchUpWish wish{options.since, read_epoch(options.epoch), options.last, options.positions};
  part.wish = &wish;
  const Joined joined = w.enter_room(c, name, options);
  part.wish = nullptr;
  if (joined.room && again && joined.room->memory) part.begin(c, *joined.room->memory, wish);
  return joined;
}

void by_mail(RealtimeWorker& w, bool* written) noexcept { w.parts.find<MemoryPart>()->by_mail = written; }

void read_unread(RealtimeWorker& w) noexcept { w.parts.find<MemoryPart>()->read(*w.unread); }

constexpr MemorySeam kSeam{publish_to_memory, read_unread, has_memory, enter, leave, enter_with, by_mail};

}  // namespace

MemoryPart* MemoryPart::of(RealtimeWorker& w) noexcept {
  auto* part = w.parts.find_or_add<MemoryPart>(w);
  if (!part || part->memories) return part;
  part->memories = worker::common_of(w).find_or_add<Memories>();
  if (!part->memories) return nullptr;
  w.memory = &kSeam;
  any_memory.store(true, std::memory_order_relaxed);
  w.reactor.timers.every(w.reactor.now_ns(), kLookMs, {[](void* p) { static_cast<MemoryPart*>(p)->look(); }, nullptr, part});
  return part;
}

MemoryPart::~MemoryPart() {
  while (Behind* behind = due_) {
    due_ = behind->next_due;
    if (behind->over) base::destroy(behind);
  }
}

bool MemoryPart::attach(RoomRecord& record, MemoryRef memory) noexcept {
  auto* room = base::create<MemoryRoom>(std::move(memory), record);
  if (!room) return false;
  room->reader.worker = worker.number;
  room->next = rooms_;
  if (rooms_) rooms_->previous = room;
  rooms_ = room;
  record.memory = room;
  const std::lock_guard lock(room->memory->mutex);
  room->memory->add(room->reader);
  room->published_to = room->reader.read_to;
  return true;
}

void MemoryPart::detach(MemoryRoom& room) noexcept {
  if (realtime().unread == &room) realtime().unread = nullptr;  // nobody is left who would be told
  {
    const std::lock_guard lock(room.memory->mutex);
    room.memory->remove(room.reader);
    room.memory->trim(memory_now_ms());
  }
  if (looked_to_ == &room) looked_to_ = room.next;
  (room.previous ? room.previous->next : rooms_) = room.next;
  if (room.next) room.next->previous = room.previous;
  room.record.memory = nullptr;
  base::destroy(&room);
}

bool MemoryPart::enter(net::Connection& c, RoomRecord& record) noexcept {
  if (!record.memory) {
    if (record.members > 1) return true;
    const worker::Directory* directory = worker.group ? &worker.group->directory : nullptr;
    Memories::Why why;
    MemoryRef memory(memories->find_or_make(record.name(), directory, Memories::For::member, why));
    if (!memory) return why == Memories::Why::plain;
    if (!attach(record, std::move(memory))) return false;
  }
  MemoryRoom& room = *record.memory;
  c.followed = true;
  if (auto* list = find_slot<BehindList>(c)) list->lost = false;
  if (!members || members->entered(realtime(), c, room)) {
    if (tell(c, room)) return true;
    if (members) members->left(realtime(), c, room);
  }
  if (record.members == 1) detach(room);
  return false;
}

// What one who comes is to know, now or when its connection takes it. False when memory is out.
bool MemoryPart::tell(net::Connection& c, MemoryRoom& room) noexcept {
  bool nothing;
  {
    const std::lock_guard lock(room.memory->mutex);
    room.memory->trim(memory_now_ms());
    const MemoryMap& map = room.memory->map();
    nothing = takes_more(c) && is_let_in(c) && !wish && room.reader.read_to == room.memory->end() && !map.knows(KeyKind::state) && !map.knows(KeyKind::presence);
  }
  if (nothing) return true;
  if (!put_behind(room, c, CatchUp(0))) return false;
  begin(c, room, wish ? *wish : CatchUpWish());
  return true;
}

void MemoryPart::leave(net::Connection& c, RoomRecord& record) noexcept {
  MemoryRoom& room = *record.memory;
  if (members) members->left(realtime(), c, room);
  if (Behind* behind = find_behind(room, c)) catch_up_with(*behind);
  if (record.members == 1) detach(room);
}

// Those that are behind -----------------------------------------------------------------------------------------------

Behind* MemoryPart::find_behind(const MemoryRoom& room, net::Connection& c) noexcept {
  const BehindList* list = room.behind ? find_slot<BehindList>(c) : nullptr;
  return list ? find_of_both(room.behind, list->first, room, c.id()) : nullptr;
}

Behind* MemoryPart::put_behind(MemoryRoom& room, net::Connection& c, const CatchUp& what) noexcept {
  auto* list = slot_for<BehindList>(c);
  auto* behind = list ? base::create<Behind>(room, c.id(), what) : nullptr;
  if (!behind) return nullptr;
  link_to_both(*behind, room.behind, list->first);
  list->lost = false;
  return behind;
}

// It is where its room is, or has left.
void MemoryPart::catch_up_with(Behind& behind) noexcept {
  MemoryRoom& room = behind.room;
  BehindList& list = *find_slot<BehindList>(*worker.reactor.connections.live(behind.connection.slot));
  unlink_from_both(behind, room.behind, list.first);
  list.lost = false;
  if (!room.behind) {
    const std::lock_guard lock(room.memory->mutex);
    room.reader.needed_from = UINT64_MAX;
  }
  behind.over = true;
  if (!behind.due) base::destroy(&behind);
}

void MemoryPart::begin(net::Connection& c, MemoryRoom& room, const CatchUpWish& what) noexcept {
  read(room);
  Behind* behind = find_behind(room, c);
  if (!behind) behind = put_behind(room, c, CatchUp(room.reader.read_to));
  if (!behind) return;
  {
    const std::lock_guard lock(room.memory->mutex);
    room.memory->trim(memory_now_ms());
    behind->catch_up = CatchUp(*room.memory, room.reader.read_to, what);
    if (behind->catch_up.needs() < room.reader.needed_from) room.reader.needed_from = behind->catch_up.needs();
  }
  step(*behind);
}

namespace {

// Whether a member's connection may have this as well: below the limit one message more, of whatever size, but not several.
bool has_place(RealtimeWorker& w, net::Connection& c, const MemoryRun& run) noexcept {
  const session::WsState& ws = c.state<session::WsState>();
  const uint64_t taken = ws.published > w.log.begin() ? ws.published : w.log.begin();
  const uint64_t waits = net::unsent_bytes(w.reactor, c) + (w.log.end() > taken ? w.log.end() - taken : 0);
  const uint64_t limit = ws.route->limits.unsent_bytes;
  return waits < limit && (run.messages == 1 || waits + run.size <= limit);
}

uint64_t least_limit(const RealtimeWorker& w) noexcept {
  uint64_t least = UINT64_MAX;
  for (const auto& route : w.ws_routes) {
    if (route->limits.unsent_bytes < least) least = route->limits.unsent_bytes;
  }
  return least;
}

}  // namespace

// These members are behind from here on: all, or those whose connections have no place for this run. One that cannot be put behind
// is told to go.
void MemoryPart::put_back(MemoryRoom& room, uint64_t from, const MemoryRun* run) noexcept {
  RealtimeWorker& w = realtime();
  bool any = false;
  for (const Membership* m = room.record.first; m; m = m->room_next) {
    net::Connection& c = *worker.reactor.connections.live(m->connection_slot);
    if (find_behind(room, c) || (run && (!is_let_in(c) || has_place(w, c, *run)))) continue;
    if (Behind* behind = put_behind(room, c, CatchUp(from))) {
      mark_due(*behind);
      any = true;
    } else if (is_let_in(c) && !c.closing) {
      session::close_slow(worker.sessions, c);
    }
  }
  if (!any) return;
  const std::lock_guard lock(room.memory->mutex);
  if (from < room.reader.needed_from) room.reader.needed_from = from;
}

// Without memory for that it gets all, as in any room.
void MemoryPart::stalled(net::Connection& c) noexcept {
  RealtimeWorker& w = realtime();
  for (const Membership* m = c.state<session::WsState>().rooms; m; m = m->next_of_socket) {
    MemoryRoom* room = w.rooms.find_live(m->room_slot)->memory;
    if (!room || find_behind(*room, c)) continue;
    const uint64_t position = room->published_to;
    if (!put_behind(*room, c, CatchUp(position))) continue;
    const std::lock_guard lock(room->memory->mutex);
    if (position < room->reader.needed_from) room->reader.needed_from = position;
  }
}

void MemoryPart::drained(net::Connection& c) noexcept {
  if (c.protocol != &session::ws_protocol) return;
  const BehindList* list = find_slot<BehindList>(c);
  for (Behind* behind = list ? list->first : nullptr; behind; behind = behind->next_of_connection) mark_due(*behind);
}

// It cannot be known whether what was dropped was a room's.
void MemoryPart::lost(net::Connection& c) noexcept {
  RealtimeWorker& w = realtime();
  lost_while_writing_ = writing_;
  if (writing_ || c.protocol != &session::ws_protocol || c.state<session::WsState>().ready != ReadyState::open) return;
  const BehindList* known = find_slot<BehindList>(c);
  if (known && known->lost) return;  // many may be lost one after the other
  for (const Membership* m = c.state<session::WsState>().rooms; m; m = m->next_of_socket) {
    MemoryRoom* room = w.rooms.find_live(m->room_slot)->memory;
    if (!room) continue;
    Behind* behind = find_behind(*room, c);
    if (!behind) behind = put_behind(*room, c, CatchUp(room->published_to));
    if (!behind) continue;
    behind->catch_up.lose();
    mark_due(*behind);
  }
  if (auto* list = find_slot<BehindList>(c)) list->lost = true;
}

void MemoryPart::mark_due(Behind& behind) noexcept {
  worker.reactor.want_turn();
  if (behind.due) return;
  behind.due = true;
  behind.next_due = due_;
  due_ = &behind;
}

void MemoryPart::go_on() noexcept {
  Behind* first = std::exchange(due_, nullptr);
  while (Behind* behind = first) {
    first = behind->next_due;
    behind->due = false;
    if (behind->over) {
      base::destroy(behind);
    } else {
      step(*behind);
    }
  }
}

// Gives it as much as its connection takes at once.
void MemoryPart::step(Behind& behind) noexcept {
  net::Connection& c = *worker.reactor.connections.live(behind.connection.slot);
  const session::WsState& ws = c.state<session::WsState>();
  if (!takes_more(c) || ws.ready != ReadyState::open || !is_let_in(c)) return;
  read(behind.room);
  take_published(realtime(), c);
  if (!takes_more(c)) return;
  Told told{.more = true};
  for (size_t pages = 0; told.more && pages < kPagesBytes; pages += told.shared) {
    told = {};
    if (net::unsent_bytes(worker.reactor, c) >= ws.route->limits.unsent_bytes) break;
    if (!write(behind, c, told)) return;  // looked at again
  }
  if (!told.done) {
    mark_due(behind);
  } else if (takes_more(c)) {  // or it would not be noticed that it stands still
    catch_up_with(behind);
  }
}

// The next of what it is told, in a block of its own or where it lies for several. Without a block memory is out.
FrameRun MemoryPart::next_frames(Behind& behind, net::Connection& c, Told& told) noexcept {
  RealtimeWorker& w = realtime();
  RoomMemory& memory = *behind.room.memory;
  const uint64_t space = c.state<session::WsState>().route->limits.unsent_bytes - net::unsent_bytes(w.reactor, c);
  size_t size = space < kStepBytes ? static_cast<size_t>(space) : kStepBytes;
  while (base::Block* block = w.reactor.blocks.acquire(size)) {
    CatchUp::Written written;
    {
      const std::lock_guard lock(memory.mutex);
      written = behind.catch_up.write(memory, behind.room.reader.read_to, w.handle(c), block->data(), size);
    }
    told.done = written.done;
    told.shared = written.shared.size;
    if (!written.wanted && !told.shared) return {block, block->data(), written.bytes, written.frames};
    block->release();
    if (told.shared) return {written.shared.block, written.shared.data, written.shared.size, 1};
    size = written.wanted;  // for one that is larger: it may go alone
  }
  return {};
}

// False when memory was out: it is where it was.
bool MemoryPart::write(Behind& behind, net::Connection& c, Told& told) noexcept {
  RealtimeWorker& w = realtime();
  const CatchUp before = behind.catch_up;
  const FrameRun run = next_frames(behind, c, told);
  if (!run.block) return false;
  SendStatus sent = SendStatus::ok;
  lost_while_writing_ = false;
  if (run.size) {
    find_slot<BehindList>(c)->lost = false;
    writing_ = true;
    sent = session::send_frames(w.sessions, c, run.block, run.data, run.size, run.messages);
    writing_ = false;
  }
  run.block->release();
  const bool is_told = sent != SendStatus::dropped;
  const bool is_lost = behind.catch_up.is_lost();
  if (!is_told) behind.catch_up = before;  // which it is told again
  if (is_lost) behind.catch_up.lose();
  if (is_told && lost_while_writing_) lost(c);  // what was before it has made way for it
  told.done = is_told && told.done && !behind.catch_up.is_lost();
  told.more = is_told && told.shared > 0 && takes_more(c);
  return is_told;
}

// Reading -------------------------------------------------------------------------------------------------------------

bool MemoryPart::gather_excepts(const MemoryRoom& room, std::span<const WebSocket> except) noexcept {
  RealtimeWorker& w = realtime();
  left_out_.clear();
  for (const Behind* behind = room.behind; behind; behind = behind->next) {
    if (!left_out_.push(w.reactor.connections.live(behind->connection.slot))) return false;
  }
  for (const WebSocket& ws : except) {
    net::Connection* c = MessageAccess::worker(ws) == w.number ? w.websocket(MessageAccess::id(ws)) : nullptr;
    if (c && !left_out_.push(c)) return false;
  }
  return true;
}

// Gives a run to the members that are not behind, and takes what the run holds of its block. False when memory is out.
bool MemoryPart::publish(MemoryRoom& room, const MemoryRun& run, std::span<const WebSocket> except) noexcept {
  RealtimeWorker& w = realtime();
  AudienceLog& audience = room.record.log;
  const uint64_t turn = w.log.end() - w.log.begin() + run.size;
  if (turn > least_limit(w) / 2) put_back(room, room.published_to, &run);
  PublishedRange range;
  const bool published = gather_excepts(room, except) &&
                         publish_frames(w, audience, {run.block, run.data, run.size, run.messages}, run.compress,
                                        {left_out_.data(), left_out_.size()}, range);
  run.block->release();
  if (!published) return false;
  w.list(audience);
  room.published_to = run.last;
  return true;
}

void MemoryPart::read(MemoryRoom& room) noexcept {
  MemoryRoom* const before = std::exchange(realtime().unread, nullptr);
  if (before && before != &room) read(*before);
  for (bool more = true; more;) {
    MemoryRuns runs;
    bool whole;
    {
      const std::lock_guard lock(room.memory->mutex);
      room.reader.told = {};
      room.reader.told_from_outside = false;
      const uint64_t from = room.reader.read_to;
      if (from == room.memory->end()) return;
      whole = room.memory->read(room.reader, runs);
      more = room.reader.read_to < room.memory->end();
      if (more && room.reader.read_to == from) whole = more = false;  // not even one has its place: memory is out
    }
    for (uint32_t i = 0; i < runs.count; i++) {
      const MemoryRun& run = runs.runs[i];
      const std::span<const WebSocket> except(runs.excepts.data() + run.except_begin, run.except_count);
      whole ? void(whole = publish(room, run, except)) : run.block->release();
    }
    if (!whole) put_back(room, room.published_to, nullptr);
    room.published_to = room.reader.read_to;
  }
}

// What is sent to one room in a turn is read as one, unless it is so much that the room may forget some of it for want of space.
bool MemoryPart::is_much(const MemoryRoom& room, size_t bytes) noexcept {
  return bytes > kMostUnread || bytes > room.memory->limits.bytes / 4 || MemoryBudget::is_spent();
}

void MemoryPart::read_before(MemoryRoom& room, size_t bytes) noexcept {
  if (realtime().unread == &room && is_much(room, unread_bytes_ + bytes)) read(room);
}

void MemoryPart::note_unread(MemoryRoom& room, size_t bytes) noexcept {
  RealtimeWorker& w = realtime();
  if (w.unread != &room) {
    if (w.unread) read(*w.unread);
    w.unread = &room;
    w.delivery_due = true;
    w.log.expect();
    w.reactor.want_turn();
    unread_bytes_ = 0;
  }
  unread_bytes_ += bytes + sizeof(MemoryRecord);
  if (is_much(room, unread_bytes_)) read(room);
}

}  // namespace martlet::realtime

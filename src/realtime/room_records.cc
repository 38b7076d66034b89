// See room_records.h. A record is found by the number of its room: of the directory's entry, or of the one worker's own. What a
// message changes is one time, without a lock; comings and goings take the records' mutex, and under it the directory's, never
// the other way round.
#include <martlet/room_records.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/growing_array.h"
#include "net/reactor.h"
#include "realtime/commands.h"
#include "realtime/room_records.h"
#include "sys/clock.h"
#include "worker/common.h"

namespace martlet::realtime {

namespace {

constexpr uint32_t kMostEmpty = 65'536;
constexpr uint64_t kActiveNs = 300'000'000'000;
constexpr uint64_t kNsPerMs = 1'000'000;

struct Change {
  WebSocket socket;
  bool joined;
  uint64_t at_ns;
};

struct Record {
  base::SlotId room{};
  uint32_t holders = 0;  // workers that have members
  uint32_t oldest = 0;   // of `changes`, once it is full
  std::atomic<uint64_t> last_ns{0};
  uint64_t created_ns = 0;
  uint64_t empty_since_ns = 0;
  bool is_empty = false;  // and kept: in the list of those
  Record* previous_empty = nullptr;
  Record* next_empty = nullptr;
  base::GrowingArray<Change> changes;
  Json metadata = Json::object();

  void touch(uint64_t now_ns) noexcept {
    if (last_ns.load(std::memory_order_relaxed) != now_ns) last_ns.store(now_ns, std::memory_order_relaxed);
  }
  // Where memory is out for it, it is not remembered.
  void note(const Change& change, uint32_t most) noexcept {
    touch(change.at_ns);
    if (most == 0) return;
    if (changes.size() < most) {
      changes.push(change);
    } else {
      changes[std::exchange(oldest, (oldest + 1) % most)] = change;
    }
  }
};

// Of all workers.
struct RoomRecords final : worker::CommonObject {
  static constexpr worker::PartKey kKey{};
  ~RoomRecords() {
    for (Record* record : by_number) base::destroy(record);
  }

  Record* find(base::SlotId room) noexcept {
    Record* record = room.slot < by_number.size() ? by_number[room.slot] : nullptr;
    return record && record->room == room ? record : nullptr;
  }
  // Null when memory is out. One that is left of an earlier room of this number goes.
  Record* find_or_make(base::SlotId room, uint64_t now_ns) noexcept {
    if (Record* record = find(room)) return record;
    while (by_number.size() <= room.slot) {
      if (!by_number.push(nullptr)) return nullptr;
    }
    auto* record = base::create<Record>();
    if (!record) return nullptr;
    record->room = room;
    record->created_ns = now_ns;
    record->touch(now_ns);
    base::destroy(by_number[room.slot]);
    return by_number[room.slot] = record;
  }
  void end(Record& record) noexcept {
    by_number[record.room.slot] = nullptr;
    base::destroy(&record);
  }

  void add_empty(Record& record, uint64_t now_ns) noexcept {
    record.is_empty = true;
    record.empty_since_ns = now_ns;
    record.previous_empty = last_empty;
    record.next_empty = nullptr;
    (last_empty ? last_empty->next_empty : first_empty) = &record;
    last_empty = &record;
    empties++;
  }
  void remove_empty(Record& record) noexcept {
    record.is_empty = false;
    (record.previous_empty ? record.previous_empty->next_empty : first_empty) = record.next_empty;
    (record.next_empty ? record.next_empty->previous_empty : last_empty) = record.previous_empty;
    empties--;
  }

  std::mutex mutex;
  worker::Seats begun;  // who writes down; the others may have members that no record knows of
  RecordOptions options;
  base::GrowingArray<Record*> by_number;
  Record* first_empty = nullptr;  // in the order in which they became so
  Record* last_empty = nullptr;
  uint32_t empties = 0;
};

// A worker's own: what its rooms' records are, by their numbers on this worker.
struct RoomRecorder final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;

  RealtimeWorker& w() const noexcept { return realtime_of(worker); }
  Record* of(const RoomRecord& room) const noexcept { return room.slot < records.size() ? records[room.slot] : nullptr; }

  RoomRecords* common = nullptr;
  base::GrowingArray<Record*> records;
  uint64_t began_ns = 0;
  bool sweep_is_due = false;
};

// Rooms that stay without members ----------------------------------------------------------------------------------------

// The room is about to lose its last member.
void hold_room(RoomRecorder& self, RoomRecord& room) noexcept {
  if (self.w().group) {
    self.w().group->directory.hold(*room.shared);
  } else {
    room.held = 1;
  }
}

// Of an empty one, or one that has just got its first member.
void let_go_of_room(RoomRecorder& self, base::SlotId id) noexcept {
  RealtimeWorker& w = self.w();
  if (w.group) {
    if (worker::DirectoryEntry* entry = w.group->directory.find(id)) w.group->directory.release(*entry);
  } else if (RoomRecord* room = w.rooms.find(id)) {
    w.rooms.let_go(*room);
    w.stats.open_rooms = w.rooms.size();
  }
}

void end_empty(RoomRecorder& self, Record& record) noexcept {
  self.common->remove_empty(record);
  const base::SlotId id = record.room;
  self.common->end(record);
  let_go_of_room(self, id);
}

void sweep_later(RoomRecorder& self, uint64_t at_ns) noexcept;

// Those whose time is over, whichever worker they were on.
void sweep(void* context) {
  auto& self = *static_cast<RoomRecorder*>(context);
  RoomRecords& common = *self.common;
  self.sweep_is_due = false;
  const uint64_t now_ns = self.worker.reactor.now_ns();
  const std::lock_guard lock(common.mutex);
  while (common.first_empty && common.first_empty->empty_since_ns + common.options.keep_ns <= now_ns) end_empty(self, *common.first_empty);
  if (common.first_empty) sweep_later(self, common.first_empty->empty_since_ns + common.options.keep_ns);
}

// Where memory is out for the timer, the next room that becomes empty brings one.
void sweep_later(RoomRecorder& self, uint64_t at_ns) noexcept {
  if (self.sweep_is_due) return;
  const uint64_t now_ns = self.worker.reactor.now_ns();
  const uint64_t delay_ms = at_ns > now_ns ? (at_ns - now_ns) / kNsPerMs + 1 : 1;
  self.sweep_is_due = self.worker.reactor.timers.after(now_ns, delay_ms, {sweep, nullptr, &self}).generation != 0;
}

// Coming and going, under the mutex -----------------------------------------------------------------------------------------

// This worker has members of the room from now on. Null when memory is out.
Record* attach(RoomRecorder& self, RoomRecord& room, uint64_t now_ns) noexcept {
  while (self.records.size() <= room.slot) {
    if (!self.records.push(nullptr)) return nullptr;
  }
  Record* record = self.common->find_or_make(self.w().id_of(room), now_ns);
  if (!record) return nullptr;
  if (record->is_empty) {
    self.common->remove_empty(*record);
    let_go_of_room(self, record->room);
  }
  record->holders++;
  return self.records[room.slot] = record;
}

// By workers that have yet to begin: they find the record then.
bool is_held_by_others(const RoomRecorder& self, const RoomRecord& room) noexcept {
  if (!room.shared) return false;
  const worker::Seats where = room.shared->where();
  bool any = false;
  for (int i = 0; i < worker::Seats::kWords; i++) any |= (where.words[i] & ~self.common->begun.words[i]) != 0;
  return any;
}

void detach(RoomRecorder& self, RoomRecord& room, Record& record, uint64_t now_ns) noexcept {
  self.records[room.slot] = nullptr;
  if (--record.holders > 0 || is_held_by_others(self, room)) return;
  RoomRecords& common = *self.common;
  if (common.options.keep_ns == 0 || self.worker.over || self.worker.draining) return common.end(record);
  if (common.empties >= kMostEmpty) end_empty(self, *common.first_empty);
  hold_room(self, room);
  common.add_empty(record, now_ns);
  sweep_later(self, now_ns + common.options.keep_ns);
}

// Hooks -----------------------------------------------------------------------------------------------------------------------

bool record_join(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept {
  auto& self = *w.parts.find<RoomRecorder>();
  const uint64_t now_ns = w.reactor.now_ns();
  const std::lock_guard lock(self.common->mutex);
  Record* record = self.of(room);
  if (!record) record = attach(self, room, now_ns);
  if (record) record->note({w.handle(c), true, now_ns}, self.common->options.history);
  return record != nullptr;
}

void left(worker::Part& part, net::Connection& c, std::string_view name) {
  auto& self = static_cast<RoomRecorder&>(part);
  RoomRecord* room = self.w().rooms.find(name);
  Record* record = room ? self.of(*room) : nullptr;
  if (!record) return;  // memory was out when records began
  const uint64_t now_ns = self.worker.reactor.now_ns();
  const std::lock_guard lock(self.common->mutex);
  record->note({self.w().handle(c), false, now_ns}, self.common->options.history);
  if (room->members == 1) detach(self, *room, *record, now_ns);
}

void published(worker::Part& part, const Publication& what) {
  auto& self = static_cast<RoomRecorder&>(part);
  Record* record = what.audience.room ? self.of(*what.audience.room) : nullptr;
  if (record) record->touch(self.worker.reactor.now_ns());
}

// The others end, too.
void worker_ends(worker::Part& part) {
  auto& self = static_cast<RoomRecorder&>(part);
  const std::lock_guard lock(self.common->mutex);
  while (self.common->first_empty) end_empty(self, *self.common->first_empty);
}

const worker::PartHooks RoomRecorder::kHooks{.left = left, .published = published, .worker_ends = worker_ends};

// Beginning -------------------------------------------------------------------------------------------------------------------

// Those that there are already.
void attach_all(RoomRecorder& self) noexcept {
  const std::lock_guard lock(self.common->mutex);
  self.common->begun.add(self.w().seat);
  self.w().rooms.for_each_record([&self](RoomRecord& room) {
    if (room.members > 0) attach(self, room, self.began_ns);
  });
}

// Null when memory is out.
RoomRecorder* begin_here(RealtimeWorker& w) noexcept {
  auto* common = worker::common_of(w).find_or_add<RoomRecords>();
  auto* self = common ? w.parts.find_or_add<RoomRecorder>(w) : nullptr;
  if (!self || self->common) return self;
  self->common = common;
  self->began_ns = w.reactor.now_ns();
  w.joins.record = record_join;
  attach_all(*self);
  return self;
}

// The same on all workers: somebody asks for the first time.
RoomRecorder* recorder_of(RealtimeWorker& w) noexcept {
  auto* self = w.parts.find<RoomRecorder>();
  if (self || !(self = begin_here(w)) || !w.group) return self;
  for (uint32_t seat = 0; seat < w.group->workers; seat++) {
    if (seat != w.seat) post_to(w.first + seat, [](RealtimeWorker& other) { begin_here(other); });
  }
  return self;
}

}  // namespace

bool begin_records(RealtimeWorker& w, const RecordOptions& options) noexcept {
  RoomRecorder* self = begin_here(w);
  if (!self) return false;
  const std::lock_guard lock(self->common->mutex);
  self->common->options = options;
  return true;
}

// Asking ------------------------------------------------------------------------------------------------------------------------

namespace {

using Time = std::chrono::system_clock::time_point;

// What a clock on the wall said then, from what it says now.
struct Wall {
  uint64_t now_ns;
  uint64_t wall_ms = sys::wall_ms();
  Time at(uint64_t then_ns) const noexcept {
    const uint64_t ago_ms = then_ns < now_ns ? (now_ns - then_ns) / kNsPerMs : 0;
    return Time(std::chrono::milliseconds(wall_ms - ago_ms));
  }
};

void describe(const Record& record, const Wall& wall, RoomDetails& details) {
  const uint64_t last_ns = record.last_ns.load(std::memory_order_relaxed);
  details.created = wall.at(record.created_ns);
  details.last_activity = wall.at(last_ns);
  details.is_active = last_ns + kActiveNs > wall.now_ns;
  details.metadata = record.metadata;
  const uint32_t count = record.changes.size();
  details.history.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    const Change& change = record.changes[(record.oldest + i) % count];
    details.history.push_back({change.socket.id(), change.joined, wall.at(change.at_ns)});
  }
}

// fn(metadata) under the lock, for a room that exists.
template <typename F>
void with_metadata(RealtimeWorker& w, base::SlotId id, F&& fn) noexcept {
  RoomRecorder* self = recorder_of(w);
  if (!self) return;
  const std::lock_guard lock(self->common->mutex);
  const bool exists = w.group ? w.group->directory.find(id) != nullptr : w.rooms.find(id) != nullptr;
  Record* record = exists ? self->common->find_or_make(id, w.reactor.now_ns()) : nullptr;
  if (record) fn(record->metadata);
}

// Takes a Json to a worker that knows the room, and does this to the metadata there.
template <typename F>
void change_metadata(const Room& room, Json&& value, F change) noexcept {
  const base::SlotId id = MessageAccess::id(room);
  const uint32_t first = MessageAccess::worker(room);
  if (id.generation == 0) return;
  if (RealtimeWorker* w = here_among(first)) {
    return with_metadata(*w, id, [&](Json& metadata) { change(metadata, std::move(value)); });
  }
  post_to(first, [id, change, value = std::move(value)](RealtimeWorker& w) mutable {
    with_metadata(w, id, [&](Json& metadata) { change(metadata, std::move(value)); });
  });
}

int64_t ms_of(Time time) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

}  // namespace martlet::realtime

namespace martlet {

using namespace realtime;

RoomDetails Room::info() const {
  RoomDetails details;
  details.name = name();  // aborts on a thread without a worker, as queries do
  details.size = size();
  RealtimeWorker* w = here_among(worker_);
  RoomRecorder* self = w && ok() ? recorder_of(*w) : nullptr;
  if (!self) return details;
  const Wall wall{w->reactor.now_ns()};
  const std::lock_guard lock(self->common->mutex);
  if (const Record* record = self->common->find({slot_, generation_})) return describe(*record, wall, details), details;
  details.created = details.last_activity = wall.at(self->began_ns);
  details.is_active = self->began_ns + kActiveNs > wall.now_ns;
  return details;
}

void Room::set_metadata(Json metadata) const noexcept {
  change_metadata(*this, std::move(metadata), [](Json& all, Json&& value) { all = std::move(value); });
}

void Room::update_metadata(Json members) const noexcept {
  change_metadata(*this, std::move(members), [](Json& all, Json&& value) {
    if (!all.is_object()) all = Json::object();
    for (const auto& [name, member] : value.members()) {
      if (member.is_null()) {
        all.erase(std::string_view(name));
      } else {
        all[name] = std::move(member);
      }
    }
  });
}

Json RoomDetails::to_json() const noexcept {
  Json changes = Json::array();
  for (const MembershipChange& change : history) {
    changes.push_back({{"socketId", change.socket_id}, {"action", change.joined ? "joined" : "left"}, {"at", ms_of(change.at)}});
  }
  return {{"name", name},
          {"size", size},
          {"created", ms_of(created)},
          {"lastActivity", ms_of(last_activity)},
          {"isActive", is_active},
          {"metadata", metadata},
          {"membershipHistory", std::move(changes)}};
}

}  // namespace martlet

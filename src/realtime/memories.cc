// See memories.h.
#include "realtime/memories.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"
#include "realtime/memory_part.h"
#include "sys/process.h"

namespace martlet::realtime {

Memories::Memories() noexcept { sys::random_bytes(&key_, sizeof key_); }

Memories::~Memories() {
  for (uint32_t i = 0; i < bucket_count_; i++) {
    while (Cell* cell = buckets_[i]) {
      buckets_[i] = cell->next;
      cell->room->release();
      base::destroy(cell);
    }
  }
  base::deallocate(buckets_);
  while (Pattern* pattern = patterns_) {
    patterns_ = pattern->next;
    base::destroy(pattern);
  }
}

// Which rooms ---------------------------------------------------------------------------------------------------------

bool pattern_fits(std::string_view pattern, std::string_view name) noexcept {
  if (!pattern.ends_with('*')) return name == pattern;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool Memories::add_pattern(std::string_view pattern, const MemoryLimits& limits, Weight weight) noexcept {
  const std::lock_guard lock(mutex_);
  for (const Pattern* p = patterns_; p; p = p->next) {
    if (p->text.text() == pattern && p->weight == weight) return true;
  }
  base::KeptText kept(pattern);
  Pattern* made = kept.ok() ? base::create<Pattern>(Pattern{patterns_, std::move(kept), limits, weight}) : nullptr;
  if (made) patterns_ = made;
  return made != nullptr;
}

const MemoryLimits* Memories::limits_of(std::string_view name) const noexcept {
  const Pattern* best = nullptr;
  for (const Pattern* p = patterns_; p; p = p->next) {
    if (!pattern_fits(p->text.text(), name)) continue;
    if (!best || p->weight > best->weight || (p->weight == best->weight && p->text.text().size() > best->text.text().size())) best = p;
  }
  return best ? &best->limits : nullptr;
}

// The table -----------------------------------------------------------------------------------------------------------

Memories::Cell* Memories::look(uint64_t hash, std::string_view name) const noexcept {
  Cell* cell = bucket_count_ ? buckets_[hash & (bucket_count_ - 1)] : nullptr;
  while (cell && (cell->hash != hash || cell->room->name() != name)) cell = cell->next;
  return cell;
}

bool Memories::grow() noexcept {
  if (size() < bucket_count_) return true;
  const uint32_t count = bucket_count_ ? bucket_count_ * 2 : 64;
  auto* buckets = static_cast<Cell**>(base::allocate(count * sizeof(Cell*)));
  if (!buckets) return bucket_count_ > 0;
  std::memset(static_cast<void*>(buckets), 0, count * sizeof(Cell*));
  for (uint32_t i = 0; i < bucket_count_; i++) {
    while (Cell* cell = buckets_[i]) {
      buckets_[i] = cell->next;
      cell->next = std::exchange(buckets[cell->hash & (count - 1)], cell);
    }
  }
  base::deallocate(buckets_);
  buckets_ = buckets;
  bucket_count_ = count;
  return true;
}

RoomMemory* Memories::make(uint64_t hash, std::string_view name, const MemoryLimits& limits) noexcept {
  if (size() >= kMostRooms || !grow()) return nullptr;
  void* memory = base::allocate(sizeof(RoomMemory));
  if (!memory) return nullptr;
  auto* room = new (memory) RoomMemory(name, limits);
  room->type_data.store(type_data_, std::memory_order_relaxed);
  Cell* cell = room->ok() ? base::create<Cell>(Cell{nullptr, hash, room}) : nullptr;
  if (!cell) return room->release(), nullptr;
  cell->next = std::exchange(buckets_[hash & (bucket_count_ - 1)], cell);
  count_.fetch_add(1, std::memory_order_relaxed);
  room->retain();
  return room;
}

RoomMemory* Memories::find(std::string_view name) noexcept {
  const std::lock_guard lock(mutex_);
  const Cell* cell = look(base::keyed_hash(name, key_), name);
  if (cell) cell->room->retain();
  return cell ? cell->room : nullptr;
}

bool Memories::covers(std::string_view name) noexcept {
  const std::lock_guard lock(mutex_);
  return look(base::keyed_hash(name, key_), name) || limits_of(name);
}

bool Memories::is_plain(base::SlotId room) const noexcept {
  return room.generation && room.slot < plain_.size() && plain_[room.slot] == room.generation;
}

// Where there is no memory for that either, it may have one later.
void Memories::note_plain(base::SlotId room) noexcept {
  if (room.generation == 0) return;
  while (plain_.size() <= room.slot) {
    if (!plain_.push(0)) return;
  }
  plain_[room.slot] = room.generation;
}

RoomMemory* Memories::find_or_make(std::string_view name, const worker::Directory* directory, For what, Why& why) noexcept {
  why = Why::found;
  const std::lock_guard lock(mutex_);
  const uint64_t hash = base::keyed_hash(name, key_);
  if (const Cell* cell = look(hash, name)) return cell->room->retain(), cell->room;
  why = Why::plain;
  const MemoryLimits* limits = limits_of(name);
  if (!limits) return nullptr;
  const base::SlotId id = directory ? directory->find(worker::AudienceKind::room, name).id : base::SlotId();
  if (is_plain(id)) return nullptr;
  if (is_full()) {
    if (what == For::member) note_plain(id);
    return nullptr;
  }
  RoomMemory* made = make(hash, name, *limits);
  why = made ? Why::found : Why::no_memory;
  return made;
}

RoomMemory* Memories::pin(std::string_view name) noexcept {
  const std::lock_guard lock(mutex_);
  const uint64_t hash = base::keyed_hash(name, key_);
  const Cell* cell = look(hash, name);
  if (cell) cell->room->retain();
  const MemoryLimits* limits = limits_of(name);
  RoomMemory* room = cell ? cell->room : make(hash, name, limits ? *limits : MemoryLimits());
  if (!room) return nullptr;
  const std::lock_guard room_lock(room->mutex);
  room->pinned = true;
  return room;
}

void Memories::set_type_data(bool type_data) noexcept {
  const std::lock_guard lock(mutex_);
  type_data_ = type_data;
  for (uint32_t i = 0; i < bucket_count_; i++) {
    for (const Cell* cell = buckets_[i]; cell; cell = cell->next) {
      const std::lock_guard room_lock(cell->room->mutex);
      cell->room->set_type_data(type_data);
    }
  }
}

bool Memories::worker_opens(worker::Worker& w) noexcept {
  if (!MemoryPart::of(realtime_of(w))) return false;
  set_type_data(realtime_of(w).envelope() == Envelope::type_data);
  return true;
}

// Going ---------------------------------------------------------------------------------------------------------------

void Memories::sweep_bucket(Cell*& first, uint64_t now_ms) noexcept {
  for (Cell** link = &first; *link;) {
    Cell* cell = *link;
    bool goes;
    {
      const std::lock_guard lock(cell->room->mutex);
      cell->room->tidy(now_ms);
      goes = cell->room->is_empty() && !cell->room->pinned && !cell->room->is_shared();
    }
    if (!goes) {
      link = &cell->next;
      continue;
    }
    *link = cell->next;
    cell->room->release();
    base::destroy(cell);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
}

void Memories::sweep(uint64_t now_ms) noexcept {
  constexpr uint32_t kAtOnce = 256;
  const std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < kAtOnce && i < bucket_count_; i++) {
    swept_to_ = (swept_to_ + 1) & (bucket_count_ - 1);
    sweep_bucket(buckets_[swept_to_], now_ms);
  }
}

}  // namespace martlet::realtime

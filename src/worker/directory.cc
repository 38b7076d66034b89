// See directory.h. A reader walks a chain that a writer may be changing. It can lose its way only over an entry that was
// unlinked, and perhaps used again, under it; both move the version on, so it knows that its "not found" counts for
// nothing. What it found is the right one whatever happened: keys are unique, and the key is compared within one
// generation of the entry, which the answer names.
#include "worker/directory.h"

#include <bit>
#include <new>
#include <thread>

#include "base/alloc.h"
#include "base/hash.h"
#include "sys/process.h"

namespace martlet::worker {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

}  // namespace

uint32_t Seats::count() const noexcept {
  int n = 0;
  for (const uint64_t word : words) n += std::popcount(word);
  return static_cast<uint32_t>(n);
}

Directory::Directory() noexcept { sys::random_bytes(keys_, sizeof keys_); }

Directory::~Directory() {
  for (Buckets* b = buckets_.load(kRelaxed); b;) {
    Buckets* older = b->older;
    base::deallocate(b);
    b = older;
  }
  for (std::atomic<DirectoryEntry*>& chunk : chunks_) delete[] chunk.load(kRelaxed);
}

Directory::Key Directory::key_of(Kind kind, std::string_view name) const noexcept {
  const uint64_t apart = static_cast<uint64_t>(kind) * 0x9E3779B97F4A7C15u;
  return {{base::keyed_hash(name, keys_[0] + apart), base::keyed_hash(name, keys_[1] + apart)}};
}

// Index 0..63 in chunk 0, 64..127 in chunk 1, 128..255 in chunk 2, and so on.
DirectoryEntry* Directory::at(uint32_t index) const noexcept {
  const auto chunk = static_cast<uint32_t>(std::bit_width(index / kFirstChunk));
  const uint32_t before = chunk == 0 ? 0 : kFirstChunk << (chunk - 1);
  return chunks_[chunk].load(kAcquire) + (index - before);
}

// Reading --------------------------------------------------------------------------------------------------------------

// The generation is read before the key and looked at again after it: the key was that generation's.
Directory::Found Directory::look(const Buckets& buckets, const Key& key) const noexcept {
  uint32_t next = buckets.heads[key.half[0] & (buckets.size - 1)].load(kAcquire);
  while (next) {
    DirectoryEntry* e = at(next - 1);
    const uint32_t generation = e->generation.load(kAcquire);
    if (e->key[0].load(kAcquire) == key.half[0] && e->key[1].load(kAcquire) == key.half[1] && (generation & 1) &&
        e->generation.load(kAcquire) == generation) {
      return {e, {next - 1, generation}};
    }
    next = e->next.load(kAcquire);
  }
  return {};
}

Directory::Found Directory::find(Kind kind, std::string_view name) const noexcept {
  const Key key = key_of(kind, name);
  for (;;) {
    const uint64_t version = version_.load(kAcquire);
    const Buckets* buckets = buckets_.load(kAcquire);
    if (!buckets) return {};
    if (const Found found = look(*buckets, key)) return found;
    if (!(version & 1) && version_.load(kAcquire) == version) return {};
    if (version & 1) std::this_thread::yield();
  }
}

DirectoryEntry* Directory::find(base::SlotId id) const noexcept {
  const auto chunk = static_cast<uint32_t>(std::bit_width(id.slot / kFirstChunk));
  if (!(id.generation & 1) || chunk >= kChunks || !chunks_[chunk].load(kAcquire)) return nullptr;
  DirectoryEntry* e = at(id.slot);
  return e->generation.load(kAcquire) == id.generation ? e : nullptr;
}

std::string Directory::name_of(base::SlotId id) const {
  const std::lock_guard lock(mutex_);
  const DirectoryEntry* e = find(id);
  return e ? std::string(e->name.text()) : std::string();
}

// Writing, under the lock ----------------------------------------------------------------------------------------------

DirectoryEntry* Directory::find_or_make(Kind kind, std::string_view name) noexcept {
  const Key key = key_of(kind, name);
  if (!grow()) return nullptr;
  DirectoryEntry* e = look(*buckets_.load(kRelaxed), key).entry;
  return e ? e : make(kind, name, key);
}

DirectoryEntry* Directory::enter(Kind kind, std::string_view name, uint32_t seat) noexcept {
  const std::lock_guard lock(mutex_);
  DirectoryEntry* e = find_or_make(kind, name);
  if (!e) return nullptr;
  e->holders++;
  e->held.add(seat);
  e->seats[seat / 64].fetch_or(uint64_t{1} << seat % 64, std::memory_order_acq_rel);
  return e;
}

void Directory::leave(DirectoryEntry& e, uint32_t seat) noexcept {
  const std::lock_guard lock(mutex_);
  e.held.remove(seat);
  if (e.expected == 0) e.seats[seat / 64].fetch_and(~(uint64_t{1} << seat % 64), std::memory_order_acq_rel);
  let_go(e);
}

DirectoryEntry* Directory::expect(std::string_view room, uint32_t seat, Kind kind) noexcept {
  const std::lock_guard lock(mutex_);
  DirectoryEntry* e = find_or_make(kind, room);
  if (!e) return nullptr;
  e->holders++;
  e->expected++;
  e->seats[seat / 64].fetch_or(uint64_t{1} << seat % 64, std::memory_order_acq_rel);
  return e;
}

void Directory::settle(DirectoryEntry& e) noexcept {
  const std::lock_guard lock(mutex_);
  if (--e.expected == 0) {
    for (int i = 0; i < Seats::kWords; i++) e.seats[i].store(e.held.words[i], kRelease);
  }
  let_go(e);
}

void Directory::hold(DirectoryEntry& e) noexcept {
  const std::lock_guard lock(mutex_);
  e.holders++;
}

void Directory::release(DirectoryEntry& e) noexcept {
  const std::lock_guard lock(mutex_);
  let_go(e);
}

void Directory::limit_rooms(uint32_t most) noexcept {
  const std::lock_guard lock(mutex_);
  most_rooms_.store(most, kRelaxed);
}

// One holder less; without any the entry goes.
void Directory::let_go(DirectoryEntry& e) noexcept {
  if (--e.holders > 0) return;
  unlink(e);
  // From here on it may be used again. A generation that would wrap is not: its entry rests for good.
  const uint32_t generation = e.generation.load(kRelaxed) + 1;
  e.generation.store(generation, kRelease);
  e.name = base::KeptText();
  rooms_.fetch_sub(e.kind == Kind::room, kRelaxed);
  size_--;
  if (generation == 0) return;
  e.next.store(free_, kRelease);
  free_ = e.index + 1;
}

DirectoryEntry* Directory::take_free() noexcept {
  if (free_) {
    DirectoryEntry* e = at(free_ - 1);
    free_ = e->next.load(kRelaxed);
    return e;
  }
  const auto chunk = static_cast<uint32_t>(std::bit_width(touched_ / kFirstChunk));
  if (chunk >= kChunks) return nullptr;
  if (!chunks_[chunk].load(kRelaxed)) {
    const uint32_t size = chunk == 0 ? kFirstChunk : kFirstChunk << (chunk - 1);
    auto* made = new (std::nothrow) DirectoryEntry[size];
    if (!made) return nullptr;
    chunks_[chunk].store(made, kRelease);
  }
  DirectoryEntry* e = at(touched_);
  e->index = touched_++;
  return e;
}

DirectoryEntry* Directory::make(Kind kind, std::string_view name, const Key& key) noexcept {
  if (kind == Kind::room && !has_room_for_more()) return nullptr;
  base::KeptText kept(name);
  DirectoryEntry* e = kept.ok() ? take_free() : nullptr;
  if (!e) return nullptr;
  e->name = std::move(kept);
  e->members.store(0, kRelaxed);
  // Released, so that who reads them sees that the generation before has gone.
  e->key[0].store(key.half[0], kRelease);
  e->key[1].store(key.half[1], kRelease);
  e->kind = kind;
  e->generation.store(e->generation.load(kRelaxed) + 1, kRelease);
  rooms_.fetch_add(kind == Kind::room, kRelaxed);
  size_++;
  link(*buckets_.load(kRelaxed), *e);
  return e;
}

void Directory::link(Buckets& buckets, DirectoryEntry& e) noexcept {
  std::atomic<uint32_t>& head = buckets.heads[e.key[0].load(kRelaxed) & (buckets.size - 1)];
  e.next.store(head.load(kRelaxed), kRelease);
  head.store(e.index + 1, kRelease);
}

void Directory::unlink(DirectoryEntry& e) noexcept {
  Buckets& buckets = *buckets_.load(kRelaxed);
  std::atomic<uint32_t>* link = &buckets.heads[e.key[0].load(kRelaxed) & (buckets.size - 1)];
  while (link->load(kRelaxed) != e.index + 1) link = &at(link->load(kRelaxed) - 1)->next;
  link->store(e.next.load(kRelaxed), kRelease);
  e.key[0].store(0, kRelaxed);
  e.key[1].store(0, kRelaxed);
  version_.fetch_add(2, std::memory_order_acq_rel);
}

Directory::Buckets* Directory::make_buckets(uint32_t size, Buckets* older) noexcept {
  void* memory = base::allocate(sizeof(Buckets) + (size - 1) * sizeof(std::atomic<uint32_t>));
  if (!memory) return nullptr;
  auto* buckets = new (memory) Buckets{older, size, {}};
  for (uint32_t i = 1; i < size; i++) new (&buckets->heads[i]) std::atomic<uint32_t>(0);
  return buckets;
}

// Sees to it that there are as many buckets as entries. Being short of memory for more is no reason to refuse a room.
bool Directory::grow() noexcept {
  Buckets* now = buckets_.load(kRelaxed);
  if (!now) {
    now = make_buckets(kFirstBuckets, nullptr);
    buckets_.store(now, kRelease);
    return now != nullptr;
  }
  if (size_ < now->size) return true;
  Buckets* twice = make_buckets(now->size * 2, now);
  if (!twice) return true;
  version_.fetch_add(1, std::memory_order_acq_rel);
  for (uint32_t i = 0; i < touched_; i++) {
    DirectoryEntry& e = *at(i);
    if (e.generation.load(kRelaxed) & 1) link(*twice, e);
  }
  buckets_.store(twice, kRelease);
  version_.fetch_add(1, std::memory_order_acq_rel);
  return true;
}

}  // namespace martlet::worker

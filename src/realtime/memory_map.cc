// See memory_map.h.
#include "realtime/memory_map.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/hash.h"
#include "sys/process.h"

namespace martlet::realtime {

MemoryMap::MemoryMap() noexcept { sys::random_bytes(&secret_, sizeof secret_); }

MemoryMap::~MemoryMap() {
  for (uint32_t i = 0; i < bucket_count_; i++) {
    while (MemoryEntry* entry = buckets_[i]) {
      buckets_[i] = entry->chain;
      base::deallocate(entry->frame);
      base::deallocate(entry);
    }
  }
  base::deallocate(buckets_);
}

// Finding -------------------------------------------------------------------------------------------------------------

uint64_t MemoryMap::hash_of(KeyKind kind, std::string_view key) const noexcept {
  return base::keyed_hash(key, secret_ + static_cast<uint64_t>(kind));
}

MemoryEntry* MemoryMap::find(KeyKind kind, std::string_view key) noexcept {
  if (!bucket_count_) return nullptr;
  const uint64_t hash = hash_of(kind, key);
  MemoryEntry* entry = buckets_[hash & (bucket_count_ - 1)];
  while (entry && (entry->hash != hash || entry->kind != kind || entry->key() != key)) entry = entry->chain;
  return entry;
}

bool MemoryMap::grow() noexcept {
  if (size_ < bucket_count_) return true;
  const uint32_t count = bucket_count_ ? bucket_count_ * 2 : 16;
  auto* buckets = static_cast<MemoryEntry**>(base::allocate(count * sizeof(MemoryEntry*)));
  if (!buckets) return bucket_count_ > 0;  // longer chains do as well
  std::memset(static_cast<void*>(buckets), 0, count * sizeof(MemoryEntry*));
  for (uint32_t i = 0; i < bucket_count_; i++) {
    while (MemoryEntry* entry = buckets_[i]) {
      buckets_[i] = entry->chain;
      MemoryEntry*& bucket = buckets[entry->hash & (count - 1)];
      entry->chain = std::exchange(bucket, entry);
    }
  }
  base::deallocate(buckets_);
  buckets_ = buckets;
  bucket_count_ = count;
  return true;
}

MemoryEntry* MemoryMap::find_or_make(KeyKind kind, std::string_view key) noexcept {
  if (MemoryEntry* entry = find(kind, key)) return entry;
  void* memory = grow() ? base::allocate(sizeof(MemoryEntry) + key.size()) : nullptr;
  if (!memory) return nullptr;
  auto* entry = new (memory) MemoryEntry();
  entry->hash = hash_of(kind, key);
  entry->key_size = static_cast<uint32_t>(key.size());
  entry->kind = kind;
  entry->gone = true;
  if (!key.empty()) std::memcpy(static_cast<void*>(entry + 1), key.data(), key.size());
  MemoryEntry*& bucket = buckets_[entry->hash & (bucket_count_ - 1)];
  entry->chain = std::exchange(bucket, entry);
  size_++;
  bytes_ += sizeof(MemoryEntry) + key.size();
  return entry;
}

MemoryEntry** MemoryMap::link_of(const MemoryEntry& entry) noexcept {
  MemoryEntry** link = &buckets_[entry.hash & (bucket_count_ - 1)];
  while (*link != &entry) link = &(*link)->chain;
  return link;
}

// Changing ------------------------------------------------------------------------------------------------------------

bool MemoryMap::make_room(MemoryEntry& entry, size_t frame_size) noexcept {
  const bool fits = entry.frame_room >= frame_size;
  if (fits && entry.frame_room <= frame_size * 4 + kSpare) return true;
  auto* frame = static_cast<uint8_t*>(base::allocate(frame_size));
  if (!frame) return fits;
  const size_t kept = entry.frame_size < frame_size ? entry.frame_size : frame_size;
  if (kept) std::memcpy(frame, entry.frame, kept);
  base::deallocate(entry.frame);
  bytes_ += frame_size - entry.frame_room;
  entry.frame = frame;
  entry.frame_room = static_cast<uint32_t>(frame_size);
  return true;
}

void MemoryMap::count(const MemoryEntry& entry, int by) noexcept {
  const auto step = static_cast<uint32_t>(by);
  if (entry.gone) {
    gone_ += step;
  } else {
    live_ += step;
    live_of_[static_cast<size_t>(entry.kind)] += step;
  }
}

void MemoryMap::change(MemoryEntry& entry, const Change& change) noexcept {
  if (entry.offset) {
    list_of(entry).remove(entry);
    count(entry, -1);
  }
  std::memcpy(entry.frame, change.frame, change.size);
  entry.frame_size = change.size;
  entry.key_at = change.key_at;
  entry.value_at = change.value_at;
  entry.value_size = change.value_size;
  entry.offset = change.offset;
  entry.gone = change.gone;
  note(entry.kind);
  count(entry, 1);
  list_of(entry).push(entry);
}

void MemoryMap::forget(MemoryEntry& entry) noexcept {
  if (entry.offset) {
    gone_list_.remove(entry);
    gone_--;
    if (forgotten_ < entry.offset) forgotten_ = entry.offset;
  }
  *link_of(entry) = entry.chain;
  size_--;
  bytes_ -= sizeof(MemoryEntry) + entry.key_size + entry.frame_room;
  base::deallocate(entry.frame);
  base::deallocate(&entry);
}

void MemoryMap::keep_removals(uint32_t most) noexcept {
  while (gone_ > most) forget(*gone_list_.oldest());
}

void MemoryMap::age_pages(uint64_t now_ms) noexcept {
  if (std::exchange(pages_wanted_, false)) pages_wanted_ms_ = now_ms;
  if (now_ms > pages_wanted_ms_ + kPageAgeMs) drop_pages();
}

}  // namespace martlet::realtime

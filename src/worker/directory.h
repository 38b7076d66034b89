// Which worker of a Server has members of which room (or connections of which route): read by whoever publishes, without
// a lock; written under one when a worker's first member of a room comes or its last one goes.
//
// Entries lie in chunks that are never moved or freed while the Server lives, so a reader may look at any of them at any
// time. What it reads are atomics: a key of 128 bits in place of the name (made with a secret, so that no two names of
// whatever origin have the same), a bit for each worker, the number of members, and a generation, which tells an entry
// that was used again. A lookup that found nothing while entries were unlinked looks again.
//
// Any thread; the methods that take the lock say so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/kept_text.h"
#include "base/slot_table.h"
#include "net/lanes.h"

namespace martlet::worker {

// A set of workers, by seat.
struct Seats {
  static constexpr int kWords = net::Lanes::kMostSeats / 64;
  uint64_t words[kWords] = {};

  void add(uint32_t seat) noexcept { words[seat / 64] |= uint64_t{1} << seat % 64; }
  void remove(uint32_t seat) noexcept { words[seat / 64] &= ~(uint64_t{1} << seat % 64); }
  bool has(uint32_t seat) const noexcept { return words[seat / 64] >> seat % 64 & 1; }
  bool any() const noexcept {
    uint64_t all = 0;
    for (const uint64_t word : words) all |= word;
    return all != 0;
  }
  uint32_t count() const noexcept;
  void add(const Seats& other) noexcept {
    for (int i = 0; i < kWords; i++) words[i] |= other.words[i];
  }
};

// topics: all that are published to; the entry says which workers have subscribers of any.
enum class AudienceKind : uint8_t { room, route, all, topics };

struct DirectoryEntry {
  std::atomic<uint64_t> key[2] = {};
  std::atomic<uint64_t> seats[Seats::kWords] = {};
  std::atomic<uint32_t> generation{0};  // odd while in use
  std::atomic<uint32_t> members{0};
  std::atomic<uint32_t> next{0};  // index + 1 in its chain, or among the free
  uint32_t index = 0;
  // Under the lock.
  AudienceKind kind = AudienceKind::room;
  uint32_t holders = 0;   // workers that have members, and joins that are on their way
  uint32_t expected = 0;  // of these the joins; while there are any, no seat is taken off
  Seats held;             // the seats of workers that have members
  base::KeptText name;

  base::SlotId id() const noexcept { return {index, generation.load(std::memory_order_relaxed)}; }
  Seats where() const noexcept {
    Seats all;
    for (int i = 0; i < Seats::kWords; i++) all.words[i] = seats[i].load(std::memory_order_acquire);
    return all;
  }
  // A member came or went, on a worker that holds the entry.
  void add_member() noexcept { members.fetch_add(1, std::memory_order_relaxed); }
  // The same, unless there are so many already: on all workers together never one too many, and none refused in vain.
  [[nodiscard]] bool add_member_below(uint32_t most) noexcept {
    uint32_t now = members.load(std::memory_order_relaxed);
    while (now < most) {
      if (members.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void remove_member() noexcept { members.fetch_sub(1, std::memory_order_relaxed); }
};

class Directory {
 public:
  using Kind = AudienceKind;
  // An entry as it was found. Unless the caller's worker holds it, it may be another's by now: then `id` says so wherever
  // it is asked.
  struct Found {
    DirectoryEntry* entry = nullptr;
    base::SlotId id = {};
    explicit operator bool() const noexcept { return entry != nullptr; }
  };

  Directory() noexcept;
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // The worker on this seat has members from now on. Null when memory is out. Takes the lock.
  DirectoryEntry* enter(Kind kind, std::string_view name, uint32_t seat) noexcept;
  // It has none any more; without any worker the entry goes. Takes the lock.
  void leave(DirectoryEntry& entry, uint32_t seat) noexcept;

  // A join (or a subscription) is on its way to this seat, from another worker: what that one sends to the room after it follows
  // it there.
  // Null when memory is out. settle() when it has arrived, or has got lost. Both take the lock.
  DirectoryEntry* expect(std::string_view room, uint32_t seat, Kind kind = Kind::room) noexcept;
  void settle(DirectoryEntry& entry) noexcept;

  // Somebody wants it to stay, with members or without, until it is released. Both take the lock.
  void hold(DirectoryEntry& entry) noexcept;
  void release(DirectoryEntry& entry) noexcept;
  // No more rooms than these are made, of all workers together. Takes the lock.
  void limit_rooms(uint32_t most) noexcept;
  bool has_room_for_more() const noexcept { return rooms() < most_rooms_.load(std::memory_order_relaxed); }

  // The entry of this name. No lock.
  Found find(Kind kind, std::string_view name) const noexcept;
  // By number: null when it was used again. No lock.
  DirectoryEntry* find(base::SlotId id) const noexcept;

  // Empty when the room is gone. Takes the lock.
  std::string name_of(base::SlotId id) const;
  uint32_t rooms() const noexcept { return rooms_.load(std::memory_order_relaxed); }
  // fn(name, members) for each room, under the lock; one that is only expected has no members.
  template <typename F>
  void for_each_room(F&& fn) const {
    const std::lock_guard lock(mutex_);
    for (uint32_t index = 0; index < touched_; index++) {
      const DirectoryEntry& e = *at(index);
      if (e.kind != Kind::room || !(e.generation.load(std::memory_order_relaxed) & 1)) continue;
      fn(e.name.text(), e.members.load(std::memory_order_relaxed));
    }
  }

  // What the tables of the workers hash the names of rooms with: the hash of a room is then the first half of its key.
  uint64_t hash_key() const noexcept { return keys_[0]; }

 private:
  struct Key {
    uint64_t half[2];
  };
  // Chunk 0 has kFirstChunk entries, each further one as many as all before it.
  static constexpr uint32_t kFirstChunk = 64;
  static constexpr uint32_t kChunks = 22;
  static constexpr uint32_t kFirstBuckets = 256;

  struct Buckets {
    Buckets* older;  // kept while there may be readers in it: as long as the Directory
    uint32_t size;
    std::atomic<uint32_t> heads[1];  // index + 1
  };

  DirectoryEntry* at(uint32_t index) const noexcept;
  Key key_of(Kind kind, std::string_view name) const noexcept;
  Found look(const Buckets& buckets, const Key& key) const noexcept;
  DirectoryEntry* find_or_make(Kind kind, std::string_view name) noexcept;
  void let_go(DirectoryEntry& entry) noexcept;
  DirectoryEntry* make(Kind kind, std::string_view name, const Key& key) noexcept;
  DirectoryEntry* take_free() noexcept;
  void link(Buckets& buckets, DirectoryEntry& entry) noexcept;
  void unlink(DirectoryEntry& entry) noexcept;
  bool grow() noexcept;
  static Buckets* make_buckets(uint32_t size, Buckets* older) noexcept;

  mutable std::mutex mutex_;
  std::atomic<uint64_t> version_{0};  // moved on when an entry was unlinked; odd while the buckets are being doubled
  std::atomic<Buckets*> buckets_{nullptr};
  std::atomic<DirectoryEntry*> chunks_[kChunks] = {};
  std::atomic<uint32_t> rooms_{0};
  std::atomic<uint32_t> most_rooms_{UINT32_MAX};
  uint32_t size_ = 0;
  uint32_t touched_ = 0;
  uint32_t free_ = 0;  // index + 1
  uint64_t keys_[2];
};

// A join on its way, as a part of the command that carries it.
class Expected {
 public:
  Expected() noexcept = default;
  Expected(Directory& directory, std::string_view room, uint32_t seat, AudienceKind kind = AudienceKind::room) noexcept
      : directory_(&directory), entry_(directory.expect(room, seat, kind)) {}
  Expected(Expected&& other) noexcept : directory_(other.directory_), entry_(std::exchange(other.entry_, nullptr)) {}
  Expected& operator=(Expected&& other) noexcept {
    std::swap(directory_, other.directory_);
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Expected() {
    if (entry_) directory_->settle(*entry_);
  }

 private:
  Directory* directory_ = nullptr;
  DirectoryEntry* entry_ = nullptr;
};

}  // namespace martlet::worker

// The keys of a room with memory, each with the frame that tells its members of it, in the order in which they were last changed:
// whoever knows all up to an offset is told what stands behind it, which is the newest of each key and nothing else. Keys that
// were removed stay for a while as such. Whoever uses it holds the room's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/alloc.h"
#include "realtime/change_list.h"

namespace martlet::realtime {

// Two kinds of keys, which do not meet: those that the program sets, and those of who is there.
enum class KeyKind : uint8_t { state, presence };
inline constexpr size_t kKeyKinds = 2;

struct MemoryEntry {
  MemoryEntry* chain = nullptr;  // of its bucket
  MemoryEntry* older = nullptr;
  MemoryEntry* newer = nullptr;
  uint64_t offset = 0;  // of its last change
  uint64_t hash = 0;
  uint8_t* frame = nullptr;  // as it was sent then
  uint32_t frame_size = 0;
  uint32_t frame_room = 0;
  uint32_t key_size = 0;
  uint32_t key_at = 0;        // in the frame: the key, in quotes, a comma,
  uint32_t value_at = 0;      // and the value
  uint32_t value_size = 0;
  uint32_t holders = 0;       // of a presence: connections
  uint64_t leaves_ms = 0;     // when it goes, if nobody holds it by then; 0: it does not
  KeyKind kind = KeyKind::state;
  bool gone = false;

  std::string_view key() const noexcept { return {reinterpret_cast<const char*>(this + 1), key_size}; }
  std::string_view key_text() const noexcept { return {at(key_at), value_at - key_at - 1}; }
  std::string_view value_text() const noexcept { return {at(value_at), value_size}; }

 private:
  const char* at(uint32_t position) const noexcept { return reinterpret_cast<const char*>(frame) + position; }
};

class MemoryMap {
 public:
  MemoryMap() noexcept;
  MemoryMap(const MemoryMap&) = delete;
  MemoryMap& operator=(const MemoryMap&) = delete;
  ~MemoryMap();

  uint32_t live() const noexcept { return live_; }
  uint32_t live(KeyKind kind) const noexcept { return live_of_[static_cast<size_t>(kind)]; }
  // There was a key of this kind once.
  bool knows(KeyKind kind) const noexcept { return known_[static_cast<size_t>(kind)]; }
  void note(KeyKind kind) noexcept { known_[static_cast<size_t>(kind)] = true; }
  size_t bytes() const noexcept { return bytes_; }
  // The greatest offset of a removal that is forgotten: who knows all up to an earlier one cannot be told what has gone since.
  uint64_t forgotten() const noexcept { return forgotten_; }

  // Removed ones as well.
  MemoryEntry* find(KeyKind kind, std::string_view key) noexcept;
  // Made where it is missing, as one that is gone. Null when memory is out.
  MemoryEntry* find_or_make(KeyKind kind, std::string_view key) noexcept;
  // Room for the frame of its next change, which follows at once: much more room than that is given back. False when memory is out,
  // and all stays as it is.
  bool make_room(MemoryEntry& entry, size_t frame_size) noexcept;
  struct Change {
    uint64_t offset;
    const uint8_t* frame;
    uint32_t size, key_at, value_at, value_size;
    bool gone;
  };
  // It is the newest from now on. There is room.
  void change(MemoryEntry& entry, const Change& change) noexcept;
  // Forgets the oldest removals above this number.
  void keep_removals(uint32_t most) noexcept;
  // An entry that never was, or is gone.
  void forget(MemoryEntry& entry) noexcept;

  // Those that are not gone, of one kind; and all that are, which have no pages.
  ChangeList& live_list(KeyKind kind) noexcept { return live_lists_[static_cast<size_t>(kind)]; }
  const ChangeList& live_list(KeyKind kind) const noexcept { return live_lists_[static_cast<size_t>(kind)]; }
  const ChangeList& gone_list() const noexcept { return gone_list_; }
  // Pages that nobody has wanted for a while are given back.
  void note_pages_wanted() noexcept { pages_wanted_ = true; }
  void age_pages(uint64_t now_ms) noexcept;
  bool drop_pages() noexcept {
    const bool had = live_lists_[0].drop_pages();
    return live_lists_[1].drop_pages() || had;
  }

 private:
  static constexpr size_t kSpare = 512;
  static constexpr uint64_t kPageAgeMs = 30'000;
  ChangeList& list_of(const MemoryEntry& entry) noexcept { return entry.gone ? gone_list_ : live_list(entry.kind); }
  void count(const MemoryEntry& entry, int by) noexcept;
  uint64_t hash_of(KeyKind kind, std::string_view key) const noexcept;
  bool grow() noexcept;
  MemoryEntry** link_of(const MemoryEntry& entry) noexcept;

  MemoryEntry** buckets_ = nullptr;
  uint32_t bucket_count_ = 0;
  uint32_t size_ = 0;
  uint32_t live_ = 0;
  uint32_t gone_ = 0;
  uint32_t live_of_[kKeyKinds] = {};
  bool known_[kKeyKinds] = {};
  size_t bytes_ = 0;
  uint64_t forgotten_ = 0;
  uint64_t secret_ = 0;
  ChangeList live_lists_[kKeyKinds] = {ChangeList(bytes_), ChangeList(bytes_)};
  ChangeList gone_list_{bytes_};
  bool pages_wanted_ = false;
  uint64_t pages_wanted_ms_ = 0;
};

}  // namespace martlet::realtime

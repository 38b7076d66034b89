// The rooms with memory of a process's group of workers, by name, and which rooms are to have one (App::history). A room's memory is
// made with its first member or its first message, and goes when it has been empty of both, of keys and of handles for a while.
// Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "realtime/room_memory.h"
#include "worker/common.h"

namespace martlet::realtime {

// "chat/1", or "chat/*" for all that begin so.
bool pattern_fits(std::string_view pattern, std::string_view name) noexcept;

class Memories final : public worker::CommonObject {
 public:
  static constexpr worker::PartKey kKey{};
  static constexpr uint32_t kMostRooms = 100'000;

  Memories() noexcept;
  ~Memories();
  bool worker_opens(worker::Worker& w) noexcept;

  // Rooms of this name, or whose names begin as a pattern that ends with '*' does, have a memory of these bounds. Said again, the
  // bounds of before stay. False when memory is out.
  enum class Weight : uint8_t { least, own };  // where both fit, what was said of the rooms themselves counts
  bool add_pattern(std::string_view pattern, const MemoryLimits& limits, Weight weight = Weight::own) noexcept;

  // With a reference for the caller; null when no room of this name has a memory, or when there is no memory or no place for it.
  // Where members have come into a room for which there was no place, it stays without until all of them have gone, on all workers:
  // else some would have another room than the others. That stands in the directory of the workers' rooms, which may be null.
  enum class Why : uint8_t { found, plain, no_memory };
  enum class For : uint8_t { message, member };
  RoomMemory* find_or_make(std::string_view name, const worker::Directory* directory, For what, Why& why) noexcept;
  // The same of one that is held by the program, which has a memory without a pattern.
  RoomMemory* pin(std::string_view name) noexcept;
  RoomMemory* find(std::string_view name) noexcept;
  // Whether a room of this name has one, or would have.
  bool covers(std::string_view name) noexcept;
  // Looks at a few of all, for those that have become empty and for what is too old.
  void sweep(uint64_t now_ms) noexcept;

  // How the events of all rooms look.
  void set_type_data(bool type_data) noexcept;

  bool is_full() const noexcept { return size() >= kMostRooms; }
  uint32_t size() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  struct Pattern {
    Pattern* next;
    base::KeptText text;
    MemoryLimits limits;
    Weight weight;
  };
  struct Cell {
    Cell* next;
    uint64_t hash;
    RoomMemory* room;  // one reference
  };
  const MemoryLimits* limits_of(std::string_view name) const noexcept;
  Cell* look(uint64_t hash, std::string_view name) const noexcept;
  RoomMemory* make(uint64_t hash, std::string_view name, const MemoryLimits& limits) noexcept;
  bool grow() noexcept;
  bool is_plain(base::SlotId room) const noexcept;
  void note_plain(base::SlotId room) noexcept;
  void sweep_bucket(Cell*& first, uint64_t now_ms) noexcept;

  std::mutex mutex_;
  Pattern* patterns_ = nullptr;  // the last one first
  Cell** buckets_ = nullptr;
  uint32_t bucket_count_ = 0;
  std::atomic<uint32_t> count_{0};
  uint32_t swept_to_ = 0;
  base::GrowingArray<uint32_t> plain_;  // by the numbers of rooms in the directory: the generation of one that has no memory
  bool type_data_ = false;
  uint64_t key_ = 0;
};

}  // namespace martlet::realtime

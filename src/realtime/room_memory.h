// A room with memory: a bounded log of what it was sent, and a map of keys, both under one offset that counts up, in one epoch.
//
//   log      m1  m2      m4  m5          m8      what it was sent: the last few
//   map              ACME3       EMCA6,7(gone)   the newest of each key, in the order of their changes
//   workers  ────────────────────────────►│8     each has a place up to which it has read, and given to its members
//   members  ──────────►│4                       one whose connection takes no more has a place of its own meanwhile
//
// There is one of each room in a process. Whoever publishes writes it down under the room's lock, and tells the workers that
// have members; each of them reads from its own place on, so that all see one order, and nobody is waited for: a worker, or a
// member, that stands still costs no more than the bounds of the log, and finds what is left of it when it goes on (catch_up.h).
// Any thread; what is said to need the lock needs it.
#pragma once

#include <martlet/compression.h>
#include <martlet/websocket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>

#include "base/growing_array.h"
#include "base/kept_text.h"
#include "realtime/memory_log.h"
#include "realtime/memory_map.h"
#include "worker/directory.h"

namespace martlet::realtime {

struct MemoryLimits {
  uint64_t age_ms = 0;  // 0: any
  size_t bytes = size_t{1} << 20;
  uint32_t keys = 10'000;
  uint32_t messages = 100;
};

// What all rooms of the process keep, and how much they may.
struct MemoryBudget {
  static inline std::atomic<size_t> used{0};
  static inline std::atomic<size_t> most{size_t{256} << 20};
  static bool is_spent() noexcept { return used.load(std::memory_order_relaxed) > most.load(std::memory_order_relaxed); }
};

// A worker that has members. Under the room's lock.
struct MemoryReader {
  uint32_t worker = 0;
  uint64_t read_to = 0;
  uint64_t needed_from = 0;  // what was sent behind this is still needed by a member
  worker::Seats told;        // by whom, that there is something to read
  bool told_from_outside = false;
  MemoryReader* next = nullptr;
};

// Frames that lie one behind the other and are for the same members. Holds its block.
struct MemoryRun {
  base::Block* block;
  uint8_t* data;
  size_t size;
  uint32_t messages;
  Compress compress;
  uint32_t except_begin;  // in MemoryRuns::excepts
  uint32_t except_count;
  uint64_t last;          // offset
};
struct MemoryRuns {
  static constexpr uint32_t kMost = 32;
  MemoryRun runs[kMost];
  uint32_t count = 0;
  base::GrowingArray<WebSocket> excepts;
};

class RoomMemory {
 public:
  // ok() is false when memory was out. It begins with one reference.
  RoomMemory(std::string_view name, const MemoryLimits& bounds) noexcept;
  RoomMemory(const RoomMemory&) = delete;
  RoomMemory& operator=(const RoomMemory&) = delete;
  bool ok() const noexcept { return name_.ok() && name_text_.ok(); }
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
  bool is_shared() const noexcept { return references_.load(std::memory_order_acquire) > 1; }

  std::string_view name() const noexcept { return name_.text(); }
  // In quotes.
  std::string_view name_text() const noexcept { return name_text_.text(); }
  uint64_t epoch() const noexcept { return epoch_; }

  mutable std::mutex mutex;

  // The rest under the lock ---------------------------------------------------------------------------------------------

  // What an event says behind its arguments: `text` is one, with its last brace; it gets the room and the offset.
  struct Sent {
    proto::Opcode opcode = proto::Opcode::text;
    std::string_view text;
    bool is_event = false;
    Compress compress = Compress::automatic;
    std::span<const WebSocket> except = {};
  };
  // False when memory is out, or the room holds no such message: then nothing has changed.
  bool send(const Sent& message, uint64_t now_ms) noexcept;

  // A change of a key, as the event that tells of it; where in that the key stands, in quotes, and the value, which ends with
  // the list of arguments.
  struct Told {
    std::string_view text;
    size_t key_at = 0;
    size_t value_at = 0;
    size_t value_size = 0;
  };
  enum class Changed : uint8_t { yes, no_such_key, too_many_keys, no_memory };
  Changed set(KeyKind kind, std::string_view key, const Told& told, uint64_t now_ms) noexcept;
  Changed remove(KeyKind kind, std::string_view key, const Told& told, uint64_t now_ms) noexcept;

  uint64_t end() const noexcept { return end_; }
  // Who knows all up to an earlier offset has missed a message that is gone.
  uint64_t messages_lost() const noexcept { return messages_lost_; }
  const MemoryLog& messages() const noexcept { return messages_; }
  MemoryMap& map() noexcept { return map_; }
  const MemoryMap& map() const noexcept { return map_; }
  size_t bytes() const noexcept {
    return messages_.bytes() + messages_.spare() + changes_.bytes() + changes_.spare() + map_.bytes();
  }

  void add(MemoryReader& reader) noexcept;
  void remove(MemoryReader& reader) noexcept;
  MemoryReader* readers() const noexcept { return readers_; }
  bool is_only(const MemoryReader& reader) const noexcept { return readers_ == &reader && !reader.next; }
  // What this reader has not read yet, as far as there is place for it; it has read it then. False when some of it is gone:
  // it has read all then, and has been given nothing.
  bool read(MemoryReader& reader, MemoryRuns& runs) noexcept;

  // Forgets what is too old or too much.
  void trim(uint64_t now_ms) noexcept;
  // The same, and pages that nobody wants; every few seconds.
  void tidy(uint64_t now_ms) noexcept;
  // A page of keys that is written is kept for those who come next, if there is memory to spare.
  void keep_page(KeyKind kind, uint32_t index, base::Block* page) noexcept;
  void set_type_data(bool is) noexcept;
  bool is_empty() const noexcept { return messages_.empty() && map_.live() == 0 && !readers_; }

  MemoryLimits limits;
  bool pinned = false;  // the program holds it: it stays when it is empty
  uint32_t hidden = 0;  // connections for whose presence there was no place
  std::atomic<bool> type_data{false};  // how its events look: read without the lock, see set_type_data()

 private:
  ~RoomMemory();
  struct Frame {
    uint8_t* data = nullptr;
    size_t size = 0;
    size_t payload_at = 0;
  };
  Frame build(MemoryLog& log, proto::Opcode opcode, std::string_view text, bool is_event) noexcept;
  bool keep_excepts(std::span<const WebSocket> except, MemoryRecord& record) noexcept;
  Changed change(MemoryEntry& entry, const Told& told, bool gone, uint64_t now_ms) noexcept;
  void note_use() noexcept;
  bool too_much() const noexcept;
  bool may_drop(uint64_t read) const noexcept;
  void drop_message() noexcept;
  void drop_change() noexcept;

  base::KeptText name_;
  base::KeptText name_text_;
  uint64_t epoch_ = 0;
  uint64_t end_ = 0;
  uint64_t messages_lost_ = 0;
  uint64_t changes_lost_ = 0;
  MemoryLog messages_;
  MemoryLog changes_;  // for readers that have not read them
  MemoryMap map_;
  MemoryReader* readers_ = nullptr;
  size_t counted_ = 0;  // of the budget
  std::atomic<uint32_t> references_{1};
};

// How epochs are written: 16 letters; and read, which answers 0 for what is none.
inline constexpr size_t kEpochLetters = 16;
void write_epoch(char* to, uint64_t epoch) noexcept;
uint64_t read_epoch(std::string_view text) noexcept;

}  // namespace martlet::realtime

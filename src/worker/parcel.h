// What a worker publishes to the members on other workers: the frames of one turn, in one parcel for all of them.
//
// A publish notes an item; the parcel leaves at the end of the turn, or before the next thing that this worker posts to
// another one, so that order holds. It is immutable and shared: each worker that has members gets one mail with a
// reference to it. The bytes are those of the sender's log. A receiver finds its own audience of each item by the
// directory's entry and treats the frames as if they were published there (publish.h).
//
// A worker that does not turn is not waited for: above the bound of its lane its parcel is refused. That is counted at
// once, and when the worker has caught up it is told which audiences missed how many messages: their members are slow
// consumers then, and treated by the policy of their own route.
#pragma once

#include <martlet/compression.h>

#include <cstdint>
#include <memory>
#include <span>

#include "base/block.h"
#include "base/growing_array.h"
#include "worker/directory.h"

namespace martlet::worker {

struct Worker;

// Frames that go to the members of several rooms are an item of each, one behind the other: who is in several of these rooms
// gets them once.
enum class Among : uint8_t { alone, first, further };

struct ParcelItem {
  AudienceKind kind;
  base::SlotId entry;
  base::Block* block;
  uint8_t* data;
  size_t size;
  uint32_t messages;
  uint32_t except_begin;
  uint32_t except_count;
  Compress compress;
  Among among = Among::alone;
  base::Block* topic = nullptr;  // its name, where the audience is one; behind it a NUL and the message's key, where it has one
  uint32_t topic_bytes = 0;
  uint32_t key_bytes = 0;
};

// A connection on another worker that is left out.
struct ParcelExcept {
  uint32_t worker;
  base::SlotId id;
};

// Where the receivers are known: what arrives is handed to it.
struct ParcelSeam {
  // The frames of an item, for this worker's members of its audience.
  void (*take)(Worker& w, const ParcelItem& item, std::span<const ParcelExcept> except) noexcept;
  // This worker's members of an audience missed so many messages, as it did not turn for too long.
  void (*lagged)(Worker& w, AudienceKind kind, base::SlotId entry, uint64_t messages) noexcept;
};

class Outgoing {
 public:
  Outgoing() noexcept = default;
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;
  ~Outgoing() { forget_items(); }

  // For a worker of a group. False when memory is out.
  bool open(uint32_t seats) noexcept;
  bool empty() const noexcept { return items_.empty(); }
  // Notes frames in the worker's log for the workers of `where`. False when memory is out.
  bool add(const ParcelItem& item, const Seats& where, std::span<const ParcelExcept> except) noexcept;
  // Sends what was noted. The worker's thread.
  void ship(Worker& w) noexcept;
  // Once a turn: tells workers that lagged what they missed, once they have caught up. True when memory was out for
  // it: to be called again.
  bool tell_missed(Worker& w) noexcept;

 private:
  struct Missed {
    AudienceKind kind;
    base::SlotId entry;
    uint64_t messages;
  };
  // What one worker missed. When it is of too many audiences to name them, all of its WebSockets did.
  struct MissedThere {
    static constexpr uint32_t kMost = 256;
    base::GrowingArray<Missed> audiences;
    uint64_t unnamed = 0;  // messages

    void add(const ParcelItem& item) noexcept;
    bool empty() const noexcept { return audiences.empty() && unnamed == 0; }
  };
  void note_missed(Worker& w, uint32_t seat) noexcept;
  void forget_items() noexcept;
  static bool tell(uint32_t number, MissedThere& missed) noexcept;

  base::GrowingArray<ParcelItem> items_;
  base::GrowingArray<ParcelExcept> excepts_;
  Seats where_;
  size_t bytes_ = 0;
  std::unique_ptr<MissedThere[]> missed_;  // by seat
  bool any_missed_ = false;
};

}  // namespace martlet::worker

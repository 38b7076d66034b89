// What a worker publishes to the members on other workers: the frames of one turn, in one parcel for all of them.
//
// A publish notes an item; the parcel leaves at the end of the turn, or before the next thing that this worker posts to
// another one, so that order holds. It is immutable and shared: each worker that has members gets one mail with a
// reference to it. The bytes are those of the sender's log. A receiver finds its own audience of each item by the
// directory's entry and treats the frames as if they were published there (publish.h).
//
// A worker that does not turn is not waited for: above the bound of its lane its parcel is refused. That is counted, and
// when the lane has emptied the worker is told which audience missed how many messages: its members are slow consumers
// then, and treated by the policy of their own route.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "app/directory.h"
#include "app/publish.h"
#include "base/growing_array.h"

namespace martlet::app {

struct ParcelItem {
  AudienceKind kind;
  base::SlotId entry;
  base::Block* block;
  uint8_t* data;
  size_t size;
  uint32_t messages;
  uint32_t except_begin;
  uint32_t except_count;
};

// A connection on another worker that is left out.
struct ParcelExcept {
  uint32_t worker;
  base::SlotId id;
};

class Outgoing {
 public:
  // For a worker of a group. False when memory is out.
  bool open(uint32_t seats) noexcept;
  bool empty() const noexcept { return items_.empty(); }
  // Notes frames in the worker's log for the workers of `where`. False when memory is out.
  bool add(const ParcelItem& item, const Seats& where, std::span<const ParcelExcept> except) noexcept;
  // Sends what was noted. The worker's thread.
  void ship(Worker& w) noexcept;
  // Once a turn: tells workers that lagged what they missed, once their lanes have emptied. True when memory was out for
  // it: to be called again.
  bool tell_missed(Worker& w) noexcept;

 private:
  struct MissedAudience {
    AudienceKind kind;
    base::SlotId entry;
    uint64_t messages;
  };
  struct Missed {
    static constexpr uint32_t kMost = 8;
    MissedAudience audiences[kMost];
    uint32_t count;     // of audiences; above kMost they are not all known: then it is all WebSockets of that worker
    uint64_t messages;  // of all
  };
  void note_missed(uint32_t seat) noexcept;

  base::GrowingArray<ParcelItem> items_;
  base::GrowingArray<ParcelExcept> excepts_;
  Seats where_;
  size_t bytes_ = 0;
  std::unique_ptr<Missed[]> missed_;  // by seat
  bool any_missed_ = false;
};

}  // namespace martlet::app

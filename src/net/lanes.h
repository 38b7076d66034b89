// How the workers of one Server reach each other: a ring for each ordered pair, with one producer and one consumer.
//
//   seat 0 ──ring──▶ seat 1      a ring is bounded and never blocks. What does not fit waits in an overflow list of the
//          ◀──ring──             producer's own, and everything after it too, so that order holds. A consumer that has
//                                made room wakes the producer, whose next turn moves the overflow on.
//
// What waits in a lane, ring and overflow together, is bounded for messages (Mail::bytes): above Inbox::kMostWaiting they
// are refused, and it is the poster's affair to count that and to tell whom it concerns. Commands (close, join, the end of
// a response) are always taken.
//
// Made before the workers run, destroyed when all their threads have ended; mail that is left is dropped then.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/ring.h"
#include "net/mailbox.h"

namespace martlet::net {

class Lanes {
 public:
  static constexpr uint32_t kMostSeats = 256;
  static constexpr size_t kCells = 256;  // of one ring

  // Null when memory is out. `seats` of 1 to kMostSeats.
  static Lanes* make(uint32_t seats) noexcept;
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  uint32_t seats() const noexcept { return seats_; }
  // Before anybody posts to this seat: whose it is.
  void sit(uint32_t seat, Inbox* inbox) noexcept { inboxes_[seat] = inbox; }

  // On the thread of seat `from`. When the answer is not yes, the mail is still the caller's.
  [[nodiscard]] Posted post(uint32_t from, uint32_t to, Mail* mail) noexcept;
  // On the thread of `from`, once a turn: moves on what overflowed. True while something is left, for which a consumer
  // has yet to make room: it will wake us.
  bool move_on(uint32_t from) noexcept;
  // Whether mail from `from` waits outside the ring; on the thread of `from`.
  bool overflows(uint32_t from, uint32_t to) const noexcept { return lane(from, to).first != nullptr; }
  // On the thread of `from`: whether the consumer has much to catch up with. Then it will wake us when it has taken some;
  // to be asked again in that turn.
  bool lags(uint32_t from, uint32_t to) noexcept;

  // On the thread of seat `to`: runs at most `budget` messages, each lane's in order.
  void deliver(uint32_t to, void* worker, uint32_t budget) noexcept;
  // Whether there is something to do for this seat: mail, or that a consumer has made room for which it waits.
  bool has_mail(uint32_t seat) const noexcept;
  // On its thread, its worker is over: what is in its rings is dropped, and what it could not put into others'.
  void drop(uint32_t seat) noexcept;

 private:
  struct Lane {
    base::Ring<Mail*> ring{kCells};
    // Set by the producer that waits for room, cleared by the consumer that has made some.
    alignas(base::kCacheLine) std::atomic<bool> producer_waits{false};
    std::atomic<size_t> taken_bytes{0};  // of messages, since the beginning; the consumer's
    // The producer's.
    alignas(base::kCacheLine) Mail* first = nullptr;  // the overflow, oldest first
    Mail* last = nullptr;
    size_t posted_bytes = 0;  // of messages, since the beginning
    size_t seen_taken = 0;
    bool waits = false;  // for room: counted at its seat
  };
  struct alignas(base::kCacheLine) Side {
    uint32_t next_lane = 0;  // where the consumer goes on, so that none of its producers starves
    uint32_t waits = 0;      // lanes in which the producer waits
  };

  explicit Lanes(uint32_t seats) noexcept : seats_(seats) {}
  Lane& lane(uint32_t from, uint32_t to) const noexcept { return lanes_[size_t{to} * seats_ + from]; }
  bool fill(uint32_t from, uint32_t to) noexcept;
  void drop_overflow(Lane& lane) noexcept;
  void wait_for_room(uint32_t from, Lane& lane, bool waits) noexcept;
  static size_t waiting_bytes(Lane& lane, size_t enough) noexcept;
  static void count_taken(Lane& lane, const Mail& mail) noexcept;
  void tell_room(uint32_t from, Lane& lane) noexcept;

  uint32_t seats_;
  Lane* lanes_ = nullptr;  // by consumer: what it looks through each turn lies together
  Inbox* inboxes_[kMostSeats] = {};
  Side sides_[kMostSeats];
};

}  // namespace martlet::net

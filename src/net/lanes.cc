// The two sides of lanes.h.
//
// Two questions are asked from both sides at once. "Does anybody have to be woken?" is the protocol of mailbox.h, with
// the ring's tail as what is written first. "Is there room again?" is settled by exchanges on one flag: they have an
// order, so either the consumer sees that a producer waits, or the producer sees what the consumer took before. A consumer
// that clears the flag wakes the producer if it sleeps; one that is about to sleep looks at its flags after it has
// announced that, as it looks for mail (has_mail), and so sees what it was not woken for.
#include "net/lanes.h"

#include <new>

#include "base/alloc.h"

namespace martlet::net {

Lanes* Lanes::make(uint32_t seats) noexcept {
  MARTLET_CHECK(seats >= 1 && seats <= kMostSeats);
  auto* lanes = new (std::nothrow) Lanes(seats);
  if (!lanes) return nullptr;
  lanes->lanes_ = new (std::nothrow) Lane[size_t{seats} * seats];
  bool good = lanes->lanes_ != nullptr;
  for (uint32_t i = 0; good && i < seats * seats; i++) good = lanes->lanes_[i].ring.ok();
  if (good) return lanes;
  delete lanes;
  return nullptr;
}

Lanes::~Lanes() {
  for (uint32_t i = 0; lanes_ && i < seats_ * seats_; i++) {
    Lane& lane = lanes_[i];
    Mail* mail = nullptr;
    while (lane.ring.ok() && lane.ring.pop(mail)) mail->drop(mail);
    drop_overflow(lane);
  }
  delete[] lanes_;
}

// Of messages, in the ring and outside. Looks at what the consumer has taken only when this is more than enough.
size_t Lanes::waiting_bytes(Lane& lane, size_t enough) noexcept {
  if (lane.posted_bytes - lane.seen_taken > enough) lane.seen_taken = lane.taken_bytes.load(std::memory_order_acquire);
  return lane.posted_bytes - lane.seen_taken;
}

Posted Lanes::post(uint32_t from, uint32_t to, Mail* mail) noexcept {
  Inbox* const inbox = inboxes_[to];
  if (!inbox || !inbox->is_open()) return Posted::closed;
  Lane& lane = this->lane(from, to);
  if (const size_t bytes = mail->bytes) {
    const size_t most = Inbox::kMostWaiting;
    const size_t waiting = waiting_bytes(lane, bytes < most ? most - bytes : 0);
    if (waiting && waiting + bytes > most) return Posted::full;  // one message of any size is taken
    lane.posted_bytes += bytes;
  }
  if (!lane.first && lane.ring.push(static_cast<Mail*>(mail))) {
    inbox->gate().notify();
    return Posted::yes;
  }
  mail->next = nullptr;
  (lane.first ? lane.last->next : lane.first) = mail;
  lane.last = mail;
  if (mail == lane.first) fill(from, to);
  return Posted::yes;
}

void Lanes::drop_overflow(Lane& lane) noexcept {
  while (Mail* const mail = lane.first) {
    lane.first = mail->next;
    mail->drop(mail);
  }
}

// From here on the consumer wakes us when it takes something; until `waits` is false again.
void Lanes::wait_for_room(uint32_t from, Lane& lane, bool waits) noexcept {
  if (waits != lane.waits) waits ? sides_[from].waits++ : sides_[from].waits--;
  lane.waits = waits;
  if (waits) lane.producer_waits.exchange(true, std::memory_order_seq_cst);
}

// Pushes as much of the overflow as fits; true when something is left, and the consumer knows that we wait.
bool Lanes::fill(uint32_t from, uint32_t to) noexcept {
  Inbox* const inbox = inboxes_[to];
  Lane& lane = this->lane(from, to);
  bool pushed = false;
  for (bool asked = false; lane.first;) {
    if (!inbox->is_open()) {
      drop_overflow(lane);
      break;
    }
    Mail* const mail = lane.first;
    Mail* const next = mail->next;  // once pushed, it is the consumer's
    if (lane.ring.push(static_cast<Mail*>(mail))) {
      lane.first = next;
      pushed = true;
    } else if (!asked) {
      wait_for_room(from, lane, true);
      asked = true;  // and look once more
    } else {
      break;
    }
  }
  if (pushed) inbox->gate().notify();
  if (!lane.first) wait_for_room(from, lane, false);
  return lane.first != nullptr;
}

bool Lanes::move_on(uint32_t from) noexcept {
  bool left = false;
  for (uint32_t to = 0; sides_[from].waits && to < seats_; to++) {
    if (lane(from, to).first) left |= fill(from, to);
  }
  return left;
}

bool Lanes::lags(uint32_t from, uint32_t to) noexcept {
  constexpr size_t kMuch = Inbox::kMostWaiting / 2;
  Lane& lane = this->lane(from, to);
  if (lane.first) return true;  // and waits for room
  const bool open = inboxes_[to] && inboxes_[to]->is_open();
  if (open && waiting_bytes(lane, kMuch) > kMuch) {
    wait_for_room(from, lane, true);
    if (waiting_bytes(lane, kMuch) > kMuch) return true;
  }
  wait_for_room(from, lane, false);
  return false;
}

// The consumer's side --------------------------------------------------------------------------------------------------

void Lanes::count_taken(Lane& lane, const Mail& mail) noexcept {
  if (mail.bytes == 0) return;
  lane.taken_bytes.store(lane.taken_bytes.load(std::memory_order_relaxed) + mail.bytes, std::memory_order_release);
}

void Lanes::tell_room(uint32_t from, Lane& lane) noexcept {
  if (!lane.producer_waits.exchange(false, std::memory_order_seq_cst)) return;
  if (inboxes_[from]) inboxes_[from]->gate().notify();
}

void Lanes::deliver(uint32_t to, void* worker, uint32_t budget) noexcept {
  uint32_t& next = sides_[to].next_lane;
  for (uint32_t n = 0; n < seats_ && budget > 0; n++) {
    const uint32_t from = next;
    next = from + 1 < seats_ ? from + 1 : 0;
    Lane& lane = this->lane(from, to);
    if (lane.ring.empty()) continue;
    Mail* mail = nullptr;
    for (; budget > 0 && lane.ring.pop(mail); budget--) {
      count_taken(lane, *mail);
      mail->run(mail, worker);
    }
    tell_room(from, lane);
  }
}

// Producers are told, so that they drop what waits outside.
void Lanes::drop(uint32_t seat) noexcept {
  for (uint32_t other = 0; other < seats_; other++) {
    drop_overflow(lane(seat, other));
    wait_for_room(seat, lane(seat, other), false);
    Lane& here = lane(other, seat);
    Mail* mail = nullptr;
    while (here.ring.pop(mail)) {
      count_taken(here, *mail);
      mail->drop(mail);
    }
    tell_room(other, here);
  }
}

bool Lanes::has_mail(uint32_t seat) const noexcept {
  for (uint32_t from = 0; from < seats_; from++) {
    if (!lane(from, seat).ring.empty()) return true;
  }
  for (uint32_t to = 0; sides_[seat].waits && to < seats_; to++) {
    const Lane& lane = this->lane(seat, to);
    if (lane.waits && !lane.producer_waits.load(std::memory_order_seq_cst)) return true;
  }
  return false;
}

}  // namespace martlet::net

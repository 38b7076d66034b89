// The two sides of lanes.h.
//
// Two questions are asked from both sides at once. "Does anybody have to be woken?" is the protocol of mailbox.h, with
// the ring's tail as what is written first. "Is there room again?" is settled by exchanges on one flag: they have an
// order, so either the consumer sees that a producer waits, or the producer sees what the consumer took before.
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
    while ((mail = lane.first) != nullptr) {
      lane.first = mail->next;
      mail->drop(mail);
    }
  }
  delete[] lanes_;
}

Posted Lanes::post(uint32_t from, uint32_t to, Mail* mail) noexcept {
  Inbox* const inbox = inboxes_[to];
  if (!inbox || !inbox->is_open()) return Posted::closed;
  Lane& lane = this->lane(from, to);
  if (!lane.first && lane.ring.push(static_cast<Mail*>(mail))) {
    inbox->gate().notify();
    return Posted::yes;
  }
  if (mail->bytes) {
    if (lane.overflow_bytes && lane.overflow_bytes + mail->bytes > Inbox::kMostWaiting) return Posted::full;
    lane.overflow_bytes += mail->bytes;
  }
  mail->next = nullptr;
  (lane.first ? lane.last->next : lane.first) = mail;
  lane.last = mail;
  if (mail == lane.first) fill(lane, to);
  return Posted::yes;
}

// Pushes as much of the overflow as fits; true when something is left, and the consumer knows that we wait.
bool Lanes::fill(Lane& lane, uint32_t to) noexcept {
  Inbox* const inbox = inboxes_[to];
  bool pushed = false;
  for (bool asked = false; lane.first;) {
    Mail* const mail = lane.first;
    Mail* const next = mail->next;
    const size_t bytes = mail->bytes;  // once pushed, it is the consumer's
    if (lane.ring.push(static_cast<Mail*>(mail))) {
      lane.overflow_bytes -= bytes;
      lane.first = next;
      pushed = true;
    } else if (!inbox->is_open()) {
      lane.first = next;
      lane.overflow_bytes -= bytes;
      mail->drop(mail);
    } else if (asked) {
      break;
    } else {
      lane.producer_waits.exchange(true, std::memory_order_acq_rel);
      asked = true;  // and look once more
    }
  }
  if (pushed) inbox->gate().notify();
  return lane.first != nullptr;
}

bool Lanes::move_on(uint32_t from) noexcept {
  bool left = false;
  for (uint32_t to = 0; to < seats_; to++) {
    Lane& lane = this->lane(from, to);
    if (lane.first) left |= fill(lane, to);
  }
  return left;
}

void Lanes::deliver(uint32_t to, void* worker, uint32_t budget) noexcept {
  for (uint32_t n = 0; n < seats_; n++) {
    const uint32_t from = next_lane_[to];
    next_lane_[to] = from + 1 < seats_ ? from + 1 : 0;
    Lane& lane = this->lane(from, to);
    if (lane.ring.empty()) continue;
    Mail* mail = nullptr;
    for (; budget > 0 && lane.ring.pop(mail); budget--) mail->run(mail, worker);
    if (lane.producer_waits.exchange(false, std::memory_order_acq_rel) && inboxes_[from]) {
      inboxes_[from]->gate().notify();
    }
    if (budget == 0) return;
  }
}

void Lanes::drop(uint32_t to) noexcept {
  for (uint32_t from = 0; from < seats_; from++) {
    Mail* mail = nullptr;
    while (lane(from, to).ring.pop(mail)) mail->drop(mail);
  }
}

bool Lanes::has_mail(uint32_t to) const noexcept {
  for (uint32_t from = 0; from < seats_; from++) {
    if (!lane(from, to).ring.empty()) return true;
  }
  return false;
}

}  // namespace martlet::net

// The two sides of mailbox.h.
//
// pushed_ is a stack that is emptied as a whole, so there is no ABA problem: a pusher that compares and swaps does not
// care what lies below the top. Its three kinds of value are null (empty), the newest mail, and closed_mark.
#include "net/mailbox.h"

#include <thread>
#include <utility>

#include "base/alloc.h"
#include "base/check.h"
#include "net/lanes.h"

namespace martlet::net {

constinit Mail Inbox::closed_mark{};

Error WakeGate::open() noexcept {
  MARTLET_CHECK(!waker_);
  auto* waker = base::create<sys::Waker>();
  if (!waker) return Error("no memory for a waker");
  if (Error error = waker->open()) {
    base::destroy(waker);
    return error;
  }
  waker_ = waker;
  return {};
}

void WakeGate::close() noexcept {
  sleeping_.store(false, std::memory_order_seq_cst);
  // Whoever cleared the flag before us has counted itself before, so it is seen here; it makes one write and goes.
  while (wakes_in_flight_.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  base::destroy(std::exchange(waker_, nullptr));
}

void WakeGate::wake() noexcept {
  wakes_in_flight_.fetch_add(1, std::memory_order_seq_cst);
  if (sleeping_.exchange(false, std::memory_order_seq_cst)) waker_->wake();
  wakes_in_flight_.fetch_sub(1, std::memory_order_seq_cst);
}

void WakeGate::awake(bool woken) noexcept {
  // A producer that clears the flag just now still writes to the descriptor: one turn of the loop for nothing.
  sleeping_.store(false, std::memory_order_relaxed);
  if (woken) waker_->drain();
}

Error Inbox::open(uint32_t worker, uint32_t first, Lanes* lanes) noexcept {
  MARTLET_CHECK(pushed_.load(std::memory_order_relaxed) == &closed_mark);
  if (Error error = gate_.open()) return error;
  worker_ = worker;
  first_ = first ? first : worker;
  members_ = lanes ? lanes->seats() : 1;
  lanes_ = lanes;
  pushed_.store(nullptr, std::memory_order_seq_cst);
  return {};
}

Posted Inbox::post(Mail* mail) noexcept {
  const size_t bytes = mail->bytes;
  if (bytes) {
    const size_t before = waiting_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (before && before + bytes > kMostWaiting) {  // one message of any size is taken
      waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
      count_refused();
      return Posted::full;
    }
  }
  Mail* top = pushed_.load(std::memory_order_relaxed);
  do {
    if (top == &closed_mark) {
      if (bytes) waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
      return Posted::closed;
    }
    mail->next = top;
  } while (!pushed_.compare_exchange_weak(top, mail, std::memory_order_seq_cst, std::memory_order_relaxed));
  gate_.notify();
  return Posted::yes;
}

// Moves what was pushed behind what was taken (which is empty then), oldest first.
void Inbox::take_pushed() noexcept {
  if (!is_mail(pushed_.load(std::memory_order_relaxed))) return;
  Mail* mail = pushed_.exchange(nullptr, std::memory_order_seq_cst);
  while (mail) {
    Mail* older = mail->next;
    mail->next = taken_;
    taken_ = mail;
    mail = older;
  }
}

bool Inbox::deliver(void* worker, uint32_t budget) noexcept {
  if (!taken_ && !lanes_ && !is_mail(pushed_.load(std::memory_order_relaxed))) return false;
  if (!taken_) take_pushed();
  // Neither takes all from the other: half is for the lanes, when they want it.
  uint32_t own = lanes_ ? budget - budget / 2 : budget;
  budget -= own;
  for (; taken_ && own > 0; own--) {
    Mail* mail = taken_;
    taken_ = mail->next;
    if (mail->bytes) waiting_bytes_.fetch_sub(mail->bytes, std::memory_order_relaxed);
    mail->run(mail, worker);
  }
  if (lanes_) lanes_->deliver(worker_ - first_, worker, budget + own);
  return has_mail();
}

bool Inbox::has_mail() const noexcept {
  if (taken_ || is_mail(pushed_.load(std::memory_order_seq_cst))) return true;
  return lanes_ && lanes_->has_mail(worker_ - first_);
}

bool Inbox::try_sleep() noexcept {
  gate_.announce_sleep();
  return !has_mail();
}

void Inbox::close() noexcept {
  Mail* newest = pushed_.exchange(&closed_mark, std::memory_order_seq_cst);
  if (newest == &closed_mark) return;
  // In the order of posting: first what was taken, then what was pushed.
  Mail* pushed = nullptr;
  while (newest) {
    Mail* older = newest->next;
    newest->next = pushed;
    pushed = newest;
    newest = older;
  }
  for (Mail* list : {std::exchange(taken_, nullptr), pushed}) {
    while (list) {
      Mail* next = list->next;
      if (list->bytes) waiting_bytes_.fetch_sub(list->bytes, std::memory_order_relaxed);
      list->drop(list);
      list = next;
    }
  }
  if (lanes_) lanes_->drop(worker_ - first_);
  lanes_ = nullptr;
  gate_.close();
}

}  // namespace martlet::net

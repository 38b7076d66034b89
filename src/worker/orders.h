// What a worker is told that must arrive also when memory is out: to drain, to end, to close its WebSockets. The mail is
// a part of the worker's inbox (net/mailbox.h), so that giving it allocates nothing, and it goes the way of all mail, so
// that what its thread has posted before runs before. Any thread.
#pragma once

#include <martlet/options.h>

#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

#include "base/block.h"
#include "net/mailbox.h"
#include "net/worker_registry.h"

namespace martlet::worker {

// The text of a drain's notice, shared by the workers that it goes to. Empty when there was no memory for it.
class Notice {
 public:
  Notice() noexcept = default;
  explicit Notice(std::string_view text) noexcept;
  Notice(const Notice& other) noexcept : block_(other.block_), size_(other.size_) {
    if (block_) block_->retain();
  }
  Notice& operator=(Notice other) noexcept {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Notice() {
    if (block_) block_->release();
  }
  std::string_view text() const noexcept {
    return block_ ? std::string_view(reinterpret_cast<const char*>(block_->data()), size_) : std::string_view();
  }

 private:
  base::Block* block_ = nullptr;
  size_t size_ = 0;
};

// DrainOptions on their way.
struct DrainRequest {
  uint32_t deadline_ms = 0;
  uint32_t spread_ms = 0;
  Notice notice = {};
};
DrainRequest request_of(const DrainOptions& options) noexcept;

// A worker that drains already goes on as it does, and one that is over does not hear it.
void order_drain(uint32_t number, const DrainRequest& request) noexcept;
// Ends it at once.
void order_end(uint32_t number) noexcept;

// Hands mail to the worker of this number (group.cc). When the answer is not yes, it is still the caller's.
net::Posted post_mail(uint32_t number, net::Mail* mail) noexcept;

// For `run` of an order: what it says, moved out of it. From then on it may be given again.
template <typename T>
T taken_from(net::Mail* mail) noexcept {
  static_assert(sizeof(T) <= sizeof(net::Order::words));
  auto* order = static_cast<net::Order*>(mail);
  T* words = std::launder(reinterpret_cast<T*>(order->words));
  T said = std::move(*words);
  words->~T();
  order->leave();
  return said;
}

// Gives one of the orders of that worker's inbox, unless it is on its way already.
template <typename T>
void give(uint32_t number, net::Order net::Inbox::*which, T says, void (*run)(net::Mail*, void* worker)) noexcept {
  net::Inbox* inbox = net::find_inbox(number);
  net::Order* order = inbox ? &(inbox->*which) : nullptr;
  if (!order || !order->take()) return;
  new (order->words) T(std::move(says));
  order->run = run;
  order->drop = [](net::Mail* mail) { (void)taken_from<T>(mail); };
  if (post_mail(number, order) != net::Posted::yes) order->drop(order);
}

}  // namespace martlet::worker

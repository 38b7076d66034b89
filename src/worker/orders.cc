// See orders.h.
#include "worker/orders.h"

#include <cstring>

#include "base/limits.h"
#include "worker/worker.h"

namespace martlet::worker {

namespace {

struct Nothing {};

}  // namespace

Notice::Notice(std::string_view text) noexcept : block_(text.empty() ? nullptr : base::Block::make(text.size())) {
  if (!block_) return;
  std::memcpy(block_->data(), text.data(), text.size());
  size_ = text.size();
}

DrainRequest request_of(const DrainOptions& options) noexcept {
  return {base::to_ms(options.deadline), base::to_ms(options.spread), Notice(options.notice)};
}

void order_drain(uint32_t number, const DrainRequest& request) noexcept {
  give(number, &net::Inbox::drain_order, request, [](net::Mail* mail, void* worker) {
    static_cast<Worker*>(worker)->begin_drain(taken_from<DrainRequest>(mail));
  });
}

void order_end(uint32_t number) noexcept {
  give(number, &net::Inbox::end_order, Nothing(), [](net::Mail* mail, void* worker) {
    (void)taken_from<Nothing>(mail);
    static_cast<Worker*>(worker)->over = true;
  });
}

}  // namespace martlet::worker

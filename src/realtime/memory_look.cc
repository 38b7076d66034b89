// MemoryPart: what is looked at every few seconds, in all rooms with a memory that have members here.
#include "realtime/memory_part.h"
#include "realtime/realtime.h"

namespace martlet::realtime {

namespace {

constexpr uint64_t kPieceMs = 10;  // with 100,000 rooms a look takes four seconds
constexpr uint32_t kPieceRooms = 256, kSweeps = 4;

}  // namespace

// Every few seconds: what should have been told, but was not; and what memory was out for. In pieces, so that however many rooms
// there are, no turn is long; those that come while it goes on are for the next one.
void MemoryPart::look() noexcept {
  if (looked_to_ || sweeps_left_) return;
  looked_to_ = rooms_;
  sweeps_left_ = kSweeps;
  look_at_some();
}

void MemoryPart::look_at_some() noexcept {
  if (sweeps_left_ > 0) memories->sweep(memory_now_ms());
  sweeps_left_ -= sweeps_left_ > 0;
  for (uint32_t i = 0; i < kPieceRooms && looked_to_; i++) look_at(*std::exchange(looked_to_, looked_to_->next));
  if (!looked_to_ && !sweeps_left_) return;
  const auto run = [](void* p) { static_cast<MemoryPart*>(p)->look_at_some(); };
  if (worker.reactor.timers.after(worker.reactor.now_ns(), kPieceMs, {run, nullptr, this}).generation) return;
  looked_to_ = nullptr;  // memory is out: the next one begins anew
  sweeps_left_ = 0;
}

void MemoryPart::look_at(MemoryRoom& room) noexcept {
  read(room);
  uint64_t needed = UINT64_MAX;
  for (Behind* behind = room.behind; behind; behind = behind->next) {
    if (behind->catch_up.needs() < needed) needed = behind->catch_up.needs();
    if (takes_more(*worker.reactor.connections.live(behind->connection.slot))) mark_due(*behind);
  }
  const std::lock_guard lock(room.memory->mutex);
  room.reader.needed_from = needed;
  room.memory->tidy(memory_now_ms());
}

}  // namespace martlet::realtime

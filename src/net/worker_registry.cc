// A table of chunks of inboxes, grown under a lock and read without one.
//
// A chunk is published with release when its inboxes are constructed (closed); a reader that sees the pointer sees
// them. The table is a constant-initialised global without a destructor, so lookups work before main() and while the
// process ends.
#include "net/worker_registry.h"

#include <atomic>
#include <mutex>
#include <new>

namespace martlet::net {

namespace {

constexpr uint32_t kChunkSize = 64;

struct Chunk {
  Inbox inboxes[kChunkSize];
};

constinit std::atomic<Chunk*> chunks[kMaxWorkers / kChunkSize];
constinit std::mutex growing;
constinit uint32_t next_worker = 1;  // under `growing`

}  // namespace

Result<uint32_t> reserve_workers(uint32_t count) noexcept {
  const std::lock_guard lock(growing);
  const uint32_t first = next_worker;
  if (count > kMaxWorkers - first) return Error("worker numbers are used up");
  for (uint32_t worker = first; worker < first + count; worker++) {
    std::atomic<Chunk*>& entry = chunks[worker / kChunkSize];
    if (entry.load(std::memory_order_relaxed)) continue;
    auto* chunk = new (std::nothrow) Chunk;
    if (!chunk) return Error("no memory for another worker");
    entry.store(chunk, std::memory_order_release);
  }
  next_worker += count;
  return first;
}

Result<Inbox*> register_worker() noexcept {
  Result<uint32_t> worker = reserve_workers(1);
  if (!worker) return worker.error();
  Inbox* inbox = find_inbox(*worker);
  Error error = inbox->open(*worker);
  if (!error) return inbox;
  const std::lock_guard lock(growing);
  if (next_worker == *worker + 1) next_worker--;  // nobody has seen it: it may be tried again and again
  return error;
}

Inbox* find_inbox(uint32_t worker) noexcept {
  if (worker == 0 || worker >= kMaxWorkers) return nullptr;
  Chunk* chunk = chunks[worker / kChunkSize].load(std::memory_order_acquire);
  return chunk ? &chunk->inboxes[worker % kChunkSize] : nullptr;
}

uint32_t first_of(uint32_t worker) noexcept {
  const Inbox* inbox = find_inbox(worker);
  return inbox ? inbox->first() : 0;
}

uint32_t members_of(uint32_t worker) noexcept {
  const Inbox* inbox = find_inbox(worker);
  return inbox ? inbox->members() : 0;
}

}  // namespace martlet::net

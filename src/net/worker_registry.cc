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

Result<Inbox*> register_worker() noexcept {
  const std::lock_guard lock(growing);
  const uint32_t worker = next_worker;
  if (worker >= kMaxWorkers) return Error("worker numbers are used up");
  std::atomic<Chunk*>& entry = chunks[worker / kChunkSize];
  Chunk* chunk = entry.load(std::memory_order_relaxed);
  if (!chunk) {
    chunk = new (std::nothrow) Chunk;
    if (!chunk) return Error("no memory for another worker");
    entry.store(chunk, std::memory_order_release);
  }
  Inbox* inbox = &chunk->inboxes[worker % kChunkSize];
  if (Error error = inbox->open(worker)) return error;
  next_worker++;
  return inbox;
}

Inbox* find_inbox(uint32_t worker) noexcept {
  if (worker == 0 || worker >= kMaxWorkers) return nullptr;
  Chunk* chunk = chunks[worker / kChunkSize].load(std::memory_order_acquire);
  return chunk ? &chunk->inboxes[worker % kChunkSize] : nullptr;
}

}  // namespace martlet::net

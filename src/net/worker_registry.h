// Worker numbers: what a handle (WebSocket, Room) carries instead of a pointer to its worker.
//
// A number is given once and never again in the life of the process, and its inbox is never freed, so a handle may
// be used from any thread and at any time after its Server has gone: the inbox is closed then, and says so. What a
// finished worker leaves behind is one Inbox (half a kilobyte), no descriptor.
//
// Inboxes lie in chunks that do not move; a lookup is two loads. Numbers begin at 1; 0 is "no worker".
#pragma once

#include <martlet/error.h>

#include <cstdint>

#include "net/mailbox.h"

namespace martlet::net {

// The number of workers that a process can have in the course of its life.
inline constexpr uint32_t kMaxWorkers = 1u << 17;

// A new number and its inbox, open; the answer's worker() is the number. To be called on the thread that the worker will
// run on, or before that thread starts. The worker ends it with Inbox::close().
Result<Inbox*> register_worker() noexcept;

// `count` numbers one after the other, of which this is the first: for the workers of a Server. Their inboxes are closed
// until somebody opens them.
Result<uint32_t> reserve_workers(uint32_t count) noexcept;

// What stands for the workers that share their rooms: the number of the first of a Server's; a worker on its own stands
// for itself. 0 when the number was never given. Any thread.
uint32_t first_of(uint32_t worker) noexcept;
// How many workers share their rooms with the one of this number: 1 for one on its own, 0 when it was never given.
uint32_t members_of(uint32_t worker) noexcept;

// The inbox of this worker, be it open or closed; null when the number was never given. Any thread, no lock.
Inbox* find_inbox(uint32_t worker) noexcept;

}  // namespace martlet::net

// What is remembered of rooms (martlet/room_records.h): a record for each, shared by all workers of the group, and a part of
// each worker that writes into them. Workers that have members of a room hold its record; the last one that lets go ends it, or
// leaves it among the empty ones for RoomsOptions::keep_empty, and then the room stays with it.
#pragma once

#include <cstdint>

#include "realtime/realtime.h"

namespace martlet::realtime {

struct RecordOptions {
  uint32_t history = 0;
  uint64_t keep_ns = 0;
};

// Begins to write down, on this worker, in a set-up. False when memory is out.
bool begin_records(RealtimeWorker& w, const RecordOptions& options) noexcept;

}  // namespace martlet::realtime

// What is written down for a room with memory is told to the workers that have members of it: memory_part.h.
#include "realtime/memory_part.h"

namespace martlet::realtime {

void tell_readers(RoomMemory& memory, const worker::Worker* here) noexcept {
  for (MemoryReader* reader = memory.readers(); reader; reader = reader->next) {
    if (here && reader->worker == here->number) continue;
    if (here ? reader->told.has(here->seat) : reader->told_from_outside) continue;
    auto read = [ref = MemoryRef::to(memory)](RealtimeWorker& w) {
      if (MemoryPart* part = w.parts.find<MemoryPart>()) part->read_if_here(*ref);
    };
    if (post_to(reader->worker, std::move(read)) != SendStatus::posted) continue;
    here ? reader->told.add(here->seat) : void(reader->told_from_outside = true);
  }
}

}  // namespace martlet::realtime

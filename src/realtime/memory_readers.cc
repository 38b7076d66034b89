// What is written down for a room with memory is told to the workers that have members of it: memory_part.h.
#include "net/reactor.h"
#include "realtime/memory_part.h"

namespace martlet::realtime {

// Those that have members already: they are told all since it began, which may have been on another worker.
void MemoryPart::adopt(RoomMemory& memory) noexcept {
  RoomRecord* record = realtime().rooms.find(memory.name());
  if (!record || record->memory || !attach(*record, MemoryRef::to(memory))) return;
  for (const Membership* m = record->first; m; m = m->room_next) worker.reactor.connections.live(m->connection_slot)->followed = true;
  put_back(*record->memory, 0, nullptr);
}

void MemoryPart::read_if_here(RoomMemory& memory) noexcept {
  const RoomRecord* record = realtime().rooms.find(memory.name());
  if (record && record->memory) read(*record->memory);
}

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

// A room's memory and the clock: what is written and what is forgotten.
#include "realtime/room_memory.h"

#include <doctest/doctest.h>

#include <mutex>
#include <string>

#include "support/failing_alloc.h"

using namespace martlet;
using namespace martlet::realtime;

namespace {

struct OneRoom {
  explicit OneRoom(const MemoryLimits& limits) : memory(*new (base::allocate(sizeof(RoomMemory))) RoomMemory("room", limits)) {}
  ~OneRoom() { memory.release(); }
  bool send(std::string_view text, uint64_t now_ms) {
    RoomMemory::Sent sent;
    sent.text = text;
    const std::lock_guard lock(memory.mutex);
    return memory.send(sent, now_ms);
  }
  RoomMemory& memory;
};

}  // namespace

TEST_CASE("room memory: what was written after somebody looked at the clock is not too old for it") {
  OneRoom room({.age_ms = 1'000, .messages = 10});
  CHECK(room.send("new", 5'000));
  const std::lock_guard lock(room.memory.mutex);
  room.memory.trim(4'999);
  CHECK(room.memory.messages().size() == 1);
  room.memory.trim(6'000);
  CHECK(room.memory.messages().size() == 1);
  room.memory.trim(6'001);
  CHECK(room.memory.messages().empty());
}

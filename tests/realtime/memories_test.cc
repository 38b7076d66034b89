// Which rooms have a memory (memories.h): at their bound all workers agree.
#include "realtime/memories.h"

#include <doctest/doctest.h>

#include <string>

#include "worker/directory.h"

using namespace martlet;
using namespace martlet::realtime;

namespace {

struct Table {
  Memories memories;
  worker::Directory directory;
  Memories::Why why = Memories::Why::found;

  Table() { REQUIRE(memories.add_pattern("*", {})); }
  bool has(const std::string& name, Memories::For what) {
    RoomMemory* room = memories.find_or_make(name, &directory, what, why);
    if (room) room->release();
    return room != nullptr;
  }
  worker::DirectoryEntry& come(const std::string& name, uint32_t seat) { return *directory.enter(worker::AudienceKind::room, name, seat); }
  void sweep() {
    for (int i = 0; i < 1'000; i++) memories.sweep(1);
  }
};

constexpr auto kMessage = Memories::For::message;
constexpr auto kMember = Memories::For::member;

}  // namespace

TEST_CASE("memories: a room that had no place for a memory has none until it is empty on all workers") {
  Table table;
  for (uint32_t i = 0; i < Memories::kMostRooms; i++) REQUIRE(table.has(std::to_string(i), kMessage));
  worker::DirectoryEntry& here = table.come("den", 0);
  CHECK_FALSE(table.has("den", kMember));
  CHECK(table.why == Memories::Why::plain);
  CHECK_FALSE(table.has("sent to only", kMessage));
  table.come("sent to only", 0);
  table.sweep();  // they are all empty
  REQUIRE(table.memories.size() == 0);
  CHECK(table.has("other", kMember));
  CHECK_FALSE(table.has("den", kMessage));
  table.come("den", 1);
  CHECK_FALSE(table.has("den", kMember));
  CHECK(table.why == Memories::Why::plain);
  table.directory.leave(here, 0);
  CHECK_FALSE(table.has("den", kMember));
  table.directory.leave(here, 1);
  table.come("den", 1);
  CHECK(table.has("den", kMember));
  CHECK(table.has("sent to only", kMember));  // nobody had come when there was no place
}

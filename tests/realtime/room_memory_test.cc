// src/realtime/room_memory.h: offsets, bounds, readers and epochs of one room.
#include "realtime/room_memory.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "realtime/access.h"
#include "realtime/key_text.h"
#include "support/failing_alloc.h"

using namespace martlet;
using martlet::test::FailingAlloc;
using realtime::KeyKind;
using realtime::KeyText;
using realtime::MemoryLimits;
using realtime::MemoryReader;
using realtime::MemoryRuns;
using realtime::RoomMemory;
using Changed = RoomMemory::Changed;

namespace {

struct Gone {
  void operator()(RoomMemory* room) const { room->release(); }
};
struct TestRoom : std::unique_ptr<RoomMemory, Gone> {
  explicit TestRoom(const MemoryLimits& limits = {}, std::string_view name = "r")
      : std::unique_ptr<RoomMemory, Gone>(new (base::allocate(sizeof(RoomMemory))) RoomMemory(name, limits)) {}
};

bool send(RoomMemory& room, std::string_view text, uint64_t now_ms = 0, std::span<const WebSocket> except = {}) {
  return room.send({.text = text, .except = except}, now_ms);
}
Changed set(RoomMemory& room, std::string_view key, std::string_view value) {
  const KeyText told("room:set", key, value, false);
  return room.set(KeyKind::state, key, told.told(), 0);
}
Changed remove(RoomMemory& room, std::string_view key) {
  const KeyText told("room:remove", key, {}, false);
  return room.remove(KeyKind::state, key, told.told(), 0);
}
// What a reader is given, as texts.
struct Read {
  bool whole = true;
  std::vector<std::string> texts;
  uint32_t runs = 0;
};
Read read(RoomMemory& room, MemoryReader& reader) {
  Read all;
  while (all.whole && reader.read_to < room.end()) {
    MemoryRuns runs;
    all.whole = room.read(reader, runs);
    all.runs += runs.count;
    for (uint32_t i = 0; i < runs.count; i++) {
      const realtime::MemoryRun& run = runs.runs[i];
      uint32_t messages = 0;
      for (size_t at = 0; at < run.size; messages++) {
        const size_t header = proto::frame_header_size_of(run.data + at);
        const size_t size = header == 2 ? run.data[at + 1] & 0x7fu : header == 4 ? size_t{run.data[at + 2]} << 8 | run.data[at + 3] : run.size - at - header;
        all.texts.emplace_back(reinterpret_cast<const char*>(run.data) + at + header, size);
        at += header + size;
      }
      CHECK(messages == run.messages);
      run.block->release();
    }
  }
  return all;
}

}  // namespace

TEST_CASE("room memory: an event tells its room and its offset, a text does not; all have one") {
  TestRoom room;
  REQUIRE(room->ok());
  MemoryReader reader;
  room->add(reader);
  CHECK(room->send({.text = R"({"event":"e","args":[]})", .is_event = true}, 0));
  CHECK(send(*room, "text"));
  CHECK(set(*room, "k\"", "[1]") == Changed::yes);
  CHECK(remove(*room, "k\"") == Changed::yes);
  CHECK(remove(*room, "k\"") == Changed::no_such_key);
  CHECK(room->end() == 4);
  const Read all = read(*room, reader);
  CHECK(all.texts == std::vector<std::string>{R"({"event":"e","args":[],"room":"r","offset":1})", "text",
                                              R"({"event":"room:set","args":["k\"",[1]],"room":"r","offset":3})",
                                              R"({"event":"room:remove","args":["k\""],"room":"r","offset":4})"});
  room->remove(reader);
}

TEST_CASE("room memory: frames that lie together are one run, but not those that leave somebody else out") {
  TestRoom room;
  MemoryReader reader;
  room->add(reader);
  for (int i = 0; i < 5; i++) CHECK(send(*room, "together"));
  CHECK(read(*room, reader).runs == 1);
  const WebSocket out[] = {MessageAccess::socket(0, {1, 1}), MessageAccess::socket(0, {2, 1})};
  for (int i = 0; i < 5; i++) CHECK(send(*room, "left out", 0, {out, 1}));
  for (int i = 0; i < 5; i++) CHECK(send(*room, "left out", 0, out));
  for (int i = 0; i < 5; i++) CHECK(send(*room, "not left out"));
  CHECK(read(*room, reader).runs == 1 + 5 + 1);
  for (int i = 0; i < 100; i++) CHECK(send(*room, std::to_string(i), 0, {&out[i % 2], 1}));
  const Read all = read(*room, reader);
  CHECK(all.runs == 100);  // more than there is place for at once
  CHECK(all.texts.size() == 100);
  CHECK(all.texts[99] == "99");
  room->remove(reader);
}

TEST_CASE("room memory: messages are bounded by number, age and bytes; what a reader or a member wants stays longer") {
  TestRoom room({.age_ms = 100, .bytes = 10'000, .messages = 3});
  for (int i = 0; i < 5; i++) CHECK(send(*room, "x", 0));
  CHECK(room->messages().size() == 3);
  CHECK(room->messages_lost() == 2);
  room->trim(100);
  CHECK(room->messages().size() == 3);
  room->trim(101);
  CHECK(room->messages().empty());
  CHECK(room->messages_lost() == 5);
  CHECK(room->is_empty());

  MemoryReader reader;
  room->add(reader);
  CHECK_FALSE(room->is_empty());
  for (int i = 0; i < 10; i++) CHECK(send(*room, "x", 200));
  CHECK(room->messages().size() == 10);  // not read yet
  CHECK(read(*room, reader).texts.size() == 10);
  reader.needed_from = 8;
  room->trim(200);
  CHECK(room->messages().oldest().offset == 9);
  reader.needed_from = UINT64_MAX;
  room->trim(200);
  CHECK(room->messages().size() == 3);

  for (int i = 0; i < 20; i++) CHECK(send(*room, std::string(2000, 'x'), 200));
  CHECK(room->messages().bytes() <= 10'000);
  const Read lost = read(*room, reader);
  CHECK_FALSE(lost.whole);
  CHECK(lost.texts.empty());
  CHECK(reader.read_to == room->end());
  room->remove(reader);
}

TEST_CASE("room memory: a message larger than the room is told, and not kept") {
  TestRoom room({.bytes = 10'000});
  CHECK(send(*room, std::string(20'000, 'x')));
  CHECK(room->messages().empty());
  MemoryReader reader;
  room->add(reader);
  CHECK(send(*room, std::string(20'000, 'y')));
  CHECK(read(*room, reader).texts.at(0).size() == 20'000);
  CHECK(send(*room, "z"));
  CHECK(room->messages().size() == 1);
  CHECK(read(*room, reader).texts == std::vector<std::string>{"z"});
  room->remove(reader);
}

TEST_CASE("room memory: changes that nobody reads go first, and readers find the newest in the map") {
  TestRoom room({.bytes = 4000});
  MemoryReader reader;
  room->add(reader);
  CHECK(send(*room, "kept"));
  for (int i = 0; i < 1000; i++) CHECK(set(*room, "k", std::to_string(i)) == Changed::yes);
  CHECK(room->messages().size() == 1);
  CHECK(room->bytes() < 6000);
  CHECK_FALSE(read(*room, reader).whole);
  CHECK(room->map().find(KeyKind::state, "k")->value_text() == "999");
  room->remove(reader);
}

TEST_CASE("room memory: keys are bounded, and a removed one makes place") {
  TestRoom room({.keys = 3});
  for (const char* key : {"a", "b", "c"}) CHECK(set(*room, key, "1") == Changed::yes);
  CHECK(set(*room, "d", "1") == Changed::too_many_keys);
  CHECK(set(*room, "a", "2") == Changed::yes);
  CHECK(room->end() == 4);
  CHECK(remove(*room, "b") == Changed::yes);
  CHECK(set(*room, "d", "1") == Changed::yes);
  CHECK(set(*room, "b", "1") == Changed::too_many_keys);
  CHECK(room->map().live() == 3);
}

TEST_CASE("room memory: all rooms together are bounded: new keys and larger values are refused above that, smaller ones are not") {
  const size_t most = realtime::MemoryBudget::most;
  const size_t before = realtime::MemoryBudget::used;
  {
    TestRoom room;
    CHECK(set(*room, "a", std::string(10'000, '1')) == Changed::yes);
    CHECK(send(*room, "text"));
    CHECK(realtime::MemoryBudget::used == before + room->bytes());
    realtime::MemoryBudget::most = before;
    CHECK(set(*room, "b", "1") == Changed::too_many_keys);
    CHECK(set(*room, "a", std::string(20'000, '1')) == Changed::too_many_keys);
    CHECK(set(*room, "a", std::string(10'000, '2')) == Changed::yes);
    CHECK(send(*room, "more"));
    CHECK(room->messages().empty());
    CHECK(remove(*room, "a") == Changed::yes);
    realtime::MemoryBudget::most = most;
    CHECK(set(*room, "b", "1") == Changed::yes);
  }
  CHECK(realtime::MemoryBudget::used == before);
}

TEST_CASE("room memory: without memory nothing of a message or a change has happened") {
  WebSocket several[3];
  for (size_t allowed = 0; allowed < 16; allowed++) {
    CAPTURE(allowed);
    FailingAlloc memory(SIZE_MAX);
    {
      TestRoom room;
      CHECK(set(*room, "old", "1") == Changed::yes);
      MemoryReader reader;
      room->add(reader);
      FailingAlloc::left = allowed;
      uint64_t end = room->end();
      end += send(*room, std::string(1000, 'x'), 0, several);
      CHECK(room->end() == end);
      const size_t live = room->map().live();
      const KeyText told("room:set", "new", "1", false);
      const bool made = told.ok() && room->set(KeyKind::state, "new", told.told(), 0) == Changed::yes;
      CHECK(room->end() == end + made);
      CHECK(room->map().live() == live + made);
      CHECK((room->map().find(KeyKind::state, "new") != nullptr) == made);
      FailingAlloc::left = SIZE_MAX;
      CHECK(send(*room, "after"));
      CHECK(set(*room, "new", "2") == Changed::yes);
      const Read all = read(*room, reader);
      CHECK(all.whole);
      CHECK(all.texts.size() == room->end() - 1);
      room->remove(reader);
    }
    CHECK(FailingAlloc::held == 0);
  }
}

TEST_CASE("room memory: an epoch is 16 letters, and what is none is never a room's") {
  char text[realtime::kEpochLetters];
  for (const uint64_t epoch : {uint64_t{1}, UINT64_MAX, uint64_t{0x0123456789abcdef}}) {
    realtime::write_epoch(text, epoch);
    CHECK(realtime::read_epoch({text, sizeof text}) == epoch);
  }
  for (const std::string& wrong : {std::string(), std::string("0"), std::string(15, '1'), std::string(17, '1'), std::string(16, 'F'),
                                   std::string(16, '\0'), std::string("0123456789abcde\""), std::string(1'000'000, '1'), std::string(16, '0')}) {
    CHECK(realtime::read_epoch(wrong) == 0);
  }
}

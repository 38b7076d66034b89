// src/realtime/catch_up.h: what a member that is behind is told, in steps of any size.
#include "realtime/catch_up.h"

#include <doctest/doctest.h>
#include <martlet/json.h>

#include <memory>
#include <string>
#include <vector>

#include "realtime/key_text.h"

using namespace martlet;
using realtime::CatchUp;
using realtime::CatchUpWish;
using realtime::KeyKind;
using realtime::KeyText;
using realtime::MemoryLimits;
using realtime::RoomMemory;

namespace {

struct Gone {
  void operator()(RoomMemory* room) const { room->release(); }
};
struct TestRoom : std::unique_ptr<RoomMemory, Gone> {
  explicit TestRoom(const MemoryLimits& limits = {}) : std::unique_ptr<RoomMemory, Gone>(new (base::allocate(sizeof(RoomMemory))) RoomMemory("r", limits)) {}
  void send(std::string_view text) { REQUIRE(get()->send({.text = text}, 0)); }
  void set(std::string_view key, std::string_view value, KeyKind kind = KeyKind::state) {
    const KeyText told(kind == KeyKind::state ? "room:set" : "presence:join", key, value, false);
    REQUIRE(get()->set(kind, key, told.told(), 0) == RoomMemory::Changed::yes);
  }
  void remove(std::string_view key) {
    const KeyText told("room:remove", key, {}, false);
    REQUIRE(get()->remove(KeyKind::state, key, told.told(), 0) == RoomMemory::Changed::yes);
  }
  uint64_t end() const { return get()->end(); }
};

std::vector<std::string> texts_of(const std::vector<uint8_t>& bytes, size_t size) {
  std::vector<std::string> texts;
  for (size_t at = 0; at < size;) {
    const size_t header = proto::frame_header_size_of(bytes.data() + at);
    size_t length = header == 2 ? bytes[at + 1] & 0x7fu : 0;
    for (size_t i = 2; header > 2 && i < header; i++) length = length << 8 | bytes[at + i];
    texts.emplace_back(reinterpret_cast<const char*>(bytes.data()) + at + header, length);
    at += header + length;
  }
  return texts;
}

// One step, as MemoryPart does it: a frame that has no place in it alone gets a place of its own.
bool step(CatchUp& catch_up, TestRoom& room, size_t size, std::vector<std::string>& texts, const WebSocket& member = {}) {
  std::vector<uint8_t> bytes(size);
  CatchUp::Written written = catch_up.write(*room, room.end(), member, bytes.data(), bytes.size());
  if (written.shared.block) {
    CHECK(written.bytes == 0);
    CHECK(written.wanted == 0);
    bytes.assign(written.shared.data, written.shared.data + written.shared.size);
    written.bytes = bytes.size();
    written.shared.block->release();
  }
  if (written.wanted) {
    CHECK(written.bytes == 0);
    CHECK(written.wanted > size);
    bytes.resize(written.wanted);
    written = catch_up.write(*room, room.end(), member, bytes.data(), bytes.size());
    CHECK(written.bytes == bytes.size());
  }
  const auto now = texts_of(bytes, written.bytes);
  CHECK(now.size() == written.frames);
  texts.insert(texts.end(), now.begin(), now.end());
  return !written.done;
}
std::vector<std::string> all_of(CatchUp catch_up, TestRoom& room, size_t size = 1 << 16, const WebSocket& member = {}) {
  std::vector<std::string> texts;
  for (int i = 0; i < 10'000 && step(catch_up, room, size, texts, member); i++) {
  }
  return texts;
}
std::string epoch_of(TestRoom& room) {
  std::string text(realtime::kEpochLetters, '0');
  realtime::write_epoch(text.data(), room->epoch());
  return text;
}
std::string position(TestRoom& room, std::string_view name, std::string_view what, uint64_t offset) {
  return R"({"event":"room:)" + std::string(name) + R"(","args":[{)" + std::string(what) + R"(}],"room":"r","offset":)" + std::to_string(offset) +
         R"(,"epoch":")" + epoch_of(room) + "\"}";
}
std::string told(std::string_view key, std::string_view value, uint64_t offset) {
  return R"({"event":"room:set","args":[")" + std::string(key) + "\"," + std::string(value) + R"(],"room":"r","offset":)" + std::to_string(offset) + "}";
}
CatchUpWish since(TestRoom& room, uint64_t offset) { return {.since = offset, .epoch = room->epoch(), .positions = true}; }

}  // namespace

TEST_CASE("catch up: one who is new gets the keys, the last messages that it asked for, and its position") {
  TestRoom room;
  room.set("a", "1");
  room.send("one");
  room.send("two");
  room.set("b", "2");
  const auto texts = all_of(CatchUp(*room, room.end(), {.last = 1, .positions = true}), room);
  CHECK(texts == std::vector<std::string>{R"({"event":"room:state","args":[{"a":1,"b":2},{"page":0,"more":false}],"room":"r","offset":4})", "two",
                                          position(room, "joined", R"("recovered":false)", 4)});
  CHECK(all_of(CatchUp(*room, room.end(), {.last = 9}), room).size() == 3);
  CHECK(all_of(CatchUp(*room, room.end(), {}), room).size() == 1);
  TestRoom bare;
  CHECK(all_of(CatchUp(*bare, 0, {.last = 5, .positions = true}), bare) == std::vector<std::string>{position(bare, "joined", R"("recovered":false)", 0)});
}

TEST_CASE("catch up: one who comes back gets what it missed in order, of each key the newest, in steps of any size") {
  for (const size_t size : {size_t{1}, size_t{60}, size_t{150}, size_t{1} << 16}) {
    CAPTURE(size);
    TestRoom room;
    room.send("known");
    room.set("a", "1");
    room.send("one");
    room.set("b", "1");
    room.set("a", "2");
    room.set("gone", "1");
    room.remove("gone");
    room.send("two");
    room.set("b", "2");
    const std::vector<std::string> wanted{"one", told("a", "2", 5), R"({"event":"room:remove","args":["gone"],"room":"r","offset":7})", "two",
                                          told("b", "2", 9), position(room, "joined", R"("recovered":true)", 9)};
    CHECK(all_of(CatchUp(*room, room.end(), since(room, 1)), room, size) == wanted);
    CHECK(all_of(CatchUp(*room, room.end(), since(room, 9)), room, size) == std::vector<std::string>{wanted.back()});
  }
}

TEST_CASE("catch up: the reasons of a gap, which is said behind the keys") {
  TestRoom room({.messages = 2});
  for (const char* text : {"one", "two", "three"}) room.send(text);
  room.set("a", "1");
  const std::string state = R"({"event":"room:state","args":[{"a":1},{"page":0,"more":false}],"room":"r","offset":4})";
  const auto gap = [&](const CatchUpWish& wish, std::string_view reason) {
    CHECK(all_of(CatchUp(*room, room.end(), wish), room) ==
          std::vector<std::string>{state, position(room, "gap", R"("reason":")" + std::string(reason) + "\"", 4)});
  };
  gap({.since = 4, .epoch = room->epoch() ^ 1, .positions = true}, "epoch");
  gap({.since = 4}, "epoch");
  gap(since(room, 5), "future");
  gap(since(room, UINT64_MAX), "future");
  gap(since(room, uint64_t{1} << 53), "future");
  gap(since(room, 0), "trimmed");
  CHECK(all_of(CatchUp(*room, room.end(), since(room, 1)), room).front() == "two");
}

TEST_CASE("catch up: behind a gap come the last messages that it asked for, and then its position; with that of the gap it comes back for them") {
  for (const size_t size : {size_t{1}, size_t{60}, size_t{1} << 16}) {
    CAPTURE(size);
    TestRoom room({.messages = 3});
    for (const char* text : {"one", "two", "three"}) room.send(text);
    room.set("a", "1");
    room.send("four");
    room.set("a", "2");
    const std::string state = R"({"event":"room:state","args":[{"a":2},{"page":0,"more":false}],"room":"r","offset":6})";
    const std::string joined = position(room, "joined", R"("recovered":false)", 6);
    const auto texts = [&](uint32_t last, bool positions) {
      return all_of(CatchUp(*room, room.end(), {.since = 0, .epoch = room->epoch(), .last = last, .positions = positions}), room, size);
    };
    const auto gap = [&](uint64_t offset) { return position(room, "gap", R"("reason":"trimmed")", offset); };
    CHECK(texts(2, true) == std::vector<std::string>{state, gap(2), "three", "four", joined});
    CHECK(texts(1, false) == std::vector<std::string>{state, gap(4), "four"});
    CHECK(texts(9, true) == std::vector<std::string>{state, gap(1), "two", "three", "four", joined});
    CHECK(texts(0, true) == std::vector<std::string>{state, gap(6)});
    CHECK(all_of(CatchUp(*room, room.end(), since(room, 2)), room, size) ==
          std::vector<std::string>{"three", "four", told("a", "2", 6), position(room, "joined", R"("recovered":true)", 6)});
    CHECK(all_of(CatchUp(*room, room.end(), {.since = 5, .epoch = room->epoch(), .last = 9}), room, size) == std::vector<std::string>{told("a", "2", 6)});
  }
}

TEST_CASE("catch up: what goes while a member is behind is a gap; with the position that is said it has missed nothing else") {
  TestRoom room({.messages = 5});
  room.set("a", "1");
  CatchUp behind(room.end());
  for (int i = 0; i < 10; i++) room.send("text");
  room.set("b", "2");
  room.send("text");
  std::vector<std::string> texts;
  CHECK_FALSE(step(behind, room, 1 << 16, texts));
  CHECK(texts == std::vector<std::string>{R"({"event":"room:state","args":[{"a":1,"b":2},{"page":0,"more":false}],"room":"r","offset":13})",
                                          position(room, "gap", R"("reason":"behind")", 13)});
  room.set("a", "2");
  texts.clear();
  CHECK_FALSE(step(behind, room, 1 << 16, texts));
  CHECK(texts == std::vector<std::string>{told("a", "2", 14)});
}

TEST_CASE("catch up: what is gone that its worker has not read is read first") {
  TestRoom room({.messages = 1});
  room.set("a", "1");
  const uint64_t read_to = room.end();
  CatchUp behind(read_to);
  for (int i = 0; i < 3; i++) room.send("text");
  std::vector<uint8_t> bytes(1000);
  const CatchUp::Written written = behind.write(*room, read_to, {}, bytes.data(), bytes.size());
  CHECK(written.bytes == 0);
  CHECK_FALSE(written.done);
  CHECK_FALSE(written.wanted);
}

TEST_CASE("catch up: keys come in pages, and those that change between two of them come behind; none is missed, none is twice") {
  TestRoom room;
  for (int i = 0; i < 3000; i++) room.set("key" + std::to_string(i), "\"" + std::string(20, 'v') + "\"");
  CatchUp catch_up(*room, room.end(), {.positions = true});
  std::vector<std::string> texts;
  Json mirror;
  int pages = 0;
  bool more = true;
  for (int i = 0; more; i++) {
    more = step(catch_up, room, 20'000, texts);
    if (i < 3) {
      room.set("key" + std::to_string(i), "1");
      room.set("key" + std::to_string(2999 - i), "2");
      room.remove("key" + std::to_string(1500 + i));
      room.set("new" + std::to_string(i), "3");
    }
  }
  step(catch_up, room, 20'000, texts);
  for (const std::string& text : texts) {
    const auto event = Json::parse(text);
    REQUIRE(event);
    const Json& args = (*event)["args"];
    if ((*event)["event"] == "room:state") {
      CHECK(args[1]["page"] == pages++);
      if (args[1]["page"] == 0) mirror = Json::object();
      for (const auto& [key, value] : args[0].members()) mirror[key] = value;
    }
    if ((*event)["event"] == "room:set") mirror[args[0].text_or("")] = args[1];
    if ((*event)["event"] == "room:remove") mirror.erase(args[0].text_or(""));
  }
  CHECK(pages > 5);
  CHECK(mirror.size() == room->map().live());
  CHECK(mirror["key0"] == 1);
  CHECK(mirror["key2999"] == 2);
  CHECK_FALSE(mirror.contains("key1500"));
  CHECK(mirror["new2"] == 3);
}

namespace {

// Where the pages of one who is new lie, but the last one, which is its own.
std::vector<base::Block*> pages_of(TestRoom& room, std::vector<std::string>& texts) {
  std::vector<base::Block*> pages;
  CatchUp catch_up(*room, room.end(), {});
  std::vector<uint8_t> bytes(1 << 16);
  for (bool done = false; !done;) {
    const CatchUp::Written written = catch_up.write(*room, room.end(), WebSocket(), bytes.data(), bytes.size());
    REQUIRE(written.wanted == 0);
    done = written.done;
    if (base::Block* page = written.shared.block) {
      const auto text = texts_of({written.shared.data, written.shared.data + written.shared.size}, written.shared.size);
      texts.insert(texts.end(), text.begin(), text.end());
      pages.push_back(page);
      page->release();  // the room has it
    } else {
      const auto text = texts_of(bytes, written.bytes);
      texts.insert(texts.end(), text.begin(), text.end());
    }
  }
  return pages;
}
Json state_of(const std::vector<std::string>& texts) {
  Json mirror = Json::object();
  uint64_t last = 0;
  for (size_t page = 0; page < texts.size(); page++) {
    const auto event = Json::parse(texts[page]);
    REQUIRE(event);
    const Json& args = (*event)["args"];
    CHECK(args[1]["page"] == page);
    CHECK(args[1]["more"] == (page + 1 < texts.size()));
    const auto offset = static_cast<uint64_t>((*event)["offset"].int_or(0));
    CHECK(offset > last);
    last = offset;
    for (const auto& [key, value] : args[0].members()) {
      CHECK_FALSE(mirror.contains(key));
      mirror[key] = value;
    }
  }
  return mirror;
}

}  // namespace

TEST_CASE("catch up: pages are written once for all who are new, and again when a key on them has changed or gone") {
  TestRoom room;
  for (int i = 0; i < 3000; i++) room.set("key" + std::to_string(i), "\"" + std::string(20, 'v') + "\"");
  std::vector<std::string> texts;
  const size_t before = room->bytes();
  const auto first = pages_of(room, texts);
  CHECK(first.size() >= 5);
  CHECK(state_of(texts).size() == 3000);
  CHECK(room->bytes() > before + texts.size() / 2 * 16'000);
  room.set("new", "1");
  room.remove("key0");
  room.set("key1000", "2");
  texts.clear();
  const auto second = pages_of(room, texts);
  const Json state = state_of(texts);
  CHECK(state.size() == 3000);
  CHECK(state["key1000"] == 2);
  CHECK_FALSE(state.contains("key0"));
  REQUIRE(second.size() == first.size());
  size_t others = 0;
  for (size_t i = 0; i < first.size(); i++) others += first[i] != second[i];
  CHECK(others <= 2);  // one that is written again may lie where it was
  // They are what the budget has first to give, and nobody's after a while.
  room->tidy(1'000);
  room->tidy(30'000);
  CHECK(room->bytes() > before + 16'000);
  room->tidy(100'000);
  CHECK(room->bytes() < before + 16'000);
}

TEST_CASE("catch up: keys that come and go for long, and who comes meanwhile knows all that are there") {
  TestRoom room({.keys = 100'000});
  std::vector<std::string> texts;
  for (int i = 0; i < 20'000; i++) {
    room.set("key" + std::to_string(i), "\"" + std::string(20, 'v') + "\"");
    if (i >= 2000 && i % 10) room.remove("key" + std::to_string(i - 2000));
    if (i % 1000 != 999) continue;
    texts.clear();
    pages_of(room, texts);
    const Json state = state_of(texts);
    CHECK(state.size() == room->map().live());
    CHECK(texts.size() < 40 + state.size() / 50);
  }
}

TEST_CASE("catch up: a value larger than a page and a step comes alone, as does a message") {
  TestRoom room;
  const std::string large = "\"" + std::string(200'000, 'v') + "\"";
  room.set("a", "1");
  room.set("large", large);
  room.set("b", "2");
  room.send(std::string(100'000, 'm'));
  const auto texts = all_of(CatchUp(*room, room.end(), {.last = 1}), room, 1000);
  REQUIRE(texts.size() == 3);
  CHECK(texts[0].ends_with(R"({"page":0,"more":true}],"room":"r","offset":2})"));
  CHECK(texts[0].size() > 200'000);
  CHECK(texts[1] == R"({"event":"room:state","args":[{"b":2},{"page":1,"more":false}],"room":"r","offset":4})");
  CHECK(texts[2].size() == 100'000);
}

TEST_CASE("catch up: keys of presence follow those of the program in pages of their own") {
  TestRoom room;
  room.set("who", "1", KeyKind::presence);
  CHECK(all_of(CatchUp(*room, room.end(), {}), room) ==
        std::vector<std::string>{R"({"event":"presence:state","args":[{"who":1},{"page":0,"more":false}],"room":"r","offset":1})"});
  room.set("a", "2");
  CHECK(all_of(CatchUp(*room, room.end(), {}), room) ==
        std::vector<std::string>{R"({"event":"room:state","args":[{"a":2},{"page":0,"more":false}],"room":"r","offset":2})",
                                 R"({"event":"presence:state","args":[{"who":1},{"page":0,"more":false}],"room":"r","offset":2})"});
}

TEST_CASE("catch up: when removals are forgotten, one who knew their keys is told all keys again, and what it missed") {
  TestRoom room;
  for (int i = 0; i < 100; i++) room.set(std::to_string(i), "1");
  const uint64_t known = room.end();
  for (int i = 0; i < 99; i++) room.remove(std::to_string(i));
  room.send("text");
  CHECK(room->map().forgotten() > known);
  const auto texts = all_of(CatchUp(*room, room.end(), since(room, known)), room);
  CHECK(texts == std::vector<std::string>{R"({"event":"room:state","args":[{"99":1},{"page":0,"more":false}],"room":"r","offset":200})", "text",
                                          position(room, "joined", R"("recovered":true)", 200)});
  CHECK(all_of(CatchUp(known), room).size() == 2);
}

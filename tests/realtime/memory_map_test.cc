// src/realtime/memory_map.h: keys in the order of their changes, against a map.
#include "realtime/memory_map.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;
using martlet::test::FailingAlloc;
using realtime::KeyKind;
using realtime::MemoryEntry;
using realtime::MemoryMap;

namespace {

// The frame is the key, a comma and the value.
bool change(MemoryMap& map, KeyKind kind, const std::string& key, const std::string& value, uint64_t offset, bool gone = false) {
  const std::string frame = key + "," + value;
  MemoryEntry* entry = map.find_or_make(kind, key);
  if (!entry) return false;
  if (!map.make_room(*entry, frame.size())) {
    if (!entry->offset) map.forget(*entry);
    return false;
  }
  map.change(*entry, {offset, reinterpret_cast<const uint8_t*>(frame.data()), static_cast<uint32_t>(frame.size()), 0,
                      static_cast<uint32_t>(key.size() + 1), static_cast<uint32_t>(value.size()), gone});
  return true;
}

std::vector<std::string> keys_after(const MemoryMap& map, uint64_t offset, KeyKind kind = KeyKind::state) {
  std::vector<std::string> keys;
  uint64_t last = offset;
  for (const MemoryEntry* e = map.live_list(kind).first_after(offset); e; e = e->newer) {
    CHECK(e->offset > last);
    CHECK_FALSE(e->gone);
    last = e->offset;
    keys.emplace_back(e->key());
  }
  return keys;
}

}  // namespace

TEST_CASE("memory map: it knows the newest of each key, in the order of changes") {
  std::mt19937 random(11);
  MemoryMap map;
  std::map<std::string, std::pair<uint64_t, std::string>> model;
  for (uint64_t offset = 1; offset < 5000; offset++) {
    const std::string key = "k" + std::to_string(random() % 300);
    const bool gone = model.contains(key) && random() % 3 == 0;
    const std::string value(random() % 100 == 0 ? random() % 5000 : random() % 20, 'v');
    REQUIRE(change(map, KeyKind::state, key, value, offset, gone));
    gone ? void(model.erase(key)) : void(model[key] = {offset, value});
    REQUIRE(map.live() == model.size());
    MemoryEntry* entry = map.find(KeyKind::state, key);
    REQUIRE(entry);
    CHECK(entry->gone == gone);
    CHECK(entry->key_text() == key);
    CHECK(entry->value_text() == value);
  }
  const uint64_t middle = 4900;
  std::map<uint64_t, std::string> by_offset;
  for (const auto& [key, at] : model) by_offset[at.first] = key;
  std::vector<std::string> wanted;
  for (const auto& [offset, key] : by_offset) {
    if (offset > middle) wanted.push_back(key);
  }
  CHECK(keys_after(map, middle) == wanted);
  CHECK(keys_after(map, 0).size() == model.size());
  CHECK(keys_after(map, 5000).empty());
  CHECK(map.live(KeyKind::state) == map.live());
  CHECK(map.live(KeyKind::presence) == 0);
}

TEST_CASE("memory map: two kinds of keys do not meet") {
  MemoryMap map;
  CHECK_FALSE(map.knows(KeyKind::state));
  CHECK(change(map, KeyKind::state, "a", "1", 1));
  CHECK(change(map, KeyKind::presence, "a", "2", 2));
  CHECK(map.knows(KeyKind::presence));
  CHECK(map.find(KeyKind::state, "a")->value_text() == "1");
  CHECK(map.find(KeyKind::presence, "a")->value_text() == "2");
  CHECK(change(map, KeyKind::state, "a", "", 3, true));
  CHECK(map.live() == 1);
  CHECK(map.live(KeyKind::presence) == 1);
}

TEST_CASE("memory map: where in the order of changes somebody stands is found, whatever has changed since") {
  std::mt19937 random(12);
  MemoryMap map;
  const realtime::ChangeList& keys = map.live_list(KeyKind::state);
  std::map<std::string, uint64_t> offsets;
  uint64_t offset = 0;
  const auto check = [&] {
    std::map<uint64_t, std::string> by_offset;
    for (const auto& [key, at] : offsets) by_offset[at] = key;
    for (int i = 0; i < 50; i++) {
      const uint64_t at = random() % (offset + 2);
      const auto wanted = by_offset.upper_bound(at);
      const MemoryEntry* found = keys.first_after(at);
      REQUIRE((found != nullptr) == (wanted != by_offset.end()));
      if (found) REQUIRE(found->key() == wanted->second);
    }
    uint64_t begin = 0;
    for (uint32_t i = 0; i < keys.full(); i++) {
      REQUIRE(keys.stretch(i).after == begin);
      begin = keys.end_of(i);
      REQUIRE(begin > keys.stretch(i).after);
      size_t bytes = 0;
      for (const MemoryEntry* e = keys.stretch(i).first; e && e->offset <= begin; e = e->newer) bytes += e->key_text().size() + e->value_text().size() + 2;
      REQUIRE(bytes == keys.stretch(i).bytes);
    }
  };
  for (int i = 0; i < 30'000; i++) {
    const std::string key = "k" + std::to_string(random() % (i < 20'000 ? 2000 : 200));
    const bool gone = i >= 20'000 && offsets.contains(key) && random() % 2 == 0;
    REQUIRE(change(map, KeyKind::state, key, std::string(random() % 100, 'v'), ++offset, gone));
    gone ? void(offsets.erase(key)) : void(offsets[key] = offset);
    if (i % 500 == 0) check();
  }
  CHECK(keys.full() > 4);
  std::vector<std::string> left;
  for (const auto& entry : offsets) left.push_back(entry.first);
  for (const std::string& key : left) REQUIRE(change(map, KeyKind::state, key, "", ++offset, true));
  map.keep_removals(0);
  CHECK(keys.full() == 0);
  CHECK(map.bytes() == 0);
}

TEST_CASE("memory map: of removals the oldest are forgotten, and it says up to where") {
  MemoryMap map;
  uint64_t offset = 0;
  for (int i = 0; i < 10; i++) CHECK(change(map, KeyKind::state, std::to_string(i), "v", ++offset));
  for (int i = 0; i < 10; i++) CHECK(change(map, KeyKind::state, std::to_string(i), "", ++offset, true));
  map.keep_removals(10);
  CHECK(map.forgotten() == 0);
  map.keep_removals(4);
  CHECK(map.forgotten() == 16);
  CHECK(map.find(KeyKind::state, "5") == nullptr);
  CHECK(map.find(KeyKind::state, "6") != nullptr);
  // One that comes again is not among them.
  CHECK(change(map, KeyKind::state, "6", "again", ++offset));
  map.keep_removals(0);
  CHECK(map.forgotten() == 20);
  CHECK(map.live() == 1);
  CHECK(map.gone_list().first_after(0) == nullptr);
  CHECK(map.knows(KeyKind::state));
}

TEST_CASE("memory map: a value that was large once does not keep its place when it is small, or removed") {
  MemoryMap map;
  CHECK(change(map, KeyKind::state, "k", std::string(1'000'000, 'v'), 1));
  CHECK(map.bytes() > 1'000'000);
  CHECK(change(map, KeyKind::state, "k", "small", 2));
  CHECK(map.bytes() < 2000);
  CHECK(change(map, KeyKind::state, "k", std::string(1'000'000, 'v'), 3));
  CHECK(change(map, KeyKind::state, "k", "", 4, true));
  CHECK(map.bytes() < 2000);
  map.keep_removals(0);
  CHECK(map.bytes() == 0);
  // Without memory for a smaller place it keeps the larger one.
  CHECK(change(map, KeyKind::state, "k", std::string(10'000, 'v'), 5));
  FailingAlloc memory(0);
  CHECK(change(map, KeyKind::state, "k", "small", 6));
  CHECK(map.find(KeyKind::state, "k")->value_text() == "small");
  FailingAlloc::held = 0;
}

TEST_CASE("memory map: without memory a change does not happen, and what was there stays") {
  for (size_t allowed = 0; allowed < 10; allowed++) {
    CAPTURE(allowed);
    FailingAlloc memory(SIZE_MAX);
    {
      MemoryMap map;
      CHECK(change(map, KeyKind::state, "old", "1", 1));
      FailingAlloc::left = allowed;
      const bool made = change(map, KeyKind::state, "new", "1", 2);
      const bool grown = change(map, KeyKind::state, "old", std::string(1000, 'v'), 3);
      FailingAlloc::left = SIZE_MAX;
      CHECK((map.find(KeyKind::state, "new") != nullptr) == made);
      CHECK(map.live() == (made ? 2 : 1));
      CHECK(map.find(KeyKind::state, "old")->value_text() == (grown ? std::string(1000, 'v') : "1"));
      CHECK(change(map, KeyKind::state, "new", "2", 4));
    }
    CHECK(FailingAlloc::held == 0);
  }
}

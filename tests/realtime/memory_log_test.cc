// src/realtime/memory_log.h: frames with offsets in chunks, against a deque.
#include "realtime/memory_log.h"

#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>

#include "support/failing_alloc.h"

using namespace martlet;
using martlet::test::FailingAlloc;
using realtime::MemoryLog;
using realtime::MemoryRecord;

namespace {

bool add(MemoryLog& log, uint64_t offset, const std::string& bytes) {
  uint8_t* to = log.room_for(bytes.size());
  if (!to) return false;
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  MemoryRecord record;
  record.offset = offset;
  record.size = static_cast<uint32_t>(bytes.size());
  log.append(record);
  return true;
}
std::string text_of(const MemoryRecord& record) { return {reinterpret_cast<const char*>(record.data), record.size}; }

}  // namespace

TEST_CASE("memory log: what was put in comes out in order, however large, while the oldest go") {
  std::mt19937 random(7);
  MemoryLog log;
  std::deque<std::pair<uint64_t, std::string>> model;
  uint64_t offset = 0;
  for (int i = 0; i < 5000; i++) {
    if (random() % 3 || model.empty()) {
      offset += 1 + random() % 3;
      const size_t size = random() % 50 == 0 ? random() % 200'000 : random() % 200;
      model.emplace_back(offset, std::string(size, static_cast<char>('a' + offset % 26)));
      REQUIRE(add(log, offset, model.back().second));
    } else {
      log.drop_oldest();
      model.pop_front();
    }
    REQUIRE(log.size() == model.size());
    if (model.empty()) continue;
    CHECK(log.oldest().offset == model.front().first);
    CHECK(text_of(log.newest()) == model.back().second);
    const size_t at = random() % model.size();
    CHECK(text_of(log.at(static_cast<uint32_t>(at))) == model[at].second);
    CHECK(log.first_after(model[at].first) == at + 1);
    CHECK(log.first_after(model[at].first - 1) == at);
  }
  CHECK(log.first_after(0) == 0);
  CHECK(log.first_after(UINT64_MAX) == log.size());
  while (!log.empty()) log.drop_oldest();
  CHECK(log.bytes() == 0);
  CHECK(log.first_after(0) == 0);
}

TEST_CASE("memory log: frames that were added one after the other lie so, for one write of them all") {
  MemoryLog log;
  for (uint64_t i = 1; i <= 8; i++) CHECK(add(log, i, std::string(10, 'x')));
  for (uint32_t i = 1; i < 8; i++) CHECK(log.at(i).data == log.at(i - 1).data + 10);
}

TEST_CASE("memory log: one that holds little owns little, however much went through it, and an empty one hardly anything") {
  FailingAlloc memory;
  MemoryLog log;
  for (uint64_t i = 1; i <= 5000; i++) {
    CHECK(add(log, i, std::string(100, 'x')));
    if (i > 1) log.drop_oldest();
  }
  CHECK(FailingAlloc::largest < 1024);
  CHECK(log.spare() < 1024);
  for (uint64_t i = 5001; i < 6000; i++) CHECK(add(log, i, std::string(100, 'x')));
  while (!log.empty()) log.drop_oldest();
  CHECK(log.spare() <= 4096);
  CHECK(add(log, 6000, "again"));
  while (!log.empty()) log.drop_oldest();
}

TEST_CASE("memory log: those that a message leaves out are counted, as its bytes are") {
  MemoryLog log;
  REQUIRE(log.room_for(5));
  MemoryRecord record;
  record.size = 5;
  record.except_count = 100;
  record.more = static_cast<WebSocket*>(base::allocate(100 * sizeof(WebSocket)));
  log.append(record);
  CHECK(log.bytes() == sizeof(MemoryRecord) + 5 + 100 * sizeof(WebSocket));
  log.drop_oldest();
  CHECK(log.bytes() == 0);
}

TEST_CASE("memory log: without memory nothing is added, and nothing of it is lost") {
  for (size_t allowed = 0; allowed < 12; allowed++) {
    FailingAlloc memory(allowed);
    {
      MemoryLog log;
      uint64_t kept = 0;
      for (uint64_t i = 1; i <= 100; i++) {
        if (!add(log, i, std::string(100, 'x'))) break;
        kept = i;
      }
      CHECK(log.size() == kept);
      for (uint32_t i = 0; i < kept; i++) CHECK(log.at(i).offset == i + 1);
      FailingAlloc::left = SIZE_MAX;
      CHECK(add(log, kept + 1, "more"));
      CHECK(text_of(log.newest()) == "more");
    }
    CHECK(FailingAlloc::held == 0);
  }
}

// src/app/publish.h: the log of what was published in a turn and the ranges of an audience. Delivery is tested over
// sockets in integration/rooms_test.cc.
#include "app/publish.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;
using app::AudienceLog;
using app::PublishedRange;
using app::PublishLog;
using martlet::test::FailingAlloc;
using proto::Opcode;

namespace {

bool append(PublishLog& log, base::BlockPool& pool, const std::string& text, PublishedRange& range) {
  return log.append(pool, Opcode::text, text.data(), text.size(), range);
}

// The payload of the frame that a range begins with.
std::string text_at(const PublishLog& log, const PublishedRange& range, size_t size) {
  const uint8_t* frame = log.data_of(range, range.begin);
  CHECK(frame[0] == 0x81);
  return std::string(reinterpret_cast<const char*>(frame) + proto::frame_header_size(size), size);
}

}  // namespace

TEST_CASE("publish: messages of one turn lie one behind the other, and the next turn goes on in the same block") {
  base::BlockPool pool;
  PublishLog log;
  CHECK(log.empty());
  PublishedRange first;
  PublishedRange second;
  REQUIRE(append(log, pool, "one", first));
  REQUIRE(append(log, pool, "two!", second));
  CHECK(first.end == second.begin);
  CHECK(first.block == second.block);
  CHECK(first.end - first.begin == 5);
  CHECK(log.data_of(first, first.end) == log.data_of(second, second.begin));
  CHECK(text_at(log, first, 3) == "one");
  CHECK(text_at(log, second, 4) == "two!");
  CHECK(log.begin() == first.begin);
  CHECK(log.end() == second.end);
  const base::Block* block = log.block_of(first);
  log.end_turn();
  CHECK(log.empty());
  PublishedRange third;
  REQUIRE(append(log, pool, "three", third));
  CHECK(third.begin >= second.end);
  CHECK(log.begin() == third.begin);
  CHECK(log.block_of(third) == block);
  CHECK(text_at(log, third, 5) == "three");
}

TEST_CASE("publish: ranges that touch become one, ranges of two blocks never do") {
  base::BlockPool pool;
  PublishLog log;
  AudienceLog a;
  AudienceLog b;
  PublishedRange range;
  for (int i = 0; i < 10; i++) {
    REQUIRE(append(log, pool, "to a", range));
    REQUIRE(a.add(range));
  }
  CHECK(a.ranges().size() == 1);
  CHECK(a.ranges()[0].messages == 10);
  REQUIRE(append(log, pool, "to b", range));
  REQUIRE(b.add(range));
  REQUIRE(append(log, pool, "to a again", range));
  REQUIRE(a.add(range));
  CHECK(a.ranges().size() == 2);
  const std::string large(60'000, 'x');
  for (int i = 0; i < 5; i++) {
    REQUIRE(append(log, pool, large, range));
    REQUIRE(a.add(range));
  }
  CHECK(a.ranges().size() == 6);  // the first of them still fitted in
  uint64_t position = 0;
  for (const PublishedRange& r : a.ranges()) {
    CHECK(r.begin >= position);
    position = r.end;
  }
  a.clear();
  CHECK(a.empty());
}

TEST_CASE("publish: messages of any size over many turns keep their bytes, and positions never go back") {
  std::mt19937 random(1);
  base::BlockPool pool;
  PublishLog log;
  uint64_t last_end = 0;
  for (int turn = 0; turn < 200; turn++) {
    std::vector<std::pair<PublishedRange, std::string>> messages;
    for (uint32_t n = random() % 30; n > 0; n--) {
      const size_t size = random() % 20 == 0 ? random() % 300'000 : random() % 2000;
      const std::string text(size, static_cast<char>('a' + random() % 26));
      PublishedRange range;
      REQUIRE(append(log, pool, text, range));
      REQUIRE(range.begin >= last_end);
      REQUIRE(range.end - range.begin == text.size() + proto::frame_header_size(text.size()));
      last_end = range.end;
      messages.emplace_back(range, text);
    }
    for (const auto& [range, text] : messages) REQUIRE(text_at(log, range, text.size()) == text);
    log.end_turn();
  }
}

TEST_CASE("publish: out of memory is an answer, and the log goes on when there is some again") {
  for (size_t allowed = 0; allowed < 12; allowed++) {
    FailingAlloc memory(allowed);
    {
      base::BlockPool pool;
      base::BlockPool::set_current(&pool);
      PublishLog log;
      AudienceLog audience;
      const std::string text(40'000, 'x');
      PublishedRange range;
      for (int i = 0; i < 10; i++) {
        const uint64_t end = log.end();
        if (append(log, pool, text, range)) {
          REQUIRE(text_at(log, range, text.size()) == text);
          (void)audience.add(range);
        } else {
          CHECK(log.end() == end);
        }
      }
      FailingAlloc::left = SIZE_MAX;
      REQUIRE(append(log, pool, text, range));
      REQUIRE(audience.add(range));
      CHECK(text_at(log, range, text.size()) == text);
    }
    base::BlockPool::set_current(nullptr);
    CHECK(FailingAlloc::held == 0);
  }
}

// src/realtime/publish.h: the log of what was published in a turn and the ranges of an audience. Delivery is tested over
// sockets in integration/rooms_test.cc.
#include "realtime/publish.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "support/failing_alloc.h"

using namespace martlet;
using realtime::AudienceLog;
using realtime::PublishedRange;
using realtime::PublishLog;
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

TEST_CASE("publish: the block of a large message is not kept when its turn is over, whatever comes next") {
  base::BlockPool pool;
  base::BlockPool::set_current(&pool);
  {
    PublishLog log;
    PublishedRange range;
    REQUIRE(append(log, pool, std::string(4'000'000, 'x'), range));
    CHECK(pool.kept_bytes() == 0);
    log.end_turn();
    CHECK(pool.kept_bytes() >= 4'000'000);
    REQUIRE(append(log, pool, "small", range));
    CHECK(text_at(log, range, 5) == "small");
    CHECK(log.block_of(range)->capacity < 100'000);
  }
  base::BlockPool::set_current(nullptr);
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

// Frames that came from another worker ---------------------------------------------------------------------------------

namespace {

// A block with one frame of this payload at its beginning; `size` is the frame's.
base::Block* foreign(const std::string& text, size_t& size) {
  size = proto::frame_header_size(text.size()) + text.size();
  base::Block* block = base::Block::make(size);
  proto::encode_frame_header(block->data(), Opcode::text, text.size());
  std::copy(text.begin(), text.end(), block->data() + size - text.size());
  return block;
}

// A text whose frame has this many bytes.
std::string framed(size_t frame_bytes, char letter) {
  const size_t header = frame_bytes < 2 + 126 ? 2 : frame_bytes < 4 + 65536 ? 4 : 10;
  return std::string(frame_bytes - header, letter);
}

}  // namespace

TEST_CASE("publish: frames of others are copied when they are few, else their block is retained until the turn ends") {
  constexpr size_t kCopied = size_t{16} << 10;
  base::BlockPool pool;
  PublishLog log;
  PublishedRange own;
  REQUIRE(append(log, pool, "own", own));
  size_t size = 0;
  base::Block* small = foreign(framed(kCopied, 's'), size);
  REQUIRE(size == kCopied);
  PublishedRange copied;
  REQUIRE(log.append_frames(pool, small, small->data(), size, 5, copied));
  CHECK(small->references == 1);
  CHECK(log.block_of(copied) == log.block_of(own));
  CHECK(copied.begin == own.end);  // it leaves with what lies before it in one piece
  CHECK(copied.messages == 5);
  small->release();
  CHECK(text_at(log, copied, framed(kCopied, 's').size()) == framed(kCopied, 's'));

  base::Block* large = foreign(framed(kCopied + 1, 'l'), size);
  REQUIRE(size == kCopied + 1);
  PublishedRange retained;
  REQUIRE(log.append_frames(pool, large, large->data(), size, 1, retained));
  CHECK(large->references == 2);
  CHECK(log.block_of(retained) == large);
  CHECK(log.data_of(retained, retained.begin) == large->data());
  CHECK(retained.begin > copied.end);  // never taken for a neighbour
  CHECK(retained.end - retained.begin == size);

  // Behind a block that is not ours nothing is appended to it.
  PublishedRange after;
  REQUIRE(append(log, pool, "after", after));
  CHECK(log.block_of(after) != large);
  CHECK(log.block_of(after) != log.block_of(own));
  CHECK(after.begin > retained.end);
  CHECK(text_at(log, after, 5) == "after");
  CHECK(text_at(log, retained, framed(kCopied + 1, 'l').size()) == framed(kCopied + 1, 'l'));
  CHECK(text_at(log, own, 3) == "own");
  AudienceLog audience;
  for (const PublishedRange& range : {own, copied, retained, after}) REQUIRE(audience.add(range));
  CHECK(audience.ranges().size() == 3);
  CHECK(audience.ranges()[0].messages == 6);

  const base::Block* growing = log.block_of(after);
  log.end_turn();
  CHECK(log.empty());
  CHECK(large->references == 1);
  PublishedRange next;
  REQUIRE(append(log, pool, "next", next));
  CHECK(log.block_of(next) == growing);
  CHECK(next.begin >= after.end);
  large->release();
}

TEST_CASE("publish: a turn that ends with a block of others keeps none of them") {
  FailingAlloc memory;
  {
    base::BlockPool pool;
    base::BlockPool::set_current(&pool);
    PublishLog log;
    size_t size = 0;
    base::Block* large = foreign(std::string(100'000, 'x'), size);
    for (int turn = 0; turn < 5; turn++) {
      PublishedRange range;
      REQUIRE(append(log, pool, "one", range));
      REQUIRE(log.append_frames(pool, large, large->data(), size, 1, range));
      REQUIRE(log.append_frames(pool, large, large->data(), size, 1, range));
      CHECK(large->references == 3);
      CHECK(log.begin() < range.begin);
      log.end_turn();
      CHECK(large->references == 1);
      CHECK(log.empty());
      CHECK(log.begin() == log.end());
    }
    large->release();
    CHECK(FailingAlloc::held <= 2);  // the log's block, with the pool, and its list
  }
  base::BlockPool::set_current(nullptr);
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("publish: own and foreign frames over many turns keep their bytes and their order, and blocks balance") {
  std::mt19937 random(3);
  FailingAlloc memory;
  {
    base::BlockPool pool;
    base::BlockPool::set_current(&pool);
    PublishLog log;
    uint64_t last_end = 0;
    for (int turn = 0; turn < 300; turn++) {
      std::vector<std::pair<PublishedRange, std::string>> messages;
      std::vector<base::Block*> blocks;
      // Sometimes memory runs out in the middle: what was appended stays, what was not leaves no trace.
      FailingAlloc::left = turn % 3 == 0 ? random() % 20 : SIZE_MAX;
      for (uint32_t n = random() % 20; n > 0; n--) {
        const std::string text(random() % 4 == 0 ? random() % 100'000 : random() % 3000, static_cast<char>('a' + random() % 26));
        PublishedRange range;
        const uint64_t end = log.end();
        bool good;
        if (random() % 2) {
          good = append(log, pool, text, range);
        } else {
          const size_t left = FailingAlloc::left.exchange(SIZE_MAX);
          size_t size = 0;
          blocks.push_back(foreign(text, size));
          FailingAlloc::left = left;
          good = log.append_frames(pool, blocks.back(), blocks.back()->data(), size, 1, range);
          CHECK(blocks.back()->references == (good && size > (size_t{16} << 10) ? 2u : 1u));
        }
        if (!good) {
          CHECK(log.end() == end);
          continue;
        }
        REQUIRE(range.begin >= last_end);
        last_end = range.end;
        messages.emplace_back(range, text);
      }
      FailingAlloc::left = SIZE_MAX;
      for (const auto& [range, text] : messages) REQUIRE(text_at(log, range, text.size()) == text);
      if (!messages.empty()) {
        CHECK(log.begin() <= messages.front().first.begin);
        CHECK(log.end() == messages.back().first.end);
      }
      log.end_turn();
      for (base::Block* block : blocks) {
        REQUIRE(block->references == 1);
        block->release();
      }
    }
  }
  base::BlockPool::set_current(nullptr);
  CHECK(FailingAlloc::held == 0);
}

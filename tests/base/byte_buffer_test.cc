// The growing buffer: what it holds, that it keeps its memory, and what running out does.
#include "base/byte_buffer.h"

#include <doctest/doctest.h>

#include <string>

#include "support/failing_alloc.h"

using martlet::base::ByteBuffer;
using martlet::test::FailingAlloc;

TEST_CASE("byte_buffer: holds what was appended, in order") {
  ByteBuffer buffer;
  CHECK(buffer.empty());
  CHECK(buffer.text() == "");
  std::string expected;
  for (size_t i = 0; i < 300; i++) {
    const std::string piece(i % 37, static_cast<char>('a' + i % 26));
    CHECK(buffer.append(piece));
    expected += piece;
  }
  CHECK(buffer.text() == expected);
  uint8_t* room = buffer.reserve(2);
  REQUIRE(room);
  room[0] = '!';
  room[1] = '?';
  buffer.commit(1);
  CHECK(buffer.text() == expected + "!");
  buffer.truncate(5);
  CHECK(buffer.text() == expected.substr(0, 5));
}

TEST_CASE("byte_buffer: clear keeps the memory, shrink gives it back above a bound") {
  FailingAlloc memory;
  {
    ByteBuffer buffer;
    CHECK(buffer.append(std::string(5000, 'x')));
    FailingAlloc::left = 0;
    buffer.clear();
    CHECK(buffer.append(std::string(5000, 'y')));
    buffer.shrink(1 << 20);
    CHECK(FailingAlloc::held == 1);
    buffer.shrink(100);
    CHECK(FailingAlloc::held == 0);
    CHECK(!buffer.append("z"));
    CHECK(buffer.failed());
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("byte_buffer: after running out it takes nothing more until it is cleared") {
  FailingAlloc memory(1);
  {
    ByteBuffer buffer;
    CHECK(buffer.append("abc"));
    CHECK(!buffer.append(std::string(1000, 'x')));
    CHECK(buffer.failed());
    CHECK(!buffer.append("d"));
    CHECK(buffer.text() == "abc");
    buffer.clear();
    CHECK(!buffer.failed());
    CHECK(buffer.append("d"));
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("byte_buffer: an absurd size fails instead of wrapping") {
  for (const size_t size : {SIZE_MAX, SIZE_MAX - 2, SIZE_MAX / 2 + 1}) {
    ByteBuffer buffer;
    CHECK(buffer.append("abc"));
    CHECK(buffer.reserve(size) == nullptr);
    CHECK(buffer.failed());
    CHECK(buffer.text() == "abc");
  }
}

// The ring between two threads: full, empty, order, and what it does with values that own something.
#include "base/ring.h"

#include <doctest/doctest.h>

#include <thread>

#include "support/failing_alloc.h"

using martlet::base::Ring;
using martlet::test::FailingAlloc;

namespace {

// Counts how many live values there are, and can only be moved.
struct Owned {
  static inline int alive = 0;
  int value = -1;

  Owned() { alive++; }
  explicit Owned(int v) : value(v) { alive++; }
  Owned(Owned&& other) noexcept : value(std::exchange(other.value, -1)) { alive++; }
  Owned& operator=(Owned&& other) noexcept {
    value = std::exchange(other.value, -1);
    return *this;
  }
  ~Owned() { alive--; }
};

}  // namespace

TEST_CASE("ring: first in, first out, also past its capacity") {
  Ring<int> ring(4);
  REQUIRE(ring.ok());
  CHECK(ring.empty());
  int next_in = 0;
  int next_out = 0;
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i <= round % 4; i++) {
      int value = next_in;
      if (ring.push(std::move(value))) next_in++;
    }
    int value = -1;
    for (int i = 0; i <= round % 3; i++) {
      if (!ring.pop(value)) break;
      CHECK(value == next_out);
      next_out++;
    }
    CHECK(ring.empty() == (next_in == next_out));
  }
  CHECK(next_out > 40);
}

TEST_CASE("ring: full is an answer and leaves the value untouched") {
  Ring<Owned> ring(2);
  CHECK(ring.push(Owned(1)));
  CHECK(ring.push(Owned(2)));
  Owned third(3);
  CHECK(!ring.push(std::move(third)));
  CHECK(third.value == 3);
  Owned out;
  CHECK(ring.pop(out));
  CHECK(out.value == 1);
  CHECK(ring.push(std::move(third)));
  CHECK(third.value == -1);
  CHECK(ring.pop(out));
  CHECK(ring.pop(out));
  CHECK(out.value == 3);
  CHECK(!ring.pop(out));
}

TEST_CASE("ring: what is still inside dies with it") {
  {
    Ring<Owned> ring(8);
    for (int i = 0; i < 5; i++) CHECK(ring.push(Owned(i)));
    CHECK(Owned::alive == 5);
  }
  CHECK(Owned::alive == 0);
}

TEST_CASE("ring: without memory it is not ok, and can still be destroyed") {
  FailingAlloc memory(0);
  {
    Ring<Owned> ring(8);
    CHECK(!ring.ok());
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("ring: one thread pushes, another pops, and nothing is lost, doubled or reordered") {
  constexpr uint64_t kCount = 100000;
  for (const size_t capacity : {size_t{1}, size_t{2}, size_t{64}}) {
    const uint64_t count = capacity == 1 ? kCount / 50 : kCount;
    Ring<uint64_t> ring(capacity);
    std::thread producer([&] {
      for (uint64_t i = 0; i < count; i++) {
        uint64_t value = i;
        while (!ring.push(std::move(value))) std::this_thread::yield();
      }
    });
    bool ordered = true;
    for (uint64_t expected = 0; expected < count; expected++) {
      uint64_t value = 0;
      while (!ring.pop(value)) std::this_thread::yield();
      ordered = ordered && value == expected;
    }
    producer.join();
    CHECK(ordered);
    CHECK(ring.empty());
  }
}

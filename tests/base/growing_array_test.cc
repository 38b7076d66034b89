// src/base/growing_array.h: what is pushed stays where it was by number, however often the array grows or cannot.
#include "base/growing_array.h"

#include <doctest/doctest.h>

#include <cstdint>

#include "support/failing_alloc.h"

using martlet::base::GrowingArray;
using martlet::test::FailingAlloc;

namespace {

struct Pair {
  uint64_t number;
  uint32_t twice;
};

Pair pair(uint32_t i) { return {i, 2 * i}; }

bool holds(const GrowingArray<Pair>& array, uint32_t i) { return array[i].number == i && array[i].twice == 2 * i; }

}  // namespace

TEST_CASE("growing_array: grows, is cut, and is filled again in the memory it has") {
  FailingAlloc memory;
  {
    GrowingArray<Pair> array;
    CHECK(array.empty());
    CHECK(FailingAlloc::held == 0);
    for (uint32_t i = 0; i < 1000; i++) {
      REQUIRE(array.push(pair(i)));
      CHECK(array.back().number == i);
      REQUIRE(array.size() == i + 1);
    }
    for (uint32_t i = 0; i < 1000; i++) REQUIRE(holds(array, i));
    CHECK(array.data() == &array[0]);
    CHECK(FailingAlloc::held == 1);

    FailingAlloc::left = 0;
    array.truncate(10);
    CHECK(array.size() == 10);
    CHECK(holds(array, 9));
    for (uint32_t i = 10; i < 1000; i++) REQUIRE(array.push(pair(i)));
    array.clear();
    CHECK(array.empty());
    for (uint32_t i = 0; i < 1000; i++) REQUIRE(array.push(pair(i)));
    for (uint32_t i = 0; i < 1000; i++) REQUIRE(holds(array, i));
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("growing_array: out of memory leaves it as it was") {
  for (size_t allowed = 0; allowed < 8; allowed++) {
    FailingAlloc memory(allowed);
    {
      GrowingArray<Pair> array;
      uint32_t pushed = 0;
      while (pushed < 2000 && array.push(pair(pushed))) pushed++;
      CHECK(pushed == (allowed == 0 ? 0 : 2u << allowed));
      CHECK(!array.push(pair(pushed)));
      CHECK(array.size() == pushed);
      for (uint32_t i = 0; i < pushed; i++) REQUIRE(holds(array, i));
      FailingAlloc::left = SIZE_MAX;
      CHECK(array.push(pair(pushed)));
      CHECK(holds(array, pushed));
      if (pushed) CHECK(holds(array, 0));
    }
    CHECK(FailingAlloc::held == 0);
  }
}

TEST_CASE("growing_array: what is pushed may lie in the array itself") {
  GrowingArray<Pair> array;
  REQUIRE(array.push(pair(7)));
  for (int i = 0; i < 100; i++) REQUIRE(array.push(array[0]));
  for (uint32_t i = 0; i < array.size(); i++) CHECK(array[i].number == 7);
}

// src/worker/common.h: what all workers of a group have in common.
#include "worker/common.h"

#include <doctest/doctest.h>

#include "support/failing_alloc.h"

using namespace martlet;
using test::FailingAlloc;

namespace {

struct First final : worker::CommonObject {
  static constexpr worker::PartKey kKey{};
  ~First() { alive--; }
  First() noexcept { alive++; }
  static inline int alive = 0;
};

struct Second final : worker::CommonObject {
  static constexpr worker::PartKey kKey{};
  ~Second() { first_was_there = First::alive == 1; }
  static inline bool first_was_there = false;
};

}  // namespace

TEST_CASE("common: an object is made when it is first asked for, found by its type, and ends last in, first out") {
  {
    worker::Common common;
    CHECK(common.find<First>() == nullptr);
    First* first = common.find_or_add<First>();
    REQUIRE(first);
    CHECK(common.find_or_add<First>() == first);
    CHECK(common.find<First>() == first);
    CHECK(common.find<Second>() == nullptr);
    REQUIRE(common.find_or_add<Second>());
    CHECK(common.find<First>() == first);
    CHECK(First::alive == 1);
  }
  CHECK(First::alive == 0);
  CHECK(Second::first_was_there);
}

TEST_CASE("common: without memory there is none, and the next who asks may have it") {
  FailingAlloc memory(0);
  worker::Common common;
  CHECK(common.find_or_add<First>() == nullptr);
  CHECK(First::alive == 0);
  FailingAlloc::left = 1;
  CHECK(common.find_or_add<First>() != nullptr);
}

// src/worker/parts.h and slots.h: finding by key, hooks in order, memory that runs out, and the end.
#include "worker/parts.h"

#include <doctest/doctest.h>

#include <string>

#include "realtime/realtime.h"
#include "support/failing_alloc.h"
#include "worker/slots.h"

using namespace martlet;
using test::FailingAlloc;
using worker::Part;
using worker::PartHooks;
using worker::PartKey;

namespace {

std::string told;  // by the hooks, in order

template <char kName>
struct Named final : Part {
  static constexpr PartKey kKey{};
  static constexpr PartHooks kHooks{.turn_ended = [](Part&) { told += kName; },
                                    .worker_ends = [](Part&) { told += static_cast<char>(kName - 'a' + 'A'); }};
  explicit Named(worker::Worker& w) noexcept : Part(w) {}
  ~Named() override { told += '-'; }
};

struct Deaf final : Part {
  static constexpr PartKey kKey{};
  static constexpr PartHooks kHooks{};
  explicit Deaf(worker::Worker& w) noexcept : Part(w) {}
  int own = 7;
};

template <int kNumber>
struct Note {
  static constexpr PartKey kKey{};
  explicit Note(int v, int* g = nullptr) noexcept : value(v), gone(g) {}
  ~Note() {
    if (gone) *gone = *gone * 10 + kNumber;
  }
  int value;
  int* gone;
};

}  // namespace

TEST_CASE("parts: found by the key of their type, made once, told in the order in which they came") {
  told.clear();
  {
    realtime::RealtimeWorker w(AppOptions{});
    CHECK(w.parts.find<Named<'a'>>() == nullptr);
    CHECK(w.parts.turn_ended.empty());
    auto* a = w.parts.find_or_add<Named<'a'>>(w);
    auto* b = w.parts.find_or_add<Named<'b'>>(w);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(&a->worker == &w);
    CHECK(w.parts.find_or_add<Named<'a'>>(w) == a);
    CHECK(w.parts.find<Named<'b'>>() == b);
    CHECK(w.parts.find<Deaf>() == nullptr);
    w.parts.turn_ended();
    CHECK(told == "ab");
    CHECK(w.parts.opened.empty());
    CHECK(w.parts.published.empty());
    Deaf* deaf = w.parts.find_or_add<Deaf>(w);
    REQUIRE(deaf);
    CHECK(deaf->own == 7);
    w.parts.turn_ended();
    CHECK(told == "abab");
    told.clear();
  }
  CHECK(told.ends_with("AB--"));  // the end of the worker, and then of the parts
}

TEST_CASE("parts: without memory for one, or for one of its hooks, there is none, and nothing is told") {
  for (size_t allowed = 0; allowed < 3; allowed++) {
    realtime::RealtimeWorker w(AppOptions{});
    told.clear();
    {
      FailingAlloc failing(allowed);
      CHECK(w.parts.find_or_add<Named<'a'>>(w) == nullptr);
      CHECK(failing.failures == 1);
    }
    CHECK(w.parts.find<Named<'a'>>() == nullptr);
    w.parts.turn_ended();
    CHECK(told == (allowed == 0 ? "" : "-"));
    CHECK(w.parts.worker_ends.empty());
    CHECK(w.parts.find_or_add<Named<'a'>>(w) != nullptr);  // it may be tried again
  }
}

TEST_CASE("slots: found by the key of their type, made once, destroyed once, the last one first") {
  int gone = 0;
  {
    worker::Slots slots;
    CHECK(slots.empty());
    CHECK(slots.find<Note<1>>() == nullptr);
    Note<1>* one = slots.find_or_add<Note<1>>(11, &gone);
    Note<2>* two = slots.find_or_add<Note<2>>(22, &gone);
    Note<3>* three = slots.find_or_add<Note<3>>(33, &gone);
    REQUIRE(one);
    REQUIRE(two);
    REQUIRE(three);
    CHECK(slots.find_or_add<Note<2>>(99, &gone) == two);
    CHECK(slots.find<Note<1>>()->value == 11);
    CHECK(two->value == 22);
    slots.remove<Note<2>>();
    CHECK(gone == 2);
    CHECK(slots.find<Note<2>>() == nullptr);
    CHECK(slots.find<Note<1>>() == one);
    CHECK(slots.find<Note<3>>() == three);
    slots.remove<Note<2>>();
  }
  CHECK(gone == 231);
}

TEST_CASE("slots: without memory there is none") {
  worker::Slots slots;
  FailingAlloc failing(1);
  CHECK(slots.find_or_add<Note<1>>(1) != nullptr);
  CHECK(slots.find_or_add<Note<2>>(2) == nullptr);
  CHECK(slots.find<Note<2>>() == nullptr);
  CHECK(slots.find<Note<1>>()->value == 1);
}

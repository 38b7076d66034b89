// src/net/user_timers.h: order, cancelling from everywhere, intervals without drift, and each task dropped once.
#include "net/user_timers.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/alloc.h"

using namespace martlet::net;

namespace {

constexpr uint64_t kMs = 1'000'000;

int live_tasks;

TimerTask task_of(std::function<void()> body) {
  live_tasks++;
  return {.run = [](void* context) { (*static_cast<std::function<void()>*>(context))(); },
          .drop =
              [](void* context) {
                live_tasks--;
                delete static_cast<std::function<void()>*>(context);
              },
          .context = new std::function<void()>(std::move(body))};
}

struct Fixture {
  Fixture() { live_tasks = 0; }
  ~Fixture() { CHECK(live_tasks == 0); }
};

}  // namespace

TEST_CASE("user_timers: they run in the order of their deadlines, equals in the order of adding") {
  Fixture fixture;
  UserTimers timers;
  std::string ran;
  timers.after(0, 20, task_of([&] { ran += 'c'; }));
  timers.after(0, 10, task_of([&] { ran += 'a'; }));
  timers.after(0, 10, task_of([&] { ran += 'b'; }));
  timers.after(5 * kMs, 15, task_of([&] { ran += 'd'; }));
  CHECK(timers.size() == 4);
  CHECK(timers.ns_until_next(0) == 10 * kMs);
  CHECK(!timers.run(10 * kMs - 1, 100));
  CHECK(ran == "");
  CHECK(timers.ns_until_next(10 * kMs) == 0);
  CHECK(!timers.run(10 * kMs, 100));
  CHECK(ran == "ab");
  CHECK(live_tasks == 4);  // nothing is dropped before reap()
  timers.reap();
  CHECK(live_tasks == 2);
  CHECK(!timers.run(100 * kMs, 100));
  CHECK(ran == "abcd");
  timers.reap();
  CHECK(live_tasks == 0);
  CHECK(timers.ns_until_next(0) == -1);
}

TEST_CASE("user_timers: an interval does not drift and skips what it missed") {
  Fixture fixture;
  UserTimers timers;
  int runs = 0;
  const UserTimers::Id id = timers.every(0, 10, task_of([&] { runs++; }));
  timers.run(13 * kMs, 100);  // 3 ms late
  CHECK(runs == 1);
  CHECK(timers.ns_until_next(13 * kMs) == 7 * kMs);
  timers.run(20 * kMs, 100);
  CHECK(runs == 2);
  timers.run(75 * kMs, 100);  // missed 30 … 70: once is enough
  CHECK(runs == 3);
  CHECK(timers.ns_until_next(75 * kMs) == 5 * kMs);
  CHECK(timers.is_pending(id));
  CHECK(timers.cancel(id));
  CHECK(!timers.is_pending(id));
  CHECK(!timers.cancel(id));
  timers.run(1000 * kMs, 100);
  CHECK(runs == 3);
  timers.reap();
}

TEST_CASE("user_timers: an interval of 0 is 1 ms") {
  Fixture fixture;
  UserTimers timers;
  int runs = 0;
  timers.every(0, 0, task_of([&] { runs++; }));
  CHECK(timers.ns_until_next(0) == kMs);
  CHECK(!timers.run(kMs, 100));
  CHECK(runs == 1);
}

TEST_CASE("user_timers: a task may cancel itself") {
  Fixture fixture;
  UserTimers timers;
  UserTimers::Id once, again;
  int runs = 0;
  bool answer_once = true, answer_again = false;
  once = timers.after(0, 1, task_of([&] { answer_once = timers.cancel(once); }));
  again = timers.every(0, 1, task_of([&] {
                         runs++;
                         answer_again = timers.cancel(again);
                       }));
  timers.run(1 * kMs, 100);
  CHECK(!answer_once);  // it runs: there is nothing to prevent
  CHECK(answer_again);
  CHECK(live_tasks == 2);
  timers.reap();
  CHECK(live_tasks == 0);
  timers.run(50 * kMs, 100);
  CHECK(runs == 1);
}

TEST_CASE("user_timers: a task may cancel one that is due in the same run, and add new ones") {
  Fixture fixture;
  UserTimers timers;
  UserTimers::Id second{};
  std::string ran;
  timers.after(0, 1, task_of([&] {
                 ran += '1';
                 CHECK(timers.cancel(second));
                 for (int i = 0; i < 100; i++) timers.after(5 * kMs, 0, task_of([&] { ran += 'n'; }));
               }));
  second = timers.after(0, 2, task_of([&] { ran += '2'; }));
  timers.after(0, 5, task_of([&] { ran += '3'; }));
  CHECK(timers.run(5 * kMs, 1000));  // more are due: those that were added
  CHECK(ran == "13");
  timers.reap();
  CHECK(!timers.run(5 * kMs, 1000));
  CHECK(ran == "13" + std::string(100, 'n'));
  timers.reap();
}

TEST_CASE("user_timers: a task that adds itself again at once cannot hold the loop") {
  Fixture fixture;
  UserTimers timers;
  int runs = 0;
  std::function<void()> body = [&] {
    runs++;
    timers.after(0, 0, task_of(body));
  };
  timers.after(0, 0, task_of(body));
  CHECK(timers.run(0, 1000));
  CHECK(runs == 1);
}

TEST_CASE("user_timers: a run is bounded") {
  Fixture fixture;
  UserTimers timers;
  int runs = 0;
  for (int i = 0; i < 100; i++) timers.after(0, 1, task_of([&] { runs++; }));
  CHECK(timers.run(kMs, 30));
  CHECK(runs == 30);
  CHECK(timers.run(kMs, 30));
  CHECK(timers.run(kMs, 30));
  CHECK(!timers.run(kMs, 30));
  CHECK(runs == 100);
}

TEST_CASE("user_timers: an old id does not reach a new timer in its place") {
  Fixture fixture;
  UserTimers timers;
  const UserTimers::Id old = timers.after(0, 1, task_of([] {}));
  timers.run(kMs, 1);
  timers.reap();
  const UserTimers::Id fresh = timers.after(0, 1, task_of([] {}));
  CHECK(fresh.slot == old.slot);
  CHECK(!(fresh == old));
  CHECK(!timers.cancel(old));
  CHECK(timers.is_pending(fresh));
  CHECK(!timers.cancel(UserTimers::Id{}));
  CHECK(!timers.cancel(UserTimers::Id{.slot = 12345, .generation = 1}));
}

TEST_CASE("user_timers: dropping a task may cancel and add") {
  Fixture fixture;
  struct Owner {
    UserTimers timers;
    UserTimers::Id other;
    int added = 0;
  } owner;
  owner.other = owner.timers.after(0, 500, task_of([] {}));
  const TimerTask task{.run = [](void*) {},
                       .drop =
                           [](void* context) {
                             auto* o = static_cast<Owner*>(context);
                             o->timers.cancel(o->other);
                             if (o->added++ == 0) o->timers.after(0, 500, task_of([] {}));
                           },
                       .context = &owner};
  owner.timers.after(0, 1, task);
  SUBCASE("in reap()") {
    owner.timers.run(kMs, 10);
    owner.timers.reap();
    CHECK(live_tasks == 1);
    CHECK(owner.timers.size() == 1);
  }
  SUBCASE("in the destructor") {}
}

TEST_CASE("user_timers: out of memory drops the task and answers no timer") {
  Fixture fixture;
  UserTimers timers;
  const auto saved = martlet::base::alloc_hooks;
  martlet::base::alloc_hooks.allocate = [](size_t) -> void* { return nullptr; };
  const UserTimers::Id id = timers.after(0, 1, task_of([] {}));
  martlet::base::alloc_hooks = saved;
  CHECK(id.generation == 0);
  CHECK(live_tasks == 0);
  CHECK(timers.size() == 0);
}

TEST_CASE("user_timers: very long delays do not wrap") {
  Fixture fixture;
  UserTimers timers;
  timers.after(1'000'000'000, UINT64_MAX, task_of([] { FAIL("too early"); }));
  timers.every(1'000'000'000, UINT64_MAX, task_of([] { FAIL("too early"); }));
  CHECK(timers.ns_until_next(1'000'000'000) > 0);
  CHECK(!timers.run(uint64_t{1} << 60, 10));
}

TEST_CASE("user_timers: random use agrees with a multimap") {
  Fixture fixture;
  std::mt19937 random(42);
  UserTimers timers;
  std::multimap<uint64_t, int> reference;  // deadline to name; equal keys keep their order
  std::map<int, std::pair<UserTimers::Id, uint64_t>> by_name;
  std::vector<int> ran;
  uint64_t now = 0;
  for (int name = 0; name < 20'000; name++) {
    const uint64_t delay = random() % 50;
    const uint64_t deadline = now + delay * kMs;
    by_name[name] = {timers.after(now, delay, task_of([&ran, name] { ran.push_back(name); })), deadline};
    reference.emplace(deadline, name);
    if (random() % 3 == 0) {
      const int victim = static_cast<int>(random() % static_cast<unsigned>(name + 1));
      const auto found = by_name.find(victim);
      CHECK(timers.cancel(found == by_name.end() ? UserTimers::Id{} : found->second.first) ==
            (found != by_name.end()));
      if (found != by_name.end()) {
        auto [from, to] = reference.equal_range(found->second.second);
        while (from->second != victim) ++from;
        REQUIRE(from != to);
        reference.erase(from);
        by_name.erase(found);
      }
    }
    if (random() % 5 != 0) continue;
    now += random() % 10 * kMs;
    ran.clear();
    CHECK(!timers.run(now, UINT32_MAX));
    if (random() % 2) timers.reap();
    std::vector<int> expected;
    while (!reference.empty() && reference.begin()->first <= now) {
      expected.push_back(reference.begin()->second);
      by_name.erase(reference.begin()->second);
      reference.erase(reference.begin());
    }
    REQUIRE(ran == expected);
    REQUIRE(timers.size() == reference.size());
  }
}

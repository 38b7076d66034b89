// src/net/worker_registry.h: numbers are given once, and inboxes outlive their workers.
#include "net/worker_registry.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "net/lanes.h"

using namespace martlet::net;

namespace {

uint32_t start_and_finish() {
  auto made = register_worker();
  REQUIRE(made.ok());
  const uint32_t number = (*made)->worker();
  (*made)->close();
  return number;
}

}  // namespace

TEST_CASE("worker_registry: a number finds its inbox, also when the worker has finished") {
  auto made = register_worker();
  REQUIRE(made.ok());
  Inbox* inbox = *made;
  const uint32_t number = inbox->worker();
  CHECK(number > 0);
  CHECK(find_inbox(number) == inbox);
  CHECK(inbox->wake_fd() >= 0);
  inbox->close();
  CHECK(find_inbox(number) == inbox);
  Mail mail;
  CHECK(find_inbox(number)->post(&mail) == Posted::closed);
}

TEST_CASE("worker_registry: numbers that were never given") {
  CHECK(find_inbox(0) == nullptr);
  CHECK(find_inbox(kMaxWorkers) == nullptr);
  CHECK(find_inbox(UINT32_MAX) == nullptr);
  Inbox* next = find_inbox(start_and_finish() + 1);  // null, or in a chunk that exists: closed
  Mail mail;
  if (next) CHECK(next->post(&mail) == Posted::closed);
  CHECK(find_inbox(kMaxWorkers - 1) == nullptr);
}

TEST_CASE("worker_registry: numbers are never given again") {
  std::set<uint32_t> numbers;
  for (int i = 0; i < 200; i++) CHECK(numbers.insert(start_and_finish()).second);
}

TEST_CASE("worker_registry: workers come and go while others look them up") {
  constexpr int kThreads = 3, kEach = 100;
  const uint32_t first = start_and_finish();
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::thread reader([&] {
    uint32_t found = 0;
    while (!stop.load()) {
      for (uint32_t number = first; number < first + kThreads * kEach + 64; number++) {
        Inbox* inbox = find_inbox(number);
        if (!inbox) break;
        auto* mail = new Mail;
        mail->run = [](Mail* m, void*) { delete m; };
        mail->drop = [](Mail* m) { delete m; };
        if (inbox->post(mail) == Posted::yes) {
          found++;
        } else {
          delete mail;
        }
      }
    }
    answered += static_cast<int>(found);
  });
  std::vector<std::vector<uint32_t>> given(kThreads);
  std::vector<std::thread> workers;
  for (int t = 0; t < kThreads; t++) {
    workers.emplace_back([&given, t] {
      for (int i = 0; i < kEach; i++) {
        auto made = register_worker();
        if (!made.ok()) return;
        given[static_cast<size_t>(t)].push_back((*made)->worker());
        (void)(*made)->deliver(nullptr, 10);
        (*made)->close();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  stop.store(true);
  reader.join();
  CHECK(answered >= 0);
  std::set<uint32_t> all;
  for (const auto& numbers : given) all.insert(numbers.begin(), numbers.end());
  CHECK(all.size() == kThreads * kEach);
}

TEST_CASE("worker_registry: numbers for the workers of a Server lie together, closed until they are opened") {
  for (const uint32_t count : {1u, 3u, 64u, 200u}) {
    const auto first = reserve_workers(count);
    REQUIRE(first.ok());
    for (uint32_t worker = *first; worker < *first + count; worker++) {
      Inbox* inbox = find_inbox(worker);
      REQUIRE(inbox);
      CHECK(!inbox->is_open());
      CHECK(first_of(worker) == 0);
      CHECK(members_of(worker) == 0);
      Mail mail;
      CHECK(inbox->post(&mail) == Posted::closed);
    }
    CHECK(start_and_finish() >= *first + count);
  }
}

TEST_CASE("worker_registry: whom a number shares its rooms with") {
  CHECK(first_of(0) == 0);
  CHECK(members_of(0) == 0);
  CHECK(first_of(UINT32_MAX) == 0);
  CHECK(members_of(kMaxWorkers - 1) == 0);
  const uint32_t alone = start_and_finish();
  CHECK(first_of(alone) == alone);
  CHECK(members_of(alone) == 1);

  const auto first = reserve_workers(3);
  REQUIRE(first.ok());
  std::unique_ptr<Lanes> lanes(Lanes::make(3));
  REQUIRE(lanes);
  for (uint32_t i = 0; i < 3; i++) {
    Inbox* inbox = find_inbox(*first + i);
    REQUIRE(!inbox->open(*first + i, *first, lanes.get()));
    lanes->sit(i, inbox);
    CHECK(inbox->worker() == *first + i);
  }
  for (int over = 0; over < 2; over++) {
    for (uint32_t i = 0; i < 3; i++) {
      CHECK(first_of(*first + i) == *first);
      CHECK(members_of(*first + i) == 3);
      find_inbox(*first + i)->close();  // also when they are over
    }
  }
}

TEST_CASE("worker_registry: a number whose inbox cannot be opened is given again") {
  const uint32_t before = start_and_finish();
  {
    // No descriptor for a waker: a thousand failures use up no number.
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlimit none = limit;
    none.rlim_cur = 0;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    int failed = 0;
    for (int i = 0; i < 1000; i++) failed += !register_worker().ok();
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(failed == 1000);
  }
  CHECK(start_and_finish() == before + 1);
}

TEST_CASE("worker_registry: more numbers than there are is an answer") {
  CHECK(!reserve_workers(kMaxWorkers).ok());
  CHECK(!reserve_workers(UINT32_MAX).ok());
  const uint32_t before = start_and_finish();
  CHECK(start_and_finish() == before + 1);
}

// src/net/worker_registry.h: numbers are given once, and inboxes outlive their workers.
#include "net/worker_registry.h"

#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

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

// src/net/lanes.h: order per pair whatever the ring holds, nothing lost, nothing left asleep (neither for mail nor for
// room), bounds for messages, and what is left dropped once.
#include "net/lanes.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/letters.h"

using namespace martlet::net;
using namespace martlet::test;

namespace {

// Workers on seats, with the lanes between them; each inbox is opened with them.
struct Office {
  explicit Office(uint32_t seats) : lanes(Lanes::make(seats)), inboxes(new Inbox[seats]) {
    REQUIRE(lanes != nullptr);
    for (uint32_t i = 0; i < seats; i++) {
      REQUIRE(!inboxes[i].open(100 + i, 100, lanes.get()));
      lanes->sit(i, &inboxes[i]);
    }
    live_letters = 0;
    dropped_letters = 0;
  }
  ~Office() {
    for (uint32_t i = 0; i < lanes->seats(); i++) inboxes[i].close();
    lanes.reset();
    CHECK(live_letters == 0);
  }
  Posted post(uint32_t from, uint32_t to, int number, size_t bytes = 0) {
    Letter* made = letter(from, number, bytes);
    const Posted posted = lanes->post(from, to, made);
    if (posted != Posted::yes) {
      live_letters--;
      delete made;
    }
    return posted;
  }
  std::unique_ptr<Lanes> lanes;
  std::unique_ptr<Inbox[]> inboxes;
};

// Whether the letters of each sender are numbered from 0 on without a gap; how many there are of this one.
int in_order(const Received& received, uint32_t from) {
  int next = 0;
  for (const auto& [sender, number] : received.letters) {
    if (sender == from && number != next++) return -1;
  }
  return next;
}

constexpr int kCells = static_cast<int>(Lanes::kCells);

}  // namespace

TEST_CASE("lanes: each pair has its own order, and the consumer is told of nothing else's") {
  Office office(3);
  for (int i = 0; i < 50; i++) {
    for (const uint32_t from : {0u, 1u}) CHECK(office.post(from, 2, i) == Posted::yes);
    CHECK(office.post(2, 0, i) == Posted::yes);
  }
  CHECK(office.inboxes[2].has_mail());
  CHECK(!office.inboxes[1].has_mail());
  Received received[3];
  CHECK(!office.inboxes[2].deliver(&received[2], 1000));
  CHECK(!office.inboxes[1].deliver(&received[1], 1000));
  CHECK(!office.inboxes[0].deliver(&received[0], 1000));
  CHECK(received[2].letters.size() == 100);
  CHECK(in_order(received[2], 0) == 50);
  CHECK(in_order(received[2], 1) == 50);
  CHECK(received[1].letters.empty());
  CHECK(in_order(received[0], 2) == 50);
}

TEST_CASE("lanes: what does not fit waits outside, and everything after it does") {
  Office office(2);
  const int all = 3 * kCells + 17;
  for (int i = 0; i < kCells; i++) CHECK(office.post(0, 1, i) == Posted::yes);
  CHECK(!office.lanes->overflows(0, 1));
  for (int i = kCells; i < all; i++) CHECK(office.post(0, 1, i) == Posted::yes);
  CHECK(office.lanes->overflows(0, 1));
  CHECK(office.lanes->move_on(0));
  Received received;
  int posted = all;
  for (int turn = 0; turn < 200; turn++) {
    office.inboxes[1].deliver(&received, 100);
    // While something waits outside, what is posted goes behind it.
    if (turn < 20) CHECK(office.post(0, 1, posted++) == Posted::yes);
    if (!office.lanes->move_on(0) && !office.inboxes[1].has_mail()) break;
  }
  CHECK(in_order(received, 0) == posted);
  CHECK(!office.lanes->overflows(0, 1));
  CHECK(!office.lanes->move_on(0));
}

TEST_CASE("lanes: commands are never refused, messages are above the bound, wherever they wait") {
  Office office(3);
  const size_t half = Inbox::kMostWaiting / 2;
  CHECK(office.post(0, 1, 0, half) == Posted::yes);
  CHECK(office.post(0, 1, 1, half) == Posted::yes);  // exactly the bound
  CHECK(office.post(0, 1, 2, 1) == Posted::full);
  CHECK(office.post(0, 1, 2) == Posted::yes);
  CHECK(office.post(0, 2, 0, 1) == Posted::yes);  // of this lane only
  CHECK(office.post(2, 1, 0, half) == Posted::yes);
  for (int i = 3; i < 2 * kCells; i++) CHECK(office.post(0, 1, i) == Posted::yes);
  CHECK(office.lanes->overflows(0, 1));
  CHECK(office.post(0, 1, 0, 1) == Posted::full);
  // What has been run makes room.
  Received received;
  office.inboxes[1].deliver(&received, 20);
  CHECK(office.post(0, 1, 2 * kCells, half) == Posted::yes);
  CHECK(office.post(0, 1, 2 * kCells + 1, half) == Posted::yes);
  CHECK(office.post(0, 1, 0, 1) == Posted::full);
  while (office.lanes->move_on(0) || office.inboxes[1].has_mail()) office.inboxes[1].deliver(&received, 100);
  CHECK(in_order(received, 0) == 2 * kCells + 2);
  CHECK(in_order(received, 2) == 1);
}

TEST_CASE("lanes: one message of any size is taken") {
  Office office(2);
  CHECK(office.post(0, 1, 0, 3 * Inbox::kMostWaiting) == Posted::yes);
  CHECK(office.post(0, 1, 1, 1) == Posted::full);
  Received received;
  office.inboxes[1].deliver(&received, 10);
  for (int i = 1; i <= 2 * kCells; i++) CHECK(office.post(0, 1, i) == Posted::yes);
  CHECK(office.post(0, 1, 2 * kCells + 1, 3 * Inbox::kMostWaiting) == Posted::yes);
  CHECK(office.post(0, 1, 0, 1) == Posted::full);
}

TEST_CASE("lanes: what is left is dropped once: rings, overflow, and of a consumer that is over") {
  {
    Office office(3);
    const int each = 2 * kCells;
    for (int i = 0; i < each; i++) {
      CHECK(office.post(0, 1, i) == Posted::yes);
      CHECK(office.post(0, 2, i) == Posted::yes);
      CHECK(office.post(1, 2, i, 100) == Posted::yes);
    }
    CHECK(live_letters == 3 * each);
    office.inboxes[1].close();
    CHECK(office.post(0, 1, each) == Posted::closed);
    CHECK(dropped_letters == 2 * kCells);  // in its ring, and what it had for another one outside
    CHECK(!office.lanes->move_on(1));
    CHECK(office.lanes->move_on(0));  // seat 2 is there still
    CHECK(!office.lanes->overflows(0, 1));
    CHECK(office.lanes->overflows(0, 2));
    CHECK(dropped_letters == 3 * kCells);
    office.inboxes[2].close();
    CHECK(office.post(1, 2, each, 1) == Posted::closed);
    CHECK(!office.lanes->move_on(0));
    CHECK(dropped_letters == 3 * each);
  }
  {
    // All of it is left to the lanes themselves.
    std::unique_ptr<Lanes> lanes(Lanes::make(2));
    REQUIRE(lanes);
    Inbox consumer;
    REQUIRE(!consumer.open(1));
    lanes->sit(1, &consumer);
    live_letters = dropped_letters = 0;
    for (int i = 0; i < 2 * kCells; i++) CHECK(lanes->post(0, 1, letter(0, i)) == Posted::yes);
    Received received;
    lanes->deliver(1, &received, 10);
    consumer.close();
    lanes.reset();
    CHECK(live_letters == 0);
    CHECK(dropped_letters == 2 * kCells - 10);
    CHECK(received.letters.size() == 10);
  }
}

TEST_CASE("lanes: a seat that nobody has taken is closed") {
  std::unique_ptr<Lanes> lanes(Lanes::make(2));
  REQUIRE(lanes);
  Mail mail;
  CHECK(lanes->post(0, 1, &mail) == Posted::closed);
  Inbox inbox;
  lanes->sit(1, &inbox);
  CHECK(lanes->post(0, 1, &mail) == Posted::closed);
}

TEST_CASE("lanes: no producer starves another one, nor does the inbox starve the lanes") {
  Office office(4);
  for (int i = 0; i < kCells; i++) {
    for (uint32_t from = 1; from < 4; from++) CHECK(office.post(from, 0, i) == Posted::yes);
  }
  Received received;
  int posted[4] = {0, kCells, kCells, kCells};
  int outside = 0;
  const auto flood = [&] {  // more each turn than a turn takes
    for (int i = 0; i < 64; i++) {
      CHECK(office.inboxes[0].post(letter(0, outside++)) == Posted::yes);
      for (uint32_t from = 1; from < 4; from++) {
        if (!office.lanes->overflows(from, 0)) CHECK(office.post(from, 0, posted[from]++) == Posted::yes);
      }
    }
  };
  for (int turn = 0; turn < 40; turn++) {
    flood();
    CHECK(office.inboxes[0].deliver(&received, 32));
    for (uint32_t from = 1; from < 4; from++) office.lanes->move_on(from);
  }
  for (uint32_t from = 0; from < 4; from++) CHECK(in_order(received, from) >= 32);
}

TEST_CASE("lanes: has_mail of a producer also says that there is room again for what waits outside") {
  Office office(2);
  for (int i = 0; i < kCells + 1; i++) CHECK(office.post(0, 1, i) == Posted::yes);
  CHECK(office.lanes->move_on(0));
  CHECK(!office.inboxes[0].has_mail());
  CHECK(office.inboxes[0].try_sleep());
  office.inboxes[0].awake(false);
  Received received;
  office.inboxes[1].deliver(&received, 1);
  CHECK(!office.inboxes[0].try_sleep());  // nobody wakes it: it was awake when room was made
  office.inboxes[0].awake(false);
  CHECK(!office.lanes->move_on(0));
  CHECK(office.inboxes[0].try_sleep());
  office.inboxes[0].awake(false);
}

TEST_CASE("lanes: without memory there are none, and nothing leaks") {
  for (size_t allowed = 0; allowed < 9; allowed++) {
    FailingAlloc memory(allowed);
    std::unique_ptr<Lanes> lanes(Lanes::make(3));
    CHECK(lanes == nullptr);
    CHECK(FailingAlloc::held == 0);
  }
  FailingAlloc memory(9);
  std::unique_ptr<Lanes> lanes(Lanes::make(3));
  CHECK(lanes != nullptr);
  lanes.reset();
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("lanes: workers throw letters to and fro, each asleep when one comes") {
  for (const uint32_t seats : {2u, 3u}) {
    Office office(seats);
    std::atomic<int> lost{0};
    std::atomic<int> rounds{0};
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1000);
    const auto play = [&](uint32_t me) {
      Sleeper sleeper(office.inboxes[me]);
      for (bool over = false; !over && lost == 0;) {
        Received received;
        if (!office.inboxes[me].deliver(&received, 16) && received.letters.empty()) sleeper.sleep();
        lost += sleeper.lost;
        for (const auto& [from, number] : received.letters) {
          over = number < 0 || std::chrono::steady_clock::now() > end;
          dawdle(number % 127);
          const uint32_t next = (me + 1) % seats;
          // The last one goes round once.
          if (over && number < -static_cast<int>(seats)) continue;
          (void)office.post(me, next, !over ? number + 1 : number < 0 ? number - 1 : -1);
          rounds++;
        }
      }
    };
    CHECK(office.post(seats - 1, 0, 0) == Posted::yes);
    std::vector<std::thread> others;
    for (uint32_t me = 1; me < seats; me++) others.emplace_back(play, me);
    play(0);
    for (std::thread& other : others) other.join();
    CHECK(lost == 0);
    CHECK(rounds > 100);
  }
}

TEST_CASE("lanes: the hunt for a producer that sleeps though there is room for what waits outside") {
  // In each round the producer sends more than the ring holds, and sleeps between its turns; the consumer takes it in
  // uneven bites and sleeps in between, too. When one of them misses its wake-up, both sleep until the time is over.
  for (const uint32_t producers : {1u, 2u}) {
    Office office(producers + 1);
    const uint32_t consumer = producers;
    std::atomic<int> lost{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    std::vector<int> sent(producers);
    for (uint32_t me = 0; me < producers; me++) {
      threads.emplace_back([&, me] {
        Sleeper sleeper(office.inboxes[me]);
        for (int round = 0; !over && lost == 0; round++) {
          for (int i = 0; i < kCells + 1 + round % 90; i++) {
            if (office.post(me, consumer, sent[me]) != Posted::yes) lost++;
            sent[me]++;
          }
          dawdle(round % 151);
          while (office.lanes->move_on(me) && lost == 0) {
            dawdle(round % 163);
            sleeper.sleep();
            lost += sleeper.lost;
            Received nothing;
            (void)office.inboxes[me].deliver(&nothing, 16);
          }
        }
      });
    }
    Received received;
    std::atomic<bool> empty{false};
    std::thread taker([&] {
      Sleeper sleeper(office.inboxes[consumer]);
      for (uint32_t turn = 1; !empty && lost == 0; turn++) {
        if (!office.inboxes[consumer].deliver(&received, 1 + turn % 300)) sleeper.sleep();
        lost += sleeper.lost;
        dawdle(static_cast<int>(turn % 173));
      }
    });
    for (int i = 0; i < 100 && lost == 0; i++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    over = true;
    for (std::thread& thread : threads) thread.join();
    empty = true;
    CHECK(office.inboxes[consumer].post(letter(99, 0)) == Posted::yes);
    taker.join();
    office.inboxes[consumer].deliver(&received, 10'000);
    CHECK(lost == 0);
    for (uint32_t me = 0; me < producers; me++) {
      CHECK(in_order(received, me) == sent[me]);
      CHECK(sent[me] > 2 * kCells);
    }
  }
}

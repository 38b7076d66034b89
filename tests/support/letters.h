// Mail that tests post, and the worker's side of sleeping and waking, for mailbox_test.cc and lanes_test.cc.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <utility>
#include <vector>

#include "net/mailbox.h"
#include "sys/poller.h"

namespace martlet::test {

using net::Inbox;
using net::Mail;

inline std::atomic<int> live_letters{0};
inline std::atomic<int> dropped_letters{0};

// Who sent it and which one it is. `worker` of run() is a Received.
struct Letter : Mail {
  uint32_t from;
  int number;
};

struct Received {
  std::vector<std::pair<uint32_t, int>> letters;
};

inline Letter* letter(uint32_t from, int number, size_t bytes = 0) {
  live_letters++;
  auto* made = new Letter;
  made->from = from;
  made->number = number;
  made->bytes = bytes;
  made->run = [](Mail* mail, void* worker) {
    auto* read = static_cast<Letter*>(mail);
    static_cast<Received*>(worker)->letters.emplace_back(read->from, read->number);
    live_letters--;
    delete read;
  };
  made->drop = [](Mail* mail) {
    live_letters--;
    dropped_letters++;
    delete static_cast<Letter*>(mail);
  };
  return made;
}

// A few nanoseconds per turn, so that two threads meet at ever different moments.
inline void dawdle(int turns) {
  static std::atomic<int> nothing{0};
  for (int i = 0; i < turns; i++) (void)nothing.load();
}

inline constexpr int64_t kLongWait = 10'000'000'000;

// A worker's side of the protocol, as its reactor does it.
struct Sleeper {
  Inbox& inbox;
  martlet::sys::Poller poller;
  int lost = 0;    // waits that ended by time
  int slept = 0;

  explicit Sleeper(Inbox& box) : inbox(box) {
    REQUIRE(!poller.open());
    REQUIRE(!poller.add(inbox.wake_fd(), 1, martlet::sys::kReadable));
  }
  void sleep() {
    const bool may = inbox.try_sleep();
    const int events = poller.wait(may ? kLongWait : 0);
    if (may) slept++;
    if (may && events == 0) lost++;
    inbox.awake(events > 0);
  }
};

}  // namespace martlet::test

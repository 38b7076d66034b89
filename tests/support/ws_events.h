// What a WebSocket route of a test has seen, written down on the server's thread and asked for from the test's.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/server.h"

namespace martlet::test {

// Joins at the end of its scope, so that a test which fails in between ends in order.
struct Thread : std::thread {
  using std::thread::thread;
  Thread(Thread&&) noexcept = default;
  Thread& operator=(Thread&&) noexcept = default;
  ~Thread() {
    if (joinable()) join();
  }
};

// When it returns, the server has read and handled what had reached it before, and has delivered and written what that
// led to: a whole turn of its loop has passed.
inline void wait_a_turn(TestServer& server) {
  for (int i = 0; i < 2; i++) {
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> passed = done->get_future();
    server.app().post([&server, done] {
      server.app().after(milliseconds(0), [done] { done->set_value(); });
    });
    done.reset();
    REQUIRE(passed.wait_for(kPatience) == std::future_status::ready);
  }
}

class WsEvents {
 public:
  struct Closed {
    CloseCause cause;
    CloseCode code;
    std::string reason;
    WebSocket socket;
  };

  // Handlers that echo and write down; change what a test needs changed.
  WsHandlers handlers(WsOptions options = {}) {
    WsHandlers handlers;
    handlers.close = [this](WebSocket ws, const CloseInfo& why) { add_close(ws, why); };
    handlers.message = [this](WebSocket ws, const Message& msg) {
      add_message(msg.text());
      ws.send(msg);
    };
    handlers.options = std::move(options);
    return handlers;
  }

  void add_close(WebSocket ws, const CloseInfo& why) {
    const std::lock_guard lock(mutex_);
    closes_.push_back({why.cause, why.code, std::string(why.reason), ws});
  }
  void add_message(std::string_view text) {
    const std::lock_guard lock(mutex_);
    messages_.emplace_back(text);
  }
  std::vector<std::string> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  std::vector<Closed> closes() const {
    const std::lock_guard lock(mutex_);
    return closes_;
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    messages_.clear();
    closes_.clear();
  }

  // The one ending that was seen; waits for it.
  Closed only_close() const {
    eventually([this] { return !closes().empty(); });
    const std::vector<Closed> all = closes();
    REQUIRE(all.size() == 1);
    return all[0];
  }
  // Whether there was one ending, and it was this one.
  bool closed_with(CloseCause cause, CloseCode code) const {
    const Closed closed = only_close();
    if (closed.cause == cause && closed.code == code) return true;
    MESSAGE("closed with " << std::string(name_of(closed.cause)) << ", " << static_cast<int>(closed.code) << ", \""
                           << closed.reason << "\"");
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> messages_;
  std::vector<Closed> closes_;
};

}  // namespace martlet::test

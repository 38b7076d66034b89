// What a WebSocket route of a test has seen, written down on the server's thread and asked for from the test's.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/server.h"

namespace martlet::test {

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

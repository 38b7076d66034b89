// An App on a thread of its own for a test: it listens on a free port of 127.0.0.1, is asked things on its thread, and
// is stopped at the end of the scope. The end checks what every test promises: no connection is left, and the process
// has as many descriptors as before (clients of the test are to be closed, or declared before the server).
//
//   TestServer server([](App& app) { app.get("/", ...); });
//   Client client(server.port());
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <dirent.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/client.h"

namespace martlet::test {

// How many descriptors this process has open; -1 where the system does not tell.
inline int open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (!directory) return -1;
  int count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.';
  ::closedir(directory);
  return count - 1;  // the directory's own
}

// Looks again and again until it is true, or patience is out. For what another thread or the kernel does in its time.
template <typename F>
bool eventually(F condition, milliseconds patience = kPatience) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

struct TestServerOptions {
  AppOptions app = {};
  ListenOptions listen = {.host = "127.0.0.1"};
  RunOptions run = {.handle_signals = false};
  bool check_descriptors = true;  // at the end; off when a client outlives the server
};

class TestServer {
 public:
  // `set_up` registers routes, on the server's thread. The server listens when the constructor returns.
  explicit TestServer(std::function<void(App&)> set_up, TestServerOptions options = {})
      : options_(std::move(options)), descriptors_before_(open_descriptors()) {
    std::promise<bool> listening;
    thread_ = std::thread([&] { serve(set_up, listening); });
    const bool listens = listening.get_future().get();
    if (!listens) thread_.join();
    REQUIRE(listens);
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() { stop(); }

  uint16_t port() const { return port_; }
  // Its thread-safe calls (post, drain, close) only; anything else through on_thread.
  App& app() { return *app_; }

  // Runs fn(app) on the App's thread, waits for it and gives what it returned. Throws (and so fails the test) when the
  // server is over.
  template <typename F>
  auto on_thread(F fn) -> decltype(fn(std::declval<App&>())) {
    using T = decltype(fn(std::declval<App&>()));
    auto answer = std::make_shared<std::promise<T>>();  // dropped unrun, it breaks the promise
    std::future<T> future = answer->get_future();
    app_->post([this, fn = std::move(fn), answer]() mutable {
      if constexpr (std::is_void_v<T>) {
        fn(*app_);
        answer->set_value();
      } else {
        answer->set_value(fn(*app_));
      }
    });
    answer.reset();
    if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("the server does not turn");
    return future.get();
  }
  // Returns when the server has read and dealt with what had been sent to it before: bytes on loopback are readable at
  // once, and a turn takes what is readable before it takes posted functions.
  void turn() {
    on_thread([](App&) {});
  }
  Stats stats() {
    return on_thread([](App& app) { return app.stats(); });
  }
  // Waits until `condition(stats)` holds.
  template <typename F>
  bool wait_for_stats(F condition, milliseconds patience = kPatience) {
    return eventually([&] { return condition(stats()); }, patience);
  }
  bool wait_for_connections(uint64_t n) {
    return wait_for_stats([n](const Stats& s) { return s.open_connections == n; });
  }

  // Waits until run() has returned by itself (after a drain); its answer, or -1 when it did not in time.
  int wait_until_over(milliseconds patience = kPatience) {
    std::unique_lock lock(mutex_);
    if (!over_signal_.wait_for(lock, patience, [&] { return over_; })) return -1;
    return exit_status_;
  }

  // Ends the server at once and checks that nothing is left of it.
  void stop() {
    if (!thread_.joinable()) return;
    if (app_) {
      std::lock_guard lock(mutex_);
      if (!over_) app_->close();
    }
    thread_.join();
    CHECK(exit_status_ == 0);
    CHECK(left_connections_ == 0);
    // Another server of the test may still be letting go of a client that has just closed.
    if (options_.check_descriptors) CHECK(eventually([&] { return open_descriptors() <= descriptors_before_; }));
  }

 private:
  void serve(const std::function<void(App&)>& set_up, std::promise<bool>& listening) {
    App app(options_.app);
    set_up(app);
    const auto port = app.listen(options_.listen);
    if (port) {
      port_ = *port;
      app_ = &app;
    }
    listening.set_value(port.ok());
    if (!port) return;
    const int status = app.run(options_.run);
    const uint64_t left = app.stats().open_connections;
    std::lock_guard lock(mutex_);
    exit_status_ = status;
    left_connections_ = left;
    over_ = true;
    over_signal_.notify_all();
  }

  TestServerOptions options_;
  int descriptors_before_;
  std::thread thread_;
  App* app_ = nullptr;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable over_signal_;
  bool over_ = false;
  int exit_status_ = 0;
  uint64_t left_connections_ = 0;
};

}  // namespace martlet::test

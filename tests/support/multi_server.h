// A Server of several workers for a test: on a free port of 127.0.0.1, started and waited for on a thread of its own,
// stopped at the end of the scope. The end checks that no connection and no descriptor is left.
//
//   MultiServer server(4, [](App& app) { app.ws("/w", ...); });
//   WsClient client = server.client_of(2, "/w");    // a WebSocket on worker 2
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"

namespace martlet::test {

// The WebSockets by number, for handlers of whatever worker.
struct Register {
  std::mutex mutex;
  std::vector<WebSocket> sockets;
  void put(size_t at, WebSocket ws) {
    const std::lock_guard lock(mutex);
    if (sockets.size() <= at) sockets.resize(at + 1);
    sockets[at] = ws;
  }
  WebSocket get(size_t at) {
    const std::lock_guard lock(mutex);
    return at < sockets.size() ? sockets[at] : WebSocket();
  }
};

class MultiServer {
 public:
  // `set_up` runs for each worker with its number. A WebSocket that opens on "/w" is told the number of its worker as its
  // first message, where `set_up` does that itself (see tell()).
  MultiServer(uint32_t workers, std::function<void(App&, uint32_t)> set_up, ServerOptions options = {},
              RunOptions run = {.handle_signals = false})
      : descriptors_before_(open_descriptors()) {
    options.workers = workers;
    if (options.host == "*") options.host = "127.0.0.1";
    server_ = std::make_unique<Server>(std::move(options));
    std::promise<bool> started;
    thread_ = std::thread([this, set_up = std::move(set_up), run, &started] {
      uint32_t next = 0;
      const Error error = server_->start([&](App& app) { set_up(app, next++); });
      started.set_value(!error);
      if (!error) status_ = server_->wait(run);
      over_ = true;
    });
    const bool good = started.get_future().get();
    if (!good) thread_.join();
    REQUIRE(good);
  }
  MultiServer(const MultiServer&) = delete;
  MultiServer& operator=(const MultiServer&) = delete;
  ~MultiServer() { stop(); }

  Server& server() { return *server_; }
  uint16_t port() const { return server_->port(); }

  // An open handler's first words: which worker the connection is on.
  static void tell(WebSocket ws, uint32_t worker) { ws.send("worker " + std::to_string(worker)); }
  // A WebSocket on that worker: connects until the kernel gives one. Its first message (tell()) has been read.
  WsClient client_of(uint32_t worker, std::string_view target) {
    for (int tries = 0; tries < 1000; tries++) {
      WsClient client(port(), target);
      if (client.open() && client.reads("worker " + std::to_string(worker))) return client;
    }
    throw std::runtime_error("no connection came to that worker");
  }

  // Runs fn(app) on a worker's thread, waits for it and gives what it returned.
  template <typename F>
  auto on_worker(uint32_t worker, F fn) -> decltype(fn(std::declval<App&>())) {
    using T = decltype(fn(std::declval<App&>()));
    auto answer = std::make_shared<std::promise<T>>();  // dropped unrun, it breaks the promise
    std::future<T> future = answer->get_future();
    server_->post(worker, [fn = std::move(fn), answer](App& app) mutable {
      if constexpr (std::is_void_v<T>) {
        fn(app);
        answer->set_value();
      } else {
        answer->set_value(fn(app));
      }
    });
    answer.reset();
    if (future.wait_for(kPatience) != std::future_status::ready) throw std::runtime_error("the worker does not turn");
    return future.get();
  }
  Stats stats() { return server_->stats(); }

  // Waits until wait() has returned by itself; its answer, or -1 when it did not in time.
  int wait_until_over(milliseconds patience = kPatience) {
    return eventually([&] { return over_.load(); }, patience) ? status_.load() : -1;
  }
  // Ends the server at once and checks that nothing is left of it.
  void stop() {
    if (!thread_.joinable()) return;
    server_->close();
    thread_.join();
    CHECK(status_ == 0);
    CHECK(server_->stats().open_connections == 0);
    CHECK(server_->stats().open_websockets == 0);
    server_.reset();
    CHECK(eventually([&] { return open_descriptors() <= descriptors_before_; }));
  }

 private:
  int descriptors_before_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::atomic<int> status_{-1};
  std::atomic<bool> over_{false};
};

}  // namespace martlet::test

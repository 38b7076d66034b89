// Servers of rooms for tests: WebSockets that a test acts with by number, and what their clients have heard.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

namespace martlet::test {

using Heard = std::vector<std::vector<std::string>>;

// On one worker. A test acts on the server's thread.
struct RoomHall {
  std::vector<WebSocket> sockets = {};
  Function<void(WebSocket, const CloseInfo&)> on_close = {};
  Function<void(WebSocket, const Message&)> on_message = {};
  std::function<void(App&)> more = {};  // of the set-up
  TestServer server;
  std::vector<WsClient> clients = {};

  explicit RoomHall(const RoomsOptions& options = {}, std::function<void(App&)> set_up = {}, WsOptions route = {})
      : more(std::move(set_up)), server([this, options, &route](App& app) {
          app.rooms_options(options);
          if (more) more(app);
          app.ws("/hall", {.open = [this](WebSocket ws, Request&) { sockets.push_back(ws), ws.send("ready"); },
                           .message = [this](WebSocket ws, const Message& m) { on_message(ws, m); },
                           .close = [this](WebSocket ws, const CloseInfo& why) { on_close(ws, why); },
                           .options = std::move(route)});
        }) {}
  void add(size_t count = 1) {
    for (size_t i = 0; i < count; i++) {
      clients.emplace_back(server.port(), "/hall");
      REQUIRE(clients.back().reads("ready"));
    }
  }
  template <typename F>
  auto act(F fn) {
    return server.on_thread([&](App& app) { return fn(app, sockets); });
  }
  // What every client has been sent since the last time.
  Heard heard() {
    act([](App&, auto& ws) {
      for (const WebSocket& one : ws) one.send("end");
    });
    Heard all(clients.size());
    for (size_t i = 0; i < clients.size(); i++) {
      for (WsFrame frame = clients[i].read_frame(); frame.ok() && frame.payload != "end"; frame = clients[i].read_frame()) {
        all[i].push_back(frame.payload);
      }
    }
    return all;
  }
};

// On three workers.
struct ThreeHalls {
  std::mutex mutex;
  std::vector<WebSocket> opened;
  MultiServer server;
  std::vector<WebSocket> sockets = {};
  std::vector<WsClient> clients = {};

  explicit ThreeHalls(const RoomsOptions& options = {}, std::function<void(App&, uint32_t)> set_up = {})
      : server(3, [this, options, set_up](App& app, uint32_t worker) {
          app.rooms_options(options);
          if (set_up) set_up(app, worker);
          app.ws("/w", [this, worker](WebSocket ws, Request&) {
            const std::lock_guard lock(mutex);
            opened.push_back(ws);
            MultiServer::tell(ws, worker);
          });
        }) {}
  // A client on that worker, in these rooms, which are apart by spaces.
  void add(uint32_t worker, const std::string& rooms) {
    clients.push_back(server.client_of(worker, "/w"));
    {
      const std::lock_guard lock(mutex);
      sockets.push_back(opened.back());
    }
    server.on_worker(worker, [ws = sockets.back(), rooms](App&) {
      std::istringstream names(rooms);
      for (std::string name; names >> name;) ws.join(name);
    });
  }
};

}  // namespace martlet::test

// Server: starting, errors of a start, ending, and doing so again and again.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"
#include "support/stderr_text.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

void who(App& app, uint32_t worker) {
  app.get("/who", [worker](Request&, Response& res) { res.send(std::to_string(worker)); });
  app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                .message = [](WebSocket ws, const Message& m) { ws.send(m); }});
}

int threads_of_process() {
  DIR* directory = ::opendir("/proc/self/task");
  if (!directory) return 0;
  int count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.';
  ::closedir(directory);
  return count;
}

ServerOptions local(uint32_t workers, uint16_t port = 0) { return {.host = "127.0.0.1", .port = port, .workers = workers}; }

}  // namespace

TEST_CASE("server: every worker serves the same port") {
  MultiServer server(4, who);
  CHECK(server.server().workers() == 4);
  std::set<std::string> heard;
  for (int i = 0; i < 2000 && heard.size() < 4; i++) {
    Client client(server.port());
    heard.insert(client.get("/who").body);
  }
  CHECK(heard == std::set<std::string>{"0", "1", "2", "3"});
}

TEST_CASE("server: starting and ending it many times leaves nothing behind") {
  const int descriptors = open_descriptors();
  const int threads = threads_of_process();
  for (int round = 0; round < 20; round++) {
    Server server(local(3));
    for (int again = 0; again < 2; again++) {
      uint32_t set_up = 0;
      REQUIRE(!server.start([&](App& app) { who(app, set_up++); }));
      CHECK(set_up == 3);
      Client client(server.port());
      CHECK(client.get("/who").status == 200);
      again == 0 ? server.close() : server.drain();
      CHECK(server.wait({.handle_signals = false}) == 0);
      CHECK(server.progress().over);
    }
  }
  CHECK(eventually([&] { return open_descriptors() <= descriptors; }));
  CHECK(threads_of_process() == threads);
}

TEST_CASE("server: an error of one worker's start ends all and is the answer") {
  const int descriptors = open_descriptors();
  const int threads = threads_of_process();
  SUBCASE("the port is taken") {
    TestServer other([](App&) {});
    Server server(local(2, other.port()));
    const Error error = server.start([](App& app) { who(app, 0); });
    REQUIRE(error);
    CHECK(error.what() == "bind 127.0.0.1:" + std::to_string(other.port()));
    StderrText printed;
    CHECK(server.run([](App&) {}) == 1);
    CHECK(printed.take() == "martlet: " + error.message() + "\n");
  }
  SUBCASE("a bad route, on the last worker") {
    Server server(local(3));
    int worker = 0;
    set_log_level(LogLevel::off);
    const Error error = server.start([&](App& app) { app.get(worker++ == 2 ? "no-slash" : "/slash", [](Request&, Response&) {}); });
    set_log_level(LogLevel::warn);
    CHECK(error);
    CHECK(worker == 3);
    CHECK(server.start([&](App& app) { who(app, 0); }).what() == "");  // and may be tried again
  }
  SUBCASE("the function answers an error") {
    Server server(local(3));
    const Error error = server.start([](App&) { return Error("not today"); });
    CHECK(error.what() == "not today");
  }
  SUBCASE("the function throws") {
    Server server(local(2));
    CHECK(server.start([](App&) { throw std::runtime_error("no"); }));
  }
  CHECK(eventually([&] { return open_descriptors() <= descriptors; }));
  CHECK(threads_of_process() == threads);
}

TEST_CASE("server: rooms, counts and publishing are of all workers") {
  MultiServer server(3, [](App& app, uint32_t worker) {
    app.ws("/v", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); }});
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                  .message =
                      [&app](WebSocket ws, const Message& m) {
                        const std::string text(m.text());
                        if (text.starts_with("join ")) ws.send("joined " + std::to_string(ws.join(text.substr(5)).size()));
                        if (text.starts_with("room ")) ws.to("den").send(text);
                        if (text.starts_with("route ")) ws.to_route("/w").send(text);
                        if (text.starts_with("others ")) ws.broadcast(text);
                        if (text.starts_with("all ")) app.broadcast(text);
                        if (text == "id") ws.send(ws.id());
                        if (text.starts_with("to ")) app.send_to(text.substr(3), "found");
                      }});
  });
  std::vector<WsClient> clients;
  for (const uint32_t worker : {0u, 1u, 2u, 1u}) clients.push_back(server.client_of(worker, "/w"));
  WsClient of_other_route = server.client_of(2, "/v");
  for (size_t i = 0; i < clients.size(); i++) {
    REQUIRE(clients[i].send_text("join den"));
    CHECK(clients[i].reads("joined " + std::to_string(i + 1)));
  }
  for (size_t from = 0; from < clients.size(); from++) {
    for (const char* kind : {"room ", "route ", "others "}) {
      const std::string text = kind + std::to_string(from);
      REQUIRE(clients[from].send_text(text));
      for (size_t to = 0; to < clients.size(); to++) {
        if (to != from) CHECK(clients[to].reads(text));
      }
    }
    CHECK(of_other_route.reads("others " + std::to_string(from)));
    REQUIRE(clients[from].send_text("all " + std::to_string(from)));
    CHECK(of_other_route.reads("all " + std::to_string(from)));
    for (WsClient& client : clients) CHECK(client.reads("all " + std::to_string(from)));
  }
  REQUIRE(clients[0].send_text("id"));
  const std::string id = clients[0].read_message().payload;
  REQUIRE(clients[2].send_text("to " + id));
  CHECK(clients[0].reads("found"));

  const auto rooms = server.on_worker(0, [](App& app) { return app.rooms(); });
  REQUIRE(rooms.size() == 1);
  CHECK(rooms[0].name == "den");
  CHECK(rooms[0].size == 4);
  CHECK(server.on_worker(1, [](App& app) { return app.connections(); }) >= 4);
  CHECK(server.on_worker(2, [](App& app) { return app.room("den").name(); }) == "den");
  CHECK(eventually([&] { return server.stats().open_rooms == 1; }));

  server.on_worker(2, [](App& app) { app.close_all(CloseCode::going_away, "all"); });
  for (WsClient& client : clients) CHECK(client.read_close() == 1001);
}

TEST_CASE("server: to all, and to a room, from a request's handler, a timer and a thread that is none of the workers'") {
  MultiServer server(2, [](App& app, uint32_t worker) {
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) {
      ws.join("den");
      MultiServer::tell(ws, worker);
    }});
    app.ws("/outside", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); }});
    app.post("/tell", [&app](Request& req, Response& res) {
      app.broadcast(req.body());
      app.to("den").send("den: " + std::string(req.body()));
      res.send("told");
    });
    app.post("/every", [&app](Request&, Response& res) {
      const auto timer = std::make_shared<TimerId>();
      *timer = app.every(1ms, [&app, timer, times = 0]() mutable {
        app.broadcast("tick " + std::to_string(++times));
        app.to("den").send("den: tick " + std::to_string(times));
        if (times == 2) app.cancel(*timer);
      });
      res.send("soon");
    });
    app.post("/later", [&app](Request&, Response& res) {
      app.after(1ms, [&app] {
        app.broadcast("later");
        app.to("den").send("den: later");
      });
      res.send("soon");
    });
  });
  std::vector<WsClient> members;
  for (const uint32_t worker : {0u, 1u}) members.push_back(server.client_of(worker, "/w"));
  WsClient outside = server.client_of(1, "/outside");
  for (uint32_t worker = 0; worker < 2; worker++) {
    REQUIRE(eventually([&] {
      return server.on_worker(worker, [](App& app) { return app.room("den").size() >= 2; });
    }));
  }
  const auto all_hear = [&](const std::string& text) {
    CHECK(outside.reads(text));
    for (WsClient& member : members) {
      CHECK(member.reads(text));
      CHECK(member.reads("den: " + text));
    }
  };
  const auto post = [&](const std::string& target, const std::string& body) {
    Client client(server.port());
    return client.request("POST " + target + " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body).body;
  };
  CHECK(post("/tell", "by request") == "told");
  all_hear("by request");
  CHECK(post("/later", "") == "soon");
  all_hear("later");
  CHECK(post("/every", "") == "soon");
  all_hear("tick 1");
  all_hear("tick 2");
  App* app = server.on_worker(1, [](App& one) { return &one; });
  std::thread([app] {
    CHECK(app->broadcast("thread") == SendStatus::posted);
    CHECK(app->to("den").send("den: thread") == SendStatus::posted);
  }).join();
  all_hear("thread");
}

TEST_CASE("server: who asks it to end while it starts is heard by all workers") {
  for (const bool drain : {false, true}) {
    Server server(local(3));
    uint32_t worker = 0;
    REQUIRE(!server.start([&](App& app) {
      who(app, worker);
      if (worker++ == 1) drain ? server.drain() : server.close();
    }));
    CHECK(worker == 3);
    CHECK(server.wait({.handle_signals = false}) == 0);
  }
}

TEST_CASE("server: an App's calls for any thread may be made while its worker ends, and after that") {
  App* apps[2] = {};
  Server server(local(2));
  uint32_t worker = 0;
  REQUIRE(!server.start([&](App& app) { who(app, worker), apps[worker++] = &app; }));
  std::atomic<bool> over{false};
  std::thread caller([&] {
    while (!over) {
      for (App* app : apps) {
        app->to("hall").send("text");
        app->everybody().send("text");
        app->to_route("/w").send("text");
        app->post([] {});
      }
    }
  });
  server.drain();
  CHECK(server.wait({.handle_signals = false}) == 0);
  CHECK(apps[1]->to("hall").send("text") == SendStatus::closed);
  over = true;
  caller.join();
}

TEST_CASE("server: what a posted function carries may ask the Server something when it is dropped") {
  Server server(local(2));
  REQUIRE(!server.start([](App& app) { who(app, 0); }));
  server.close();
  CHECK(server.wait({.handle_signals = false}) == 0);
  struct Asks {
    Server* server;
    int* asked;
    void operator()(Server* s) const { *asked += s->stats().open_connections == 0; }
  };
  int asked = 0;
  const Asks asks{&server, &asked};
  server.post(0, [kept = std::unique_ptr<Server, Asks>(&server, asks)](App&) {});
  server.post(2, [kept = std::unique_ptr<Server, Asks>(&server, asks)](App&) {});
  CHECK(asked == 2);
}

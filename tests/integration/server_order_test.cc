// What holds across the workers of a Server: order per sender and room, exactly once, sizes, and limits of all together.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Text commands: "burst FROM N" sends N numbered messages to the room, each followed by a direct one to socket 0.
void speak(App& app, uint32_t worker, Register& all) {
  app.ws("/w", {
      .open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
      .message = [&app, &all](WebSocket ws, const Message& m) {
        const std::string text(m.text());
        const std::string rest = text.substr(text.find(' ') + 1);
        if (text.starts_with("me ")) {
          all.put(std::stoul(rest), ws);
          ws.send("ok");
        } else if (text.starts_with("join ")) {
          ws.send("size " + std::to_string(ws.join(rest).size()));
        } else if (text.starts_with("leave ")) {
          ws.leave(rest);
          ws.send("size " + std::to_string(app.room(rest).size()));
        } else if (text.starts_with("burst ")) {
          const auto at = rest.find(' ');
          const std::string from = rest.substr(0, at);
          for (int i = 0, n = std::stoi(rest.substr(at + 1)); i < n; i++) {
            app.to("hall").send(from + " " + std::to_string(2 * i));
            all.get(0).send(from + " " + std::to_string(2 * i + 1));
          }
        } else if (text.starts_with("fetch ")) {  // makes another socket join a room, and greets the room
          const auto at = rest.find(' ');
          const WebSocket other = all.get(std::stoul(rest.substr(0, at)));
          const std::string room = rest.substr(at + 1);
          other.send("1");
          other.join(room);
          app.to(room).send("2");
          other.send("3");
          other.leave(room);
          app.to(room).send("nobody is left");
          other.send("4");
        } else if (text.starts_with("others ")) {
          ws.to("hall").except(all.get(std::stoul(rest))).send(text);
        } else if (text.starts_with("big ")) {
          app.to("hall").send(pattern(std::stoul(rest)));
        } else {
          app.to("hall").send(text);
        }
      },
      .options = {.max_unsent_bytes = 64_MiB},
  });
}

struct Hall {
  Register all = {};
  MultiServer server;
  std::vector<WsClient> clients = {};

  Hall(uint32_t workers, const std::vector<uint32_t>& where)
      : server(workers, [this](App& app, uint32_t worker) { speak(app, worker, all); }) {
    for (const uint32_t worker : where) {
      WsClient client = server.client_of(worker, "/w");
      REQUIRE(client.send_text("me " + std::to_string(clients.size())));
      REQUIRE(client.reads("ok"));
      REQUIRE(client.send_text("join hall"));
      REQUIRE(client.reads("size " + std::to_string(clients.size() + 1)));
      clients.push_back(std::move(client));
    }
  }
  // Everybody, on every worker, hears this next.
  bool all_read(std::string_view text) {
    bool good = true;
    for (WsClient& client : clients) good = client.reads(text) && good;
    return good;
  }
};

}  // namespace

TEST_CASE("server_order: each receiver hears each sender's messages in order, each once, direct ones in between") {
  constexpr int kMessages = 2000;
  Hall hall(3, {0, 0, 1, 1, 2, 2});
  for (size_t i = 0; i < hall.clients.size(); i++) {
    REQUIRE(hall.clients[i].send_text("burst " + std::to_string(i) + " " + std::to_string(kMessages)));
  }
  for (size_t i = 0; i < hall.clients.size(); i++) {
    const int step = i == 0 ? 1 : 2;  // the direct ones are for socket 0
    std::map<std::string, int> next;
    const size_t want = hall.clients.size() * kMessages * (i == 0 ? 2 : 1);
    for (size_t n = 0; n < want; n++) {
      const std::string text = hall.clients[i].read_message().payload;
      const auto at = text.find(' ');
      REQUIRE(at != std::string::npos);
      int& expected = next[text.substr(0, at)];
      REQUIRE(std::stoi(text.substr(at + 1)) == expected);
      expected += step;
    }
  }
  REQUIRE(hall.clients[1].send_text("the end"));
  CHECK(hall.all_read("the end"));  // and nothing more than once
}

TEST_CASE("server_order: a join that was acknowledged is seen by a publish on any worker, a leave as well") {
  Hall hall(2, {0, 1});
  WsClient guest = hall.server.client_of(1, "/w");
  for (int i = 0; i < 300; i++) {
    REQUIRE(guest.send_text("join hall"));
    REQUIRE(guest.reads("size 3"));
    const std::string in = "in " + std::to_string(i);
    REQUIRE(hall.clients[0].send_text(in));
    REQUIRE(guest.reads(in));
    REQUIRE(hall.all_read(in));
    REQUIRE(guest.send_text("leave hall"));
    REQUIRE(guest.reads("size 2"));
    const std::string out = "out " + std::to_string(i);
    REQUIRE(hall.clients[0].send_text(out));
    REQUIRE(hall.all_read(out));
  }
  // The first to come and the last to go make and end the room on a worker, again and again.
  for (int i = 0; i < 300; i++) {
    REQUIRE(guest.send_text("join den " + std::to_string(i % 3)));
    REQUIRE(guest.reads("size 1"));
    REQUIRE(guest.send_text("leave den " + std::to_string(i % 3)));
    REQUIRE(guest.reads("size 0"));
  }
}

TEST_CASE("server_order: the excepted hear nothing, wherever they are") {
  Hall hall(3, {0, 1, 2});
  for (size_t from = 0; from < 3; from++) {
    for (size_t not_to = 0; not_to < 3; not_to++) {
      const std::string text = "others " + std::to_string(not_to);
      REQUIRE(hall.clients[from].send_text(text));
      for (size_t i = 0; i < 3; i++) {
        if (i != from && i != not_to) CHECK(hall.clients[i].reads(text));
      }
      REQUIRE(hall.clients[from].send_text("and all"));
      CHECK(hall.all_read("and all"));
    }
  }
}

TEST_CASE("server_order: messages of every size cross, small ones around them in order") {
  Hall hall(2, {0, 1, 1});
  for (const size_t size : {0u, 125u, 126u, 16u * 1024 - 8, 16u * 1024, 64u * 1024 - 16, 65536u, 1u << 20}) {
    CAPTURE(size);
    REQUIRE(hall.clients[0].send_text("before"));
    REQUIRE(hall.clients[0].send_text("big " + std::to_string(size)));
    REQUIRE(hall.clients[0].send_text("after"));
    for (WsClient& client : hall.clients) {
      CHECK(client.reads("before"));
      CHECK(client.read_message().payload == pattern(size));
      CHECK(client.reads("after"));
    }
  }
}

TEST_CASE("server_order: what a thread that is no worker does keeps its order for each receiver") {
  Hall hall(3, {0, 1, 2});
  WebSocket second = hall.all.get(1);
  std::atomic<App*> app{nullptr};
  hall.server.on_worker(0, [&](App& a) { app = &a; });
  for (int i = 0; i < 500; i++) {
    second.send("direct " + std::to_string(i));
    app.load()->to("hall").send("room " + std::to_string(i));
    second.send("again " + std::to_string(i));
  }
  for (int i = 0; i < 500; i++) {
    REQUIRE(hall.clients[1].reads("direct " + std::to_string(i)));
    for (WsClient& client : hall.clients) REQUIRE(client.reads("room " + std::to_string(i)));
    REQUIRE(hall.clients[1].reads("again " + std::to_string(i)));
  }
}

TEST_CASE("server_order: a room's handle is good on every worker, and gone when the room is") {
  Hall hall(2, {0, 1});
  const Room room = hall.server.on_worker(0, [](App& app) { return app.room("hall"); });
  hall.server.on_worker(1, [room](App& app) {
    CHECK(room.ok());
    CHECK(room.size() == 2);
    CHECK(room.name() == "hall");
    CHECK(app.room("hall") == room);
    CHECK(room.send("from one") == SendStatus::ok);
  });
  CHECK(hall.all_read("from one"));
  for (WsClient& client : hall.clients) CHECK(client.close_nicely());
  CHECK(eventually([&] { return hall.server.on_worker(0, [room](App&) { return !room.ok() && room.size() == 0; }); }));
  hall.server.on_worker(1, [room](App&) { CHECK(room.send("nobody") == SendStatus::closed); });
}

TEST_CASE("server_order: a route is the same on workers that have registered it at another place") {
  MultiServer server(2, [](App& app, uint32_t worker) {
    const auto add = [&app, worker](const char* path) {
      app.ws(path, {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); }});
    };
    add(worker == 0 ? "/a" : "/b");
    add(worker == 0 ? "/b" : "/a");
  });
  std::vector<WsClient> of_a, of_b;
  for (const uint32_t worker : {0u, 1u}) {
    of_a.push_back(server.client_of(worker, "/a"));
    of_b.push_back(server.client_of(worker, "/b"));
  }
  const Audience to_b = server.on_worker(0, [](App& app) {
    app.to_route("/a").send("from a worker");
    return app.to_route("/b");
  });
  CHECK(to_b.send("from a thread") == SendStatus::posted);
  for (WsClient& client : of_a) CHECK(client.reads("from a worker"));
  for (WsClient& client : of_b) CHECK(client.reads("from a thread"));
  server.on_worker(1, [](App& app) { app.everybody().send("the end"); });
  for (WsClient& client : of_a) CHECK(client.reads("the end"));
  for (WsClient& client : of_b) CHECK(client.reads("the end"));
}

TEST_CASE("server_order: max_connections counts all workers") {
  ServerOptions options;
  options.app.max_connections = 10;
  MultiServer server(3, [](App& app, uint32_t) { app.get("/", [](Request&, Response& res) { res.send("in"); }); }, options);
  std::vector<Client> clients;
  for (int i = 0; i < 10; i++) {
    clients.emplace_back(server.port());
    CHECK(clients.back().get("/").status == 200);
  }
  for (int i = 0; i < 6; i++) CHECK(Client(server.port()).get("/").status == 503);
  for (Client& client : clients) CHECK(client.get("/").status == 200);
  clients.erase(clients.begin(), clients.begin() + 3);
  CHECK(eventually([&] { return server.stats().open_connections == 7; }));
  for (int i = 0; i < 3; i++) {
    clients.emplace_back(server.port());
    CHECK(clients.back().get("/").status == 200);
  }
  CHECK(Client(server.port()).get("/").status == 503);
}

TEST_CASE("server_order: max_connections of a route counts all workers, exactly, whoever comes and goes at the same time") {
  constexpr uint32_t kMost = 7;
  std::atomic<uint32_t> open{0}, most_open{0};
  MultiServer server(4, [&](App& app, uint32_t) {
    app.ws("/few", {.open = [&](WebSocket, Request&) {
                      const uint32_t now = ++open;
                      for (uint32_t most = most_open; now > most && !most_open.compare_exchange_weak(most, now);) {
                      }
                    },
                    .close = [&](WebSocket, const CloseInfo&) { open--; },
                    .options = {.max_connections = kMost}});
    app.ws("/many", {.options = {.max_connections = kMost + 1}});
  });
  const auto storm = [&server](int tries, bool stay) {
    std::mutex mutex;
    std::vector<WsClient> in;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) {
      threads.emplace_back([&] {
        for (int n = 0; n < tries; n++) {
          WsClient client(server.port(), "/few");
          const std::lock_guard lock(mutex);
          if (!client.open()) {
            CHECK(client.handshake.status == 503);
          } else if (stay) {
            in.push_back(std::move(client));
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return in;
  };
  for (int round = 0; round < 5; round++) {
    storm(10, false);
    CHECK(eventually([&] { return server.stats().open_websockets == 0; }));
    std::vector<WsClient> in = storm(6, true);
    CHECK(in.size() == kMost);
    CHECK(open == kMost);
    CHECK(WsClient(server.port(), "/few").handshake.status == 503);
    CHECK(WsClient(server.port(), "/many").open());
    in.erase(in.begin(), in.begin() + 2);
    CHECK(eventually([&] { return open == kMost - 2; }));
    CHECK(eventually([&] { return server.stats().open_websockets == kMost - 2; }));
    for (int i = 0; i < 2; i++) in.emplace_back(server.port(), "/few");
    for (WsClient& client : in) CHECK(client.open());
    CHECK(WsClient(server.port(), "/few").handshake.status == 503);
    in.clear();
    CHECK(eventually([&] { return server.stats().open_websockets == 0; }));
  }
  CHECK(most_open == kMost);
}

TEST_CASE("server_order: a handler that makes a socket of another worker join, and then sends to the room, reaches it") {
  Hall hall(2, {0, 1, 0});
  for (int i = 0; i < 200; i++) {
    REQUIRE(hall.clients[0].send_text("fetch 1 den " + std::to_string(i % 5)));  // a room that nobody has
    for (const char* text : {"1", "2", "3", "4"}) REQUIRE(hall.clients[1].reads(text));
  }
  WsClient local = hall.server.client_of(0, "/w");
  REQUIRE(local.send_text("join den"));
  REQUIRE(local.reads("size 1"));
  for (int i = 0; i < 200; i++) {
    REQUIRE(hall.clients[0].send_text("fetch 1 den"));
    for (const char* text : {"1", "2", "3", "4"}) REQUIRE(hall.clients[1].reads(text));
    REQUIRE(local.reads("2"));
    REQUIRE(local.reads("nobody is left"));
  }
  hall.server.on_worker(0, [](App& app) { CHECK(app.rooms().size() == 2); });  // the hall and the den
}

TEST_CASE("server_order: a member of several rooms hears what is sent to each of them, once and in order") {
  Hall hall(3, {0, 1, 2});
  for (int room = 0; room < 10; room++) {
    for (size_t i = 0; i < 3; i++) {
      REQUIRE(hall.clients[i].send_text("join room " + std::to_string(room)));
      REQUIRE(hall.clients[i].reads("size " + std::to_string(i + 1)));
    }
  }
  std::vector<App*> apps;
  for (uint32_t i = 0; i < 3; i++) apps.push_back(hall.server.on_worker(i, [](App& app) { return &app; }));
  const auto say = [](App& app, const std::string& who) {
    for (int i = 0; i < 500; i++) app.to("room " + std::to_string(i % 10)).send(who + std::to_string(i));
  };
  hall.server.on_worker(1, [&](App& app) { say(app, "worker "); });
  std::thread outside([&] { say(*apps[2], "outside "); });
  for (WsClient& client : hall.clients) {
    int next[2] = {};
    for (int i = 0; i < 1000; i++) {
      const std::string text = client.read_message().payload;
      int& expected = next[text.starts_with("outside")];
      REQUIRE(text.ends_with(" " + std::to_string(expected)));
      expected++;
    }
  }
  outside.join();
  REQUIRE(hall.clients[2].send_text("the end"));
  CHECK(hall.all_read("the end"));
}

TEST_CASE("server_order: who has left, or gone, hears nothing more of a room, whoever made it leave") {
  Hall hall(2, {0, 1});
  const WebSocket second = hall.all.get(1);
  App* app = hall.server.on_worker(0, [](App& a) { return &a; });
  for (int i = 0; i < 200; i++) {
    second.leave("hall");
    app->to("hall").send("not for the second " + std::to_string(i));
    second.send("left");
    second.join("hall");
    app->to("hall").send("for both");
    REQUIRE(hall.clients[1].reads("left"));
    REQUIRE(hall.clients[1].reads("for both"));
    REQUIRE(hall.clients[0].reads("not for the second " + std::to_string(i)));
    REQUIRE(hall.clients[0].reads("for both"));
  }
}

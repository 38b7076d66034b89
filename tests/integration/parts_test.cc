// A part that wants every hook, on a server with real connections: what it hears, in which order, also from another
// worker; and a slot of a connection that ends with it.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <vector>

#include "app/app_access.h"
#include "realtime/publish.h"
#include "session/ws_session.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// What a feature would keep of a connection.
struct Count {
  static constexpr worker::PartKey kKey{};
  static inline std::atomic<int> alive = 0;  // of all workers
  Count() noexcept { alive++; }
  ~Count() { alive--; }
  int messages = 0;
};

struct Listener final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  explicit Listener(worker::Worker& w) noexcept : Part(w) {}
  static Listener& of(worker::Part& part) { return static_cast<Listener&>(part); }
  static Count* count_of(net::Connection& c) {
    auto& extras = c.state<session::WsState>().extras;
    if (!extras) extras = base::create<session::WsExtras>();
    return extras ? extras->slots.find_or_add<Count>() : nullptr;
  }

  std::vector<std::string> heard;
  int turns = 0;
  std::string* last_words = nullptr;
};

const worker::PartHooks Listener::kHooks{
    .turn_ended = [](worker::Part& p) { Listener::of(p).turns++; },
    .opened = [](worker::Part& p, net::Connection&) { Listener::of(p).heard.push_back("opened"); },
    .received =
        [](worker::Part& p, net::Connection& c, const session::MessageView& m) {
          Count* count = Listener::count_of(c);
          Listener::of(p).heard.push_back("received " + std::string(reinterpret_cast<const char*>(m.data), m.size) + " #" +
                                          std::to_string(count ? ++count->messages : 0));
        },
    .joined = [](worker::Part& p, net::Connection&, std::string_view room) { Listener::of(p).heard.push_back("joined " + std::string(room)); },
    .left = [](worker::Part& p, net::Connection&, std::string_view room) { Listener::of(p).heard.push_back("left " + std::string(room)); },
    .published =
        [](worker::Part& p, const realtime::Publication& what) {
          Listener::of(p).heard.push_back("published " + std::to_string(what.frames.messages) + " to " +
                                          (what.audience.room ? std::string(what.audience.room->name()) : "others"));
        },
    .closed = [](worker::Part& p, net::Connection&, const CloseInfo& why) { Listener::of(p).heard.push_back("closed " + std::to_string(static_cast<int>(why.code))); },
    .worker_ends = [](worker::Part& p) { *Listener::of(p).last_words = "ended"; },
};

Listener& listener_of(App& app) { return *AppAccess::worker(app).parts.find<Listener>(); }

}  // namespace

TEST_CASE("parts: a part hears of connections, messages, rooms, publications and the end") {
  std::string last_words;
  {
    TestServer server([&](App& app) {
      worker::Worker& w = AppAccess::worker(app);
      w.parts.find_or_add<Listener>(w)->last_words = &last_words;
      app.ws("/chat", [&app](WebSocket ws, Request&) {
        listener_of(app).heard.push_back("handler");
        ws.join("den");
        ws.join("den");  // is in it already: nothing to tell
        ws.on_message([&app](WebSocket from, const Message& m) {
          listener_of(app).heard.push_back("handler");
          if (m.text() == "all") from.to("den").send("to the others");
          if (m.text() == "me") app.to("den").send("to everybody");
        });
      });
    });
    {
      WsClient client(server.port(), "/chat");
      REQUIRE(client.open());
      REQUIRE(client.send_text("all"));  // nobody else is there: nothing is published
      REQUIRE(client.send_text("me"));
      CHECK(client.read_message().payload == "to everybody");
      CHECK(server.on_thread([](App&) { return Count::alive.load(); }) == 1);
      REQUIRE(client.send_close(1000));
      REQUIRE(server.wait_for_connections(0));
    }
    const auto heard = server.on_thread([](App& app) { return listener_of(app).heard; });
    CHECK(heard == std::vector<std::string>{"opened", "handler", "joined den", "received all #1", "handler", "received me #2", "handler",
                                            "published 1 to den", "closed 1000", "left den"});
    CHECK(server.on_thread([](App& app) { return listener_of(app).turns; }) > 3);
    CHECK(server.on_thread([](App&) { return Count::alive.load(); }) == 0);
    CHECK(last_words.empty());
  }
  CHECK(last_words == "ended");
}

TEST_CASE("parts: one that comes late hears the messages of connections that were there before") {
  std::string last_words;
  TestServer server([](App& app) { app.ws("/echo", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }}); });
  WsClient client(server.port(), "/echo");
  REQUIRE(client.open());
  REQUIRE(client.send_text("before"));
  CHECK(client.read_message().payload == "before");
  server.on_thread([&](App& app) {
    worker::Worker& w = AppAccess::worker(app);
    w.parts.find_or_add<Listener>(w)->last_words = &last_words;
  });
  REQUIRE(client.send_text("after"));
  CHECK(client.read_message().payload == "after");
  CHECK(server.on_thread([](App& app) { return listener_of(app).heard; }) == std::vector<std::string>{"received after #1"});
}

TEST_CASE("parts: what is published on one worker is heard on the other, where it has members") {
  std::string last_words[2];
  std::atomic<int> heard{0};
  MultiServer server(2, [&](App& app, uint32_t number) {
    worker::Worker& w = AppAccess::worker(app);
    w.parts.find_or_add<Listener>(w)->last_words = &last_words[number];
    app.ws("/w", [&app, &heard, number](WebSocket ws, Request&) {
      MultiServer::tell(ws, number);
      ws.join("den");
      ws.on_message([&app, &heard](WebSocket from, const Message& m) {
        if (m.text() == "go") from.to("den").send("hello");
        if (m.text() != "look") return;
        for (const std::string& line : listener_of(app).heard) heard += line == "published 1 to den";
        from.send("looked");
      });
    });
  });
  WsClient sender = server.client_of(0, "/w");
  WsClient receiver = server.client_of(1, "/w");
  REQUIRE(sender.send_text("go"));
  CHECK(receiver.reads("hello"));
  REQUIRE(receiver.send_text("look"));
  CHECK(receiver.reads("looked"));
  CHECK(heard == 1);
}

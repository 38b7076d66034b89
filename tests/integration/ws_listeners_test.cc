// A connection's own listeners: their order, the once forms, taking them out by id, and lists that change while they run.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// What a connection answers to these messages, each told apart by a Ping of the client's behind it.
std::vector<std::string> answers(WsClient& client, const std::vector<std::string>& messages) {
  std::vector<std::string> heard;
  for (const std::string& message : messages) {
    if (!client.send(ws_frame(kText, message) + ws_frame(kPing, ""))) return {};
    std::string all;
    for (;;) {
      const WsFrame frame = client.read_frame();
      if (!frame.ok() || frame.opcode == kPong) break;
      all.append(frame.payload);
    }
    heard.push_back(all);
  }
  return heard;
}

using Heard = std::vector<std::string>;

auto says(const char* text) {
  return [text](WebSocket ws, const Message&) { ws.send(text); };
}

}  // namespace

TEST_CASE("ws listeners: several hear of a message, in order, and each goes by its id") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      ws.on_message(says("a"));
      const ListenerId b = ws.on_message(says("b"));
      ws.on_message(says("c"));
      CHECK(b);
      CHECK_FALSE(ws.on_message(nullptr));
      ws.on_message([b](WebSocket from, const Message& m) {
        if (m.text() != "drop b") return;
        from.off(b);
        from.off(b);
        from.off(ListenerId());
        from.off(ListenerId{b.number + 1'000'000});
      });
    });
  });
  WsClient client(server.port());
  CHECK(answers(client, {"1", "drop b", "2"}) == Heard{"abc", "abc", "ac"});
}

TEST_CASE("ws listeners: once means once, also when it adds itself again") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      ws.once_message(says("one"));
      ws.on_message(says("."));
      ws.once_message([](WebSocket from, const Message&) { from.once_message(says("again")); });
      const ListenerId never = ws.once_message(says("never"));
      ws.off(never);
    });
  });
  WsClient client(server.port());
  CHECK(answers(client, {"1", "2", "3"}) == Heard{"one.", ".again", "."});
}

TEST_CASE("ws listeners: a list may change in any way while it runs") {
  auto kept = std::make_shared<std::string>("kept");
  const std::weak_ptr<std::string> watch = kept;
  TestServer server([&](App& app) {
    app.ws("/", [kept = std::move(kept)](WebSocket ws, Request&) mutable {
      auto ids = std::make_shared<std::vector<ListenerId>>();
      // The first one takes itself and all behind it out, adds others, and still has what it captured.
      ids->push_back(ws.on_message([ids, kept = std::move(kept)](WebSocket from, const Message&) {
        for (const ListenerId id : *ids) from.off(id);
        for (int i = 0; i < 3; i++) from.on_message(says("new "));
        from.send(*kept);
      }));
      for (int i = 0; i < 5; i++) ids->push_back(ws.on_message(says("gone")));
    });
  });
  WsClient client(server.port());
  CHECK(answers(client, {"1", "2"}) == Heard{"kept", "new new new "});
  wait_a_turn(server);
  CHECK(watch.expired());
}

TEST_CASE("ws listeners: the last one goes and another comes: that one waits for the next message") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      auto last = std::make_shared<ListenerId>();
      ws.on_message([last](WebSocket from, const Message&) {
        from.send("x");
        from.off(*last);
        *last = from.on_message(says("y"));
      });
      *last = ws.on_message(says("z"));
    });
  });
  WsClient client(server.port());
  CHECK(answers(client, {"1", "2", "3"}) == Heard{"x", "x", "x"});
}

TEST_CASE("ws listeners: set_message is in place of all, from inside of one of them") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      ws.on_message([](WebSocket from, const Message&) { from.set_message(says("alone")); });
      ws.on_message(says("not any more"));
      ws.once_message(says("nor this"));
    });
  });
  WsClient client(server.port());
  CHECK(answers(client, {"1", "2"}) == Heard{"", "alone"});
}

TEST_CASE("ws listeners: all hear of a message though the first one throws; then it closes with 1011") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      ws.on_message([](WebSocket, const Message&) { throw std::runtime_error("first"); });
      ws.on_message(says("second"));
      ws.on_error([](WebSocket from, const ErrorInfo& e) { from.send(e.message); });
      ws.on_error([](WebSocket from, const ErrorInfo&) { from.send("told twice"); });
    });
  });
  WsClient client(server.port());
  REQUIRE(client.send_text("x"));
  CHECK(client.reads("second"));
  CHECK(client.reads("first"));
  CHECK(client.reads("told twice"));
  CHECK(client.read_frame().close_code() == 1011);
}

TEST_CASE("ws listeners: of pings, pongs and the end there are several, too") {
  WsEvents events;
  std::atomic<int> ends = 0;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      ws.once_pong([](WebSocket from, std::string_view p) { from.send("once " + std::string(p)); });
      ws.on_pong([](WebSocket from, std::string_view p) { from.send("pong " + std::string(p)); });
      ws.on_ping([](WebSocket from, std::string_view) { from.send("one"); });
      ws.on_ping([](WebSocket from, std::string_view) { from.send("two"); });
      ws.on_close([&] { ends++; });
      for (int i = 0; i < 2; i++) {
        ws.on_close([&](WebSocket own, const CloseInfo& why) {
          events.add_close(own, why);
          own.on_close([&](WebSocket again, const CloseInfo& w) { events.add_close(again, w); });  // nobody hears of a second end
        });
      }
    });
  });
  WsClient client(server.port());
  REQUIRE(client.send(ws_frame(kPong, "1") + ws_frame(kPong, "2") + ws_frame(kPing, "")));
  for (const char* text : {"once 1", "pong 1", "pong 2"}) CHECK(client.reads(text));
  CHECK(client.read_frame().is(kPong, ""));
  for (const char* text : {"one", "two"}) CHECK(client.reads(text));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return events.closes().size() >= 2; }));
  wait_a_turn(server);
  CHECK(events.closes().size() == 2);
  CHECK(ends == 1);
}

TEST_CASE("ws listeners: added and taken out from another thread") {
  std::thread other;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      if (other.joinable()) return;
      other = std::thread([ws] {
        const ListenerId first = ws.on_message(says("first"));
        ws.on_message(says("second"));
        ws.off(first);
        ws.post([](WebSocket own) { own.send("ready"); });
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.reads("ready"));
  CHECK(answers(client, {"x"}) == Heard{"second"});
  other.join();
}

TEST_CASE("ws listeners: a thousand of them, taken out in any order") {
  TestServer server([](App& app) {
    app.ws("/", [](WebSocket ws, Request&) {
      std::vector<ListenerId> ids;
      for (int i = 0; i < 1000; i++) ids.push_back(ws.on_message(says("x")));
      for (size_t i = 0; i < ids.size(); i += 2) ws.off(ids[i]);
      for (size_t i = ids.size() - 1; i < ids.size(); i -= 2) ws.off(ids[i]);
      ws.on_message(says("left"));
    });
  });
  WsClient client(server.port());
  CHECK(answers(client, {"1"}) == Heard{"left"});
}

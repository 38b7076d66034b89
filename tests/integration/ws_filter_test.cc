// Filters of messages: asked of every message, whatever its form, before anybody is told.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// A limit as a program would write it: a step that lets `most` messages through.
auto at_most(int most) {
  return [most](WebSocket ws, Request&, Next next) {
    ws.filter_messages([left = most](WebSocket from, const Message&) mutable {
      if (left-- > 0) return true;
      from.send("too many");
      return false;
    });
    next();
  };
}

}  // namespace

TEST_CASE("ws filter: messages, events, answers and bytes count alike; who is refused is not told") {
  std::atomic<int> told = 0;
  TestServer server([&](App& app) {
    app.ws_use("/limited/*", at_most(4));
    const auto handler = [&](WebSocket ws) {
      ws.on("event", [&](WebSocket from) { told++, from.send("event"); });
      ws.on_message([&](WebSocket from, const Message& m) { told++, from.send(m); });
      ws.emit_with_ack("q").then([&](WebSocket from, AckResult) { told++, from.send("answered"); });
    };
    app.ws("/limited/x", handler);
    app.ws("/free", handler);
  });
  WsClient client(server.port(), "/limited/x");
  CHECK(client.read_message().ok());
  CHECK(client.echoes("text"));
  CHECK(client.send_text(R"({"event":"event"})"));
  CHECK(client.reads("event"));
  CHECK(client.send_text(R"({"ack":0,"args":[]})"));
  CHECK(client.reads("answered"));
  CHECK(client.send_binary("bytes"));
  CHECK(client.reads("bytes", kBinary));
  CHECK(told == 4);
  for (const char* refused : {"text", R"({"event":"event"})", R"({"ack":0,"args":[]})"}) {
    CHECK(client.send_text(refused));
    CHECK(client.reads("too many"));
  }
  CHECK(told == 4);
  CHECK(server.stats().messages_received == 7);
  WsClient other(server.port(), "/free");
  CHECK(other.read_message().ok());
  for (int i = 0; i < 10; i++) CHECK(other.echoes("free"));
}

TEST_CASE("ws filter: several run all and in order; they may be added while messages come, close, throw, and be taken out") {
  std::string order;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([&](WebSocket from, const Message& m) {
        if (m.text() == "add") {
          const ListenerId first = from.filter_messages([&](WebSocket, const Message&) { return order += "1", true; });
          from.filter_messages([&order, first](WebSocket self, const Message& filtered) {
            order += "2";
            if (filtered.text() == "off") self.off(first);
            if (filtered.text() == "throw") throw std::runtime_error("filter");
            if (filtered.text() == "close") self.close(CloseCode::policy_violation, "Message rate limit exceeded");
            return filtered.text() != "no";
          });
        }
        from.send(m);
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.echoes("add"));
  CHECK(client.echoes("one"));
  CHECK(client.send_text("no"));
  CHECK(client.echoes("off"));
  CHECK(client.echoes("two"));
  CHECK(client.send_text("close"));
  CHECK(client.read_close() == 1008);
  WsClient thrower(server.port());
  CHECK(thrower.echoes("add"));
  CHECK(thrower.send_text("throw"));
  CHECK(thrower.read_close() == 1011);
  server.on_thread([&](App&) { CHECK(order == "121212" "2" "2" "12"); });
}

TEST_CASE("ws filter: of a message in pieces the first one is asked about; a refusal closes") {
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.filter_messages([n = 0](WebSocket, const Message&) mutable { return n++ < 2; });
      ws.on_fragment([](WebSocket from, const Fragment& piece) {
        if (piece.is_last()) from.send("whole");
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.send(ws_fragments(kText, "in three pieces", {5, 5, 5})));
  CHECK(client.reads("whole"));
  CHECK(client.send(ws_fragments(kText, "in two pieces", {5, 8})));
  CHECK(client.reads("whole"));
  CHECK(client.send(ws_frame(kText, "beg", {.fin = false})));
  CHECK(client.read_close() == 1008);
  CHECK(server.stats().messages_received == 3);
}

TEST_CASE("ws filter: one that aborts keeps the message from everybody, whatever it returns") {
  std::atomic<int> told = 0;
  std::atomic<int> closed = 0;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.filter_messages([](WebSocket from, const Message&) {
        from.abort();
        return true;
      });
      ws.on("event", [&](WebSocket) { told++; });
      ws.on_message([&](WebSocket, const Message&) { told++; });
      ws.on_close([&](WebSocket, const CloseInfo&) { closed++; });
    });
  });
  for (const char* text : {"text", R"({"event":"event"})"}) {
    WsClient client(server.port());
    const int before = closed;
    CHECK(client.send_text(text));
    CHECK(eventually([&] { return closed == before + 1; }));
  }
  CHECK(told == 0);
}

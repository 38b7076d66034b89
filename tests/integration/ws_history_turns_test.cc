// What rooms with memory are sent within one turn is read as one: nobody can tell, by order, by losses or by time.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <chrono>
#include <string>
#include <string_view>

#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

std::string said(std::string_view text, std::string_view room, uint64_t offset) {
  return R"({"event":"said","args":[")" + std::string(text) + R"("],"room":")" + std::string(room) + R"(","offset":)" + std::to_string(offset) + "}";
}

}  // namespace

TEST_CASE("history: what one handler sends to rooms with and without memory, to all and to one comes in this order") {
  TestServer server([](App& app) {
    app.history("chat/*", {});
    app.ws("/", [&app](WebSocket ws, Request&) {
      for (const char* room : {"chat/1", "chat/2", "plain"}) ws.join(room);
      ws.on_message([&app](WebSocket from, const Message&) {
        app.to("chat/1").emit("said", "a");
        app.to("chat/1").emit("said", "b");
        from.send("direct");
        app.to("chat/1").emit("said", "c");
        app.to("chat/2").emit("said", "d");
        app.to("chat/1").emit("said", "e");
        app.to("plain").send("plain");
        app.to("chat/1").emit("said", "f");
        app.broadcast("all");
        app.to("chat/1").emit("said", "g");
        app.shared("chat/1").send("said", "h");
        app.to("chat/1").emit("said", "i");
        from.leave("chat/1");
        app.to("chat/1").emit("said", "j");
        from.send("end");
      });
    });
  });
  WsClient other(server.port(), "/"), client(server.port(), "/");
  CHECK(client.send_text("go"));
  for (WsClient* one : {&client, &other}) {
    CHECK(one->reads(said("a", "chat/1", 1)));
    CHECK(one->reads(said("b", "chat/1", 2)));
    if (one == &client) CHECK(one->reads("direct"));
    CHECK(one->reads(said("c", "chat/1", 3)));
    CHECK(one->reads(said("d", "chat/2", 1)));
    CHECK(one->reads(said("e", "chat/1", 4)));
    CHECK(one->reads("plain"));
    CHECK(one->reads(said("f", "chat/1", 5)));
    CHECK(one->reads("all"));
    CHECK(one->reads(said("g", "chat/1", 6)));
    CHECK(one->reads(said("h", "chat/1", 7)));
    CHECK(one->reads(said("i", "chat/1", 8)));
    CHECK(one->reads(one == &client ? "end" : said("j", "chat/1", 9)));
  }
}

TEST_CASE("history: a turn may send more than a room remembers; who keeps up gets all of it") {
  TestServer server([](App& app) {
    app.history("room", {.bytes = 4096, .messages = 2});
    app.ws("/", [&app](WebSocket ws, Request&) {
      ws.join("room");
      ws.on_message([&app](WebSocket, const Message&) {
        for (int i = 1; i <= 40; i++) app.to("room").emit("said", std::to_string(i) + std::string(i % 10 ? 700 : 9000, 'x'));
      });
    });
  });
  WsClient client(server.port(), "/");
  CHECK(client.send_text("go"));
  for (uint64_t i = 1; i <= 40; i++) CHECK(client.reads(said(std::to_string(i) + std::string(i % 10 ? 700 : 9000, 'x'), "room", i)));
}

TEST_CASE("history: what is sent when a turn ends goes out at once") {
  TestServer server([](App& app) {
    app.history("news", {});
    app.ws("/:room", [](WebSocket ws, Request& req) { ws.join(std::string(req.param("room"))); });
    (void)app.presence("lobby", [&app](WebSocket ws) {
      app.to("news").emit("said", "somebody came");
      return Json(ws.id());
    });
  });
  WsClient reader(server.port(), "/news");
  CHECK(reader.send_text("is it there?"));
  CHECK(server.wait_for_connections(1));
  const auto begin = std::chrono::steady_clock::now();
  WsClient comer(server.port(), "/lobby");
  CHECK(reader.reads(said("somebody came", "news", 1)));
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(4'000));  // every five seconds rooms are looked at
}

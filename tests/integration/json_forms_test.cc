// JSON by way of a JsonWriter that is sent, written on, cleared and sent again within one turn; bodies and messages of a mebibyte; audiences;
// and what a handler sees of text that is no JSON.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <thread>

#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr size_t kMebibyte = size_t{1} << 20;

Json message(char letter, size_t size) { return {{"text", std::string(size, letter)}}; }

void write(JsonWriter& writer, char letter, size_t size) { writer.value(message(letter, size)); }

// All sizes about those at which a text leaves the writer's own memory, and at which its memory is lent.
constexpr size_t kSizes[] = {0, 300, 430, 440, 4000, 4085, 4086, 4087, 4100, 9000, 70'000, kMebibyte};

void serve(App& app) {
  app.get("/writer", [](Request&, Response& res) {
    JsonWriter writer;
    write(writer, 'w', 100'000);
    res.json(writer);
    writer.clear();
    write(writer, 'x', 100'000);  // what was sent is sent as it was
  });
  app.get("/large", [](Request&, Response& res) { res.json(message('l', kMebibyte)); });
  app.post("/back", [](Request& req, Response& res) {
    const auto any = req.json();
    if (!any) return res.status(400).json({{"position", any.error().position}, {"what", any.error().what}});
    res.json(*any);
  });
  app.ws("/ws", [&app](WebSocket ws, Request&) {
    ws.join("den");
    ws.on_message([&app](WebSocket from, const Message& m) {
      if (m.text() == "sizes") {
        JsonWriter writer;
        for (const size_t size : kSizes) {
          write(writer, 's', size);
          from.send(writer);
          from.send(writer);
          writer.clear();
        }
      } else if (m.text() == "on") {
        JsonWriter writer;
        writer.begin_array();
        writer.value(std::string(5000, 'o'));
        writer.end_array();
        from.send(writer);
        for (int i = 0; i < 2000; i++) writer.value(i);  // nonsense, but not in what was sent
      } else if (m.text() == "room") {
        JsonWriter writer;
        write(writer, 'r', 5000);
        app.to("den").send(writer);
        from.to("den").send(writer);
        from.broadcast(writer);
        writer.clear();
        write(writer, 'R', 5000);
        app.to("den").send(writer);
      } else if (m.text() == "thread") {
        std::thread([from] {
          JsonWriter writer;
          for (const char letter : {'a', 'b', 'c'}) {
            writer.clear();
            write(writer, letter, 9000);
            from.send(writer);
          }
        }).join();  // the memory of the writer ends on that thread, or here
      } else {
        const auto json = m.json();
        if (json) from.send(*json);
        else from.send({{"line", json.error().line}, {"what", json.error().what}});
      }
    });
  });
}

}  // namespace

TEST_CASE("json forms: answers from a writer, and large ones") {
  TestServer server(serve);
  Client client(server.port());
  CHECK(client.get("/writer").body == message('w', 100'000).dump());
  CHECK(client.get("/large").body == message('l', kMebibyte).dump());
  const auto post = [&](const std::string& body) {
    REQUIRE(client.send("POST /back HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
    return client.read_response();
  };
  const std::string large = message('p', 900'000).dump();
  CHECK(post(large).body == large);
  CHECK(post("[1,\xff]").body == R"({"position":3,"what":"this is not UTF-8"})");
  CHECK(post("[tru").body == R"({"position":4,"what":"the text ends too early"})");
  CHECK(post("1 2").status == 400);
}

TEST_CASE("json forms: a writer sent twice, cleared and used again in one turn, at every size") {
  TestServer server(serve);
  WsClient client(server.port(), "/ws");
  REQUIRE(client.open());
  REQUIRE(client.send_text("sizes"));
  for (const size_t size : kSizes) {
    CAPTURE(size);
    CHECK(client.reads(message('s', size).dump()));
    CHECK(client.reads(message('s', size).dump()));
  }
  REQUIRE(client.send_text("on"));
  CHECK(client.reads("[\"" + std::string(5000, 'o') + "\"]"));
  REQUIRE(client.send_text("thread"));
  for (const char letter : {'a', 'b', 'c'}) CHECK(client.reads(message(letter, 9000).dump()));
  REQUIRE(client.send_text("{\n}}"));
  CHECK(client.reads(R"({"line":2,"what":"something follows the value"})"));
}

TEST_CASE("json forms: a writer sent to rooms, audiences and all of a route") {
  TestServer server(serve);
  WsClient first(server.port(), "/ws"), second(server.port(), "/ws");
  REQUIRE(first.open());
  REQUIRE(second.open());
  REQUIRE(first.send_text("room"));
  const std::string r = message('r', 5000).dump(), R = message('R', 5000).dump();
  CHECK(first.reads(r));
  CHECK(first.reads(R));
  for (const std::string& text : {r, r, r, R}) CHECK(second.reads(text));
}

// JSON over real connections: answers, messages to one and to many, small and larger than the writer, from this thread
// and from others; and JSON that comes in.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Order {
  int id = 0;
  std::vector<std::string> items;
};
MARTLET_JSON(Order, id, items)

// So many numbers: larger than what a writer holds in itself, and than what is lent.
Json long_list(int count) {
  Json list = Json::array();
  for (int i = 0; i < count; i++) list.push_back(i);
  return list;
}

void serve(App& app) {
  app.get("/object", [](Request&, Response& res) { res.json({{"id", 7}, {"name", "Ann \"A\""}}); });
  app.get("/tree", [](Request&, Response& res) { res.status(201).json(long_list(50'000)); });
  app.get("/own", [](Request&, Response& res) { res.json(Order{.id = 3, .items = {"a"}}); });
  app.get("/type", [](Request&, Response& res) { res.type("application/problem+json").json({{"status", 200}}); });
  app.get("/later", [](Request&, Response& res) {
    std::thread([later = res.defer()] { later.json({{"late", true}}); }).detach();
  });
  app.post("/orders", [](Request& req, Response& res) {
    const auto order = req.json<Order>();
    if (!order) return res.status(400).json({{"path", order.error().path}, {"what", order.error().what}});
    res.json(*order);
  });
  app.post("/any", [](Request& req, Response& res) {
    auto any = req.json({.depth = 3});
    if (!any) return res.status(400).json({{"line", any.error().line}, {"column", any.error().column}});
    res.json(*any);
  });
}

const auto kLong = long_list(5'000).dump();

void chat(App& app) {
  app.ws("/ws", [&app](WebSocket ws, Request&) {
    ws.join("den");
    ws.on_message([&app](WebSocket from, const Message& m) {
      const auto command = m.json();
      if (!command) return void(from.send({{"error", command.error().what}}));
      const std::string_view what = (*command)["what"].text_or("");
      if (what == "echo") from.send((*command)["value"]);
      if (what == "long") from.send(long_list(5'000));
      if (what == "room") app.to("den").send({{"to", "all"}});
      if (what == "long room") app.to("den").send(long_list(5'000));
      if (what == "others") from.to("den").send({{"to", "others"}});
      if (what == "broadcast") from.broadcast({{"to", "route"}});
      if (what == "thread") std::thread([from] { from.send({{"from", "thread"}}); from.send(long_list(5'000)); }).detach();
      if (what != "writer") return;
      JsonWriter writer;
      writer.value(long_list(5'000));
      from.send(writer);
      from.send(writer);
      writer.clear();  // what was sent has not left yet
      writer.value(Json::array({"again"}));
      from.send(writer);
    });
  });
}

}  // namespace

TEST_CASE("json: answers") {
  TestServer server(serve);
  Client client(server.port());
  auto object = client.get("/object");
  CHECK(object.body == R"({"id":7,"name":"Ann \"A\""})");
  CHECK(object.field("content-type") == "application/json");
  auto tree = client.get("/tree");
  CHECK(tree.status == 201);
  CHECK(tree.body == long_list(50'000).dump());
  CHECK(client.get("/own").body == R"({"id":3,"items":["a"]})");
  CHECK(client.get("/type").field("content-type") == "application/problem+json");
  CHECK(client.get("/later").body == R"({"late":true})");
}

TEST_CASE("json: requests") {
  TestServer server(serve);
  Client client(server.port());
  const auto post = [&](const std::string& path, const std::string& body) {
    REQUIRE(client.send("POST " + path + " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
    return client.read_response();
  };
  CHECK(post("/orders", R"({"id":1,"items":["x","y"]})").body == R"({"id":1,"items":["x","y"]})");
  const auto wrong = post("/orders", R"({"id":1,"items":["x",2]})");
  CHECK(wrong.status == 400);
  CHECK(wrong.body == R"({"path":"/items/1","what":"a string is wanted"})");
  CHECK(post("/any", "[[[]]]").body == "[[[]]]");
  CHECK(post("/any", "\n[[[[]]]]").body == R"({"line":2,"column":4})");
  CHECK(post("/any", "").body == R"({"line":1,"column":1})");
}

TEST_CASE("json: messages to one") {
  TestServer server(chat);
  WsClient client(server.port(), "/ws");
  REQUIRE(client.open());
  const auto ask = [&](const char* what) { REQUIRE(client.send_text(Json{{"what", what}}.dump())); };
  REQUIRE(client.send_text(R"({"what":"echo","value":{"b":[1.5,null],"a":"\u00e9"}})"));
  CHECK(client.reads("{\"b\":[1.5,null],\"a\":\"\xc3\xa9\"}"));
  ask("long");
  CHECK(client.reads(kLong));
  ask("writer");
  CHECK(client.reads(kLong));
  CHECK(client.reads(kLong));
  CHECK(client.reads(R"(["again"])"));
  ask("thread");
  CHECK(client.reads(R"({"from":"thread"})"));
  CHECK(client.reads(kLong));
  REQUIRE(client.send_text("{"));
  CHECK(client.reads(R"({"error":"the text ends too early"})"));
}

TEST_CASE("json: messages to many") {
  TestServer server(chat);
  WsClient first(server.port(), "/ws"), second(server.port(), "/ws");
  REQUIRE(first.open());
  REQUIRE(second.open());
  const auto ask = [&](const char* what) { REQUIRE(first.send_text(Json{{"what", what}}.dump())); };
  ask("room");
  ask("long room");
  for (WsClient* client : {&first, &second}) {
    CHECK(client->reads(R"({"to":"all"})"));
    CHECK(client->reads(kLong));
  }
  ask("others");
  ask("broadcast");
  CHECK(second.reads(R"({"to":"others"})"));
  CHECK(second.reads(R"({"to":"route"})"));
}

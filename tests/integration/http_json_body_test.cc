// The middleware json_body(): what it refuses, and when; and that nobody parses twice.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void add_routes(App& app) {
  const auto show = [](Request& req, Response& res) {
    const Json* json = req.json_body();
    res.send(json ? req.json()->dump() : "nothing");
  };
  app.all("/any", json_body(), show);
  app.post("/small", json_body({.max_bytes = 20}), show);
  app.post("/large", {.max_body_bytes = 10}, json_body({.max_bytes = 20}), show);
  app.post("/loose", json_body({.depth = 2, .duplicates = Duplicates::refuse, .strict = false}), show);
  app.post("/twice", json_body(), json_body({.max_bytes = 1}), show);
  app.post("/late", [](Request&, Response&, Next next) { next(); }, json_body({.max_bytes = 20}), show);
}

std::string head(std::string_view path, std::string_view fields) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}
const std::string kJson = "Content-Type: application/json\r\n";

}  // namespace

TEST_CASE("http_json_body: good bodies are there, others are refused with the place") {
  TestServer server(add_routes);
  Client client(server.port());
  struct {
    const char* path;
    const char* type;
    std::string body;
    int status;
    const char* says;
  } const rows[] = {
      {"/any", "application/json", R"({"a":[1,2]})", 200, R"({"a":[1,2]})"}, {"/any", "application/problem+json", "[]", 200, "[]"},
      {"/any", "", "", 200, "nothing"}, {"/any", "text/plain", "", 200, "nothing"}, {"/any", "text/plain", "{}", 415, "application/json is wanted."},
      {"/any", "", "{}", 415, "application/json is wanted."}, {"/any", "application/jsonx", "{}", 415, "application/json is wanted."},
      {"/any", "application/json", "{\"a\":\n 1,}", 400, "line 2, column 4: "}, {"/any", "application/json", "7", 400, "an object or an array is wanted"},
      {"/any", "application/json", " ", 400, "line 1, column 2: "}, {"/any", "application/json", "\"\xff\"", 400, "line 1, column 2: "},
      {"/any", "application/json", std::string(64, '[') + std::string(64, ']'), 200, "[[["}, {"/any", "application/json", std::string(65, '[') + std::string(65, ']'), 400, "line 1, column 65: "},
      {"/small", "application/json", "[" + std::string(18, ' ') + "]", 200, "[]"}, {"/small", "application/json", "[" + std::string(19, ' ') + "]", 413, "The body is larger than this route takes."},
      {"/large", "application/json", "[        ]", 200, "[]"}, {"/loose", "application/json", "7", 200, "7"}, {"/loose", "application/json", "[[]]", 200, "[[]]"},
      {"/loose", "application/json", "[[[]]]", 400, "line 1, column 3: "}, {"/loose", "application/json", R"({"a":1,"a":2})", 400, "line 1, column 8: "},
      {"/twice", "application/json", "[1,2]", 200, "[1,2]"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.body);
    const std::string type = *row.type ? "Content-Type: " + std::string(row.type) + "\r\n" : "";
    const HttpResponse got = client.post(row.path, row.body, type);
    CHECK(got.status == row.status);
    CHECK_MESSAGE(got.body.starts_with(row.says), got.body);
  }
  CHECK(client.post("/large", "[         ]", kJson).status == 413);
  Client other(server.port());
  CHECK(other.get("/any").body == "nothing");
}

TEST_CASE("http_json_body: what the head tells is refused at the head, and nobody is told to go on") {
  TestServer server(add_routes);
  struct {
    std::string fields;
    int status;
  } const rows[] = {
      {"Content-Type: text/plain\r\nContent-Length: 10\r\nExpect: 100-continue\r\n", 415}, {"Content-Length: 10\r\nExpect: 100-continue\r\n", 415},
      {kJson + "Content-Length: 21\r\nExpect: 100-continue\r\n", 413}, {kJson + "Content-Length: 1000000\r\n", 413}, {"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n", 415},
  };
  for (const char* path : {"/small", "/late"}) {
    for (const auto& row : rows) {
      CAPTURE(row.fields);
      Client client(server.port());
      CHECK(client.request(head(path, row.fields)).status == row.status);
    }
  }
}

TEST_CASE("http_json_body: a body that comes in pieces is awaited, and asked for") {
  TestServer server(add_routes);
  for (const char* path : {"/any", "/small", "/late", "/twice"}) {
    CAPTURE(std::string(path));
    Client client(server.port());
    client.send(head(path, kJson + "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    CHECK(client.read_response().status == 100);
    client.send("[1,");
    server.turn();
    CHECK(client.request("2]").body == "[1,2]");
    CHECK(client.post(path, "[3]", kJson).body == "[3]");
    client.send(head(path, kJson + "Transfer-Encoding: chunked\r\n") + "3\r\n[1,\r\n");
    server.turn();
    CHECK(client.request("2\r\n4]\r\n0\r\n\r\n").body == "[1,4]");
  }
}

TEST_CASE("http_json_body: chunks beyond the limit are refused when they are announced, both sides of it") {
  TestServer server(add_routes);
  for (const char* path : {"/small", "/late"}) {
    Client fits(server.port());
    fits.send(head(path, kJson + "Transfer-Encoding: chunked\r\n") + "5\r\n[    \r\n");
    server.turn();
    CHECK(fits.request("f\r\n              ]\r\n0\r\n\r\n").body == "[]");
    Client over(server.port());
    over.send(head(path, kJson + "Transfer-Encoding: chunked\r\n") + "5\r\n[    \r\n");
    server.turn();
    CHECK(over.request("10\r\n").status == 413);
    Client at_once(server.port());
    CHECK(at_once.request(head(path, kJson + "Transfer-Encoding: chunked\r\n") + "15\r\n[").status == 413);
    Client whole(server.port());
    CHECK(whole.request(head(path, kJson + "Transfer-Encoding: chunked\r\n") + "15\r\n[                   ]\r\n0\r\n\r\n").status == 413);
  }
}

// Fields over a real socket: one that comes in several lines, and the ones of a 426, which gateways look at.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

TEST_CASE("http_field_lines: a 426 says all of the connection in one field, and what did not arrive") {
  TestServer server([](App& app) {
    app.use([](Request&, Response& res, Next next) {
      res.type("application/x-" + std::string(49, 'x'));  // as long as it may be beside the others
      next();
    });
    app.ws("/ws", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
    app.get("/page", [](Request&, Response& res) { res.send("a page"); });
  });
  const std::string upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::string version8 = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Sec-WebSocket-Version: 8\r\n";
  struct Row {
    std::string version, fields, connection, says;
  };
  const std::vector<Row> rows = {
      {"1.1", "", "Upgrade", "the Upgrade field did not arrive"},
      {"1.1", "Connection: close\r\n", "Upgrade, close", "the Upgrade field did not arrive"},
      {"1.1", upgrade, "Upgrade", "Connection did not name upgrade"},
      {"1.1", upgrade + "Connection: close\r\n", "Upgrade, close", "Connection did not name upgrade"},
      {"1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Upgrade", "Upgrade did not name websocket"},
      {"1.1", version8, "Upgrade, close", "version 13"},
      {"1.0", "", "Upgrade, close", "the Upgrade field did not arrive"},
      {"1.0", "Connection: keep-alive\r\n", "Upgrade, keep-alive", "the Upgrade field did not arrive"},
      {"1.0", upgrade + "Connection: Upgrade\r\n", "Upgrade, close", "HTTP/1.0 has no Upgrade"},
      {"1.0", version8, "Upgrade, close", "HTTP/1.0 has no Upgrade"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.version + " " + row.fields);
    Client client(server.port());
    const HttpResponse told = client.request("GET /ws HTTP/" + row.version + "\r\nHost: t\r\n" + row.fields + "\r\n");
    CHECK(told.status == 426);
    CHECK(told.count("connection") == 1);
    CHECK(told.field("connection") == row.connection);
    CHECK(told.field("upgrade") == "websocket");
    CHECK(told.field("sec-websocket-version") == "13");
    CHECK(told.body.find(row.says) != std::string::npos);
    if (row.connection.ends_with("close")) CHECK(client.closed_by_peer());
    // Upgrade in HTTP/1.0 is ignored (RFC 9110 §7.8): what is no WebSocket's path is served.
    if (row.version == "1.0") {
      Client other(server.port());
      CHECK(other.request("GET /page HTTP/1.0\r\n" + row.fields + "\r\n").body == "a page");
    }
  }
}

TEST_CASE("http_field_lines: a field in several lines has one value, joined as its rule says") {
  TestServer server([](App& app) {
    app.get("/:name", [](Request& req, Response& res) {
      const std::string value(req.header(req.param("name")).value_or("none"));
      res.send(value);
    });
    app.get("/late/:name", [](Request& req, Response& res) {
      std::string_view all = *req.header(req.param("name"));
      res.send(all.substr(all.find(',') + 1));
    });
  });
  Client client(server.port());
  const std::string lines = "cookie: a=1\r\nX-Forwarded-For: 198.51.100.7, 10.0.0.1\r\nX-Own: \r\nAuthorization: one\r\n"
                            "Set-Cookie: s=1\r\nCookie: b=2\r\nx-forwarded-for: 10.0.0.2\r\nCOOKIE: c=3\r\nX-Own: y\r\n"
                            "authorization: two\r\nSet-Cookie: t=2\r\nX-Owner: z\r\n";
  const std::pair<const char*, const char*> wanted[] = {
      {"cookie", "a=1; b=2; c=3"}, {"x-forwarded-for", "198.51.100.7, 10.0.0.1, 10.0.0.2"}, {"x-own", ", y"},
      {"authorization", "one"},    {"set-cookie", "s=1"}, {"x-owner", "z"}, {"x-nobody", "none"}, {"host", "test"},
  };
  for (const auto& one : wanted) {
    const char* name = one.first;
    CAPTURE(name);
    CHECK(client.get("/" + std::string(name), lines).body == one.second);
  }
  CHECK(client.get("/late/x-forwarded-for", lines).body == " 10.0.0.1, 10.0.0.2");
  // As long as a head can make it.
  std::string many, joined;
  for (int i = 0; i < 98; i++) {
    many += "X-Many: " + std::string(100, static_cast<char>('a' + i % 26)) + "\r\n";
    joined += (i ? ", " : "") + std::string(100, static_cast<char>('a' + i % 26));
  }
  CHECK(client.get("/x-many", many).body == joined);
}

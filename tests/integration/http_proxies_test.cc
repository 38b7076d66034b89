// Who the client is behind proxies: by fields, as far as AppOptions::trusted_proxies believes who wrote them.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <optional>
#include <string>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void tell(App& app) {
  app.get("/", [](Request& req, Response& res) {
    std::string all = req.ip() + " " + std::string(req.protocol()) + (req.secure() ? "! " : " ") + std::string(req.host()) + " " + std::string(req.hostname());
    for (const std::string& ip : req.ips()) all += " <" + ip;
    res.send(all);
  });
  app.get("/late", [](Request& req, Response& res) {
    const std::string before(req.host());
    Response later = res.defer();
    later.send(before + "|" + std::string(req.host()) + "|" + req.ip());
  });
  app.get("/id", [](Request& req, Response& res) { res.send(req.id()); });
}

TestServerOptions trusting(TrustedProxies proxies, ProxyFields fields = ProxyFields::x_forwarded) {
  TestServerOptions options;
  options.app.trusted_proxies = std::move(proxies);
  options.app.proxy_fields = fields;
  return options;
}

const std::string kAll = "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example:81\r\n"
                         "Forwarded: for=\"[2001:db8::1]:4711\";proto=https;host=f.example\r\n";

}  // namespace

TEST_CASE("http_proxies: what a proxy says of the client is believed of the trusted ones, from the right, and no further") {
  struct {
    TrustedProxies proxies;
    ProxyFields fields;
    std::string sent;
    const char* says;
  } const rows[] = {
      {{}, ProxyFields::x_forwarded, kAll, "127.0.0.1 http test test"},
      {"", ProxyFields::x_forwarded, kAll, "127.0.0.1 http test test"},
      {"10.0.0.0/8", ProxyFields::x_forwarded, kAll, "127.0.0.1 http test test"},
      {"unix", ProxyFields::x_forwarded, kAll, "127.0.0.1 http test test"},
      {"loopback", ProxyFields::x_forwarded, "", "127.0.0.1 http test test"},
      {"loopback", ProxyFields::x_forwarded, kAll, "10.0.0.2 https! a.example:81 a.example <10.0.0.2"},
      {{"loopback", "10.0.0.0/8"}, ProxyFields::x_forwarded, kAll, "203.0.113.7 https! a.example:81 a.example <203.0.113.7 <10.0.0.2"},
      {"127.0.0.1, 10.0.0.2", ProxyFields::x_forwarded_for, kAll, "203.0.113.7 http test test <203.0.113.7 <10.0.0.2"},
      {std::vector<std::string>{"127.0.0.0/8", ""}, ProxyFields::forwarded, kAll, "2001:db8::1 https! f.example f.example <2001:db8::1"},
      {"loopback", ProxyFields::none, kAll, "127.0.0.1 http test test"},
      {"loopback", ProxyFields::x_forwarded, "X-Forwarded-For: unknown\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\r\n", "127.0.0.1 http test test"},
      {"loopback", ProxyFields::x_forwarded, "X-Forwarded-Host: [::1]:3000\r\n", "127.0.0.1 http [::1]:3000 [::1]"},
  };
  for (const auto& row : rows) {
    CAPTURE(std::string(row.says));
    TestServer server(tell, trusting(row.proxies, row.fields));
    Client client(server.port());
    CHECK(client.get("/", row.sent).body == row.says);
    CHECK(client.get("/", row.sent).body == row.says);
  }
}

TEST_CASE("http_proxies: a host that a proxy has said is good after the head was copied aside") {
  TestServer server(tell, trusting("loopback"));
  Client client(server.port());
  CHECK(client.get("/late", kAll).body == "a.example:81|a.example:81|10.0.0.2");
  CHECK(client.get("/late").body == "test|test|127.0.0.1");
}

TEST_CASE("http_proxies: what a step has found out of a request is good for one that runs after others have come") {
  std::optional<Next> kept;
  TestServer server([&](App& app) {
    app.get("/", [&](Request& req, Response& res, Next next) {
      res.set("X-Host", req.host());
      kept = next;
    }, [](Request& req, Response& res) { res.send(std::string(req.host()) + "|" + req.ip()); });
    app.get("/go/*", [&](Request&, Response& res) {
      res.end();
      if (kept) (*kept)();
    });
  }, trusting("loopback"));
  Client client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n" + kAll + "\r\n");
  server.turn();
  Client other(server.port());
  CHECK(other.get("/go/" + std::string(2000, 'z')).status == 200);
  const HttpResponse got = client.read_response();
  CHECK(got.field("x-host") == "a.example:81");
  CHECK(got.body == "a.example:81|10.0.0.2");
}

TEST_CASE("http_proxies: a Unix socket's peer is trusted by its name") {
  const std::string path = "unix:/tmp/martlet-proxies-" + std::to_string(::getpid());
  for (const bool trusted : {true, false}) {
    TestServerOptions options = trusting(trusted ? "unix" : "loopback");
    options.listen.host = path;
    TestServer server(tell, options);
    Client client(0, {.host = path});
    CHECK(client.get("/", kAll).body == (trusted ? "10.0.0.2 https! a.example:81 a.example <10.0.0.2" : " http test test"));
  }
}

TEST_CASE("http_proxies: a request id of a trusted proxy stays, when it is short and harmless") {
  TestServer server(tell, trusting("loopback"));
  Client client(server.port());
  const std::string longest(128, 'a');
  for (const std::string& id : {std::string("Root=1-67891233:ab/+@_."), longest}) CHECK(client.get("/id", "X-Request-Id: " + id + "\r\n").body == id);
  for (const std::string& id : {longest + "a", std::string("a b"), std::string("a\"b"), std::string("<a>"), std::string(), std::string("\xC3\xA9")}) {
    CHECK(client.get("/id", "X-Request-Id: " + id + "\r\n").body.size() == 24);
  }
  CHECK(client.get("/id").body.size() == 24);
  TestServer other(tell, trusting("10.0.0.0/8"));
  Client stranger(other.port());
  CHECK(stranger.get("/id", "X-Request-Id: mine\r\n").body.size() == 24);
}

TEST_CASE("http_proxies: a mistake in the list is the Error of listen()") {
  for (const char* list : {"10.0.0.0/33", "10.0.0", "localhost", "10.0.0.0/8,,::1", "::1/129", "300.0.0.1", "10.0.0.0/08"}) {
    App app({.trusted_proxies = list});
    const auto port = app.listen("127.0.0.1", 0);
    REQUIRE(!port);
    CHECK(port.error().message().find(list) != std::string::npos);
    CHECK(!app.listen("127.0.0.1", 0));
  }
}

// CORS as browsers see it: preflights, what is allowed to whom, and that the fields are in every answer.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr std::string_view kAllow = "access-control-allow-origin";

void add_routes(App& app) {
  app.get("/open", [](Request&, Response& res) { res.set("ETag", "\"1\"").send("open"); });
  app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
  app.post("/small", {.max_body_bytes = 4}, [](Request&, Response& res) { res.send("ok"); });
  app.use([](Request&, Response& res, Next) { res.status(401).send("who?"); });  // behind it everything is closed
  app.get("/closed", [](Request&, Response& res) { res.send("secret"); });
}

struct Asks {
  std::string_view origin = "https://a.example";
  std::string_view method = "PUT";
  std::vector<std::pair<std::string_view, std::string_view>> more = {};
};

Reply preflight(App& app, std::string_view path, Asks asks = {}) {
  asks.more.insert(asks.more.begin(), {{"Origin", asks.origin}, {"Access-Control-Request-Method", asks.method}});
  return app.inject({.method = "OPTIONS", .path = path, .fields = asks.more});
}

Reply get(App& app, std::string_view path, std::string_view origin) {
  if (origin.empty()) return app.inject({.path = path});
  return app.inject({.path = path, .fields = {{"Origin", origin}}});
}

bool has_field(const Reply& reply, std::string_view name) { return !reply.field(name).empty(); }

// What a program is told that begins with these options.
std::string mistake_of(CorsOptions options) {
  App app;
  app.use(cors(std::move(options)));
  const auto port = app.listen("127.0.0.1", 0);
  return port ? "" : std::string(port.error().what());
}

}  // namespace

TEST_CASE("guards_cors: preflights are answered before authentication, and where no route is") {
  App app;
  app.use(cors({.credentials = true, .max_age = 600s, .methods = {"GET", "PUT"}, .origins = {"https://a.example"}}));
  add_routes(app);
  for (const char* path : {"/open", "/closed", "/nowhere", "/small", "/"}) {
    CAPTURE(path);
    const Reply got = preflight(app, path, {.more = {{"Access-Control-Request-Headers", "x-token, Content-Type"}}});
    CHECK(got.status == 204);
    CHECK(got.body.empty());
    CHECK(got.field(kAllow) == "https://a.example");
    CHECK(got.field("access-control-allow-credentials") == "true");
    CHECK(got.field("access-control-allow-methods") == "GET, PUT");
    CHECK(got.field("access-control-allow-headers") == "x-token, Content-Type");
    CHECK(got.field("access-control-max-age") == "600");
    CHECK(got.field("vary") == "Origin, Access-Control-Request-Headers");
    CHECK(!has_field(got, "access-control-expose-headers"));
    CHECK(!has_field(got, "access-control-allow-private-network"));
  }
  // None without all three: such a request goes its way.
  CHECK(app.inject({.method = "OPTIONS", .path = "/closed", .fields = {{"Origin", "https://a.example"}}}).status == 401);
  CHECK(app.inject({.method = "OPTIONS", .path = "/closed", .fields = {{"Access-Control-Request-Method", "GET"}}}).status == 401);
  CHECK(app.inject({.path = "/closed", .fields = {{"Origin", "https://a.example"}, {"Access-Control-Request-Method", "GET"}}}).status == 401);
}

TEST_CASE("guards_cors: without options any page may read, and nothing depends on the origin") {
  App app;
  app.use(cors());
  add_routes(app);
  for (const char* origin : {"", "https://a.example", "null", "chrome-extension://abc", "no origin at all"}) {
    CAPTURE(origin);
    const Reply got = get(app, "/open", origin);
    CHECK(got.status == 200);
    CHECK(got.field(kAllow) == "*");
    CHECK(!has_field(got, "vary"));
    CHECK(!has_field(got, "access-control-allow-credentials"));
  }
  const Reply asked = preflight(app, "/open");
  CHECK(asked.field(kAllow) == "*");
  CHECK(asked.field("access-control-allow-methods") == "GET, HEAD, PUT, PATCH, POST, DELETE");
  CHECK(asked.field("vary") == "Access-Control-Request-Headers");
  CHECK(!has_field(asked, "access-control-max-age"));
}

TEST_CASE("guards_cors: who is not named gets Vary alone, and so does who sends no Origin") {
  App app;
  app.use(cors({.exposed_headers = {"ETag", "X-Total"}, .origins = {"https://a.example", "https://*.b.example", "http://localhost:*", "null"}}));
  add_routes(app);
  for (const char* good : {"https://a.example", "https://x.b.example", "https://x.y.b.example", "http://localhost:5173", "http://localhost", "null"}) {
    CAPTURE(good);
    const Reply got = get(app, "/open", good);
    CHECK(got.field(kAllow) == good);
    CHECK(got.field("vary") == "Origin");
    CHECK(got.field("access-control-expose-headers") == "ETag, X-Total");
  }
  for (const char* bad : {"", "http://a.example", "https://a.example:8443", "https://b.example", "https://evil-b.example", "https://a.example.evil.org",
                          "https://a.example,https://x.b.example", "https://a.example https://x.b.example", "https://x.b.example/", "Null", "*", "https://"}) {
    CAPTURE(bad);
    const Reply got = get(app, "/open", bad);
    CHECK(got.status == 200);  // it is the browser that refuses
    CHECK(!has_field(got, kAllow));
    CHECK(!has_field(got, "access-control-expose-headers"));
    CHECK(got.field("vary") == "Origin");
  }
  CHECK(get(app, "/open", "HTTPS://A.EXAMPLE").field(kAllow) == "HTTPS://A.EXAMPLE");
  App varied;
  varied.use([](Request&, Response& res, Next next) { res.set("Vary", "Accept"), next(); });
  varied.use(cors({.origins = {"https://a.example"}}));
  for (const char* origin : {"", "https://a.example", "https://b.example"}) CHECK(get(varied, "/", origin).field("vary") == "Accept, Origin");
  const Reply asked = preflight(app, "/open", {.origin = "https://evil.example"});
  CHECK(asked.status == 204);
  CHECK(!has_field(asked, kAllow));
  CHECK(!has_field(asked, "access-control-allow-methods"));
  CHECK(asked.field("vary") == "Origin, Access-Control-Request-Headers");
}

TEST_CASE("guards_cors: the fields are in every answer: errors, 404, 405, and what the library refuses") {
  TestServer server([](App& app) {
    app.use(cors({.origins = {"https://a.example"}}));
    app.get("/open", [](Request&, Response& res) { res.send("open"); });
    app.get("/throws", [](Request&, Response&) { throw std::runtime_error("oh"); });
    app.get("/fails", [](Request&, Response& res) { res.fail(422); });
    app.get("/late", [](Request&, Response& res) { (void)res.defer({.deadline = 1ms}); });
    app.post("/small", {.max_body_bytes = 4}, [](Request&, Response& res) { res.send("ok"); });
    app.ws("/ws", WsHandlers{});
  }, {.app = {.body_timeout = milliseconds(50)}});
  const std::string origin = "Origin: https://a.example\r\n";
  const auto check = [&](const HttpResponse& got, int status) {
    CAPTURE(status);
    CHECK(got.status == status);
    CHECK(got.field(kAllow) == "https://a.example");
    CHECK(got.field("vary") == "Origin");
    CHECK(got.count(kAllow) == 1);
  };
  Client client(server.port());
  check(client.get("/open", origin), 200);
  check(client.get("/throws", origin), 500);
  check(client.get("/fails", origin), 422);
  check(client.get("/late", origin), 503);
  check(client.get("/nowhere", origin), 404);
  check(client.request("HEAD /nowhere HTTP/1.1\r\nHost: x\r\n" + origin + "\r\n"), 404);
  check(client.request("PUT /open HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + origin + "\r\n"), 405);
  check(client.request("BREW /open HTTP/1.1\r\nHost: x\r\n" + origin + "\r\n"), 501);
  check(client.get("/ws", origin), 426);
  check(Client(server.port()).post("/small", "12345", origin), 413);
  check(Client(server.port()).request("POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + origin + "\r\n5\r\n12345\r\n0\r\n\r\n"), 413);
  check(Client(server.port()).request("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" + origin + "\r\n1"), 408);
  check(Client(server.port()).request("POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + origin + "\r\nno\r\n"), 400);
}

TEST_CASE("guards_cors: a function decides, now or later, from any thread; who throws or forgets has refused") {
  std::thread helper;
  App app;
  app.use("/now", cors({.allow_origin = [](std::string_view origin) { return origin.ends_with(".example"); }, .credentials = true}));
  app.use("/by-request", cors({.allow_origin = [](Request& req, std::string_view) { return req.query("yes").has_value(); }}));
  app.use("/throws", cors({.allow_origin = [](std::string_view) -> bool { throw std::runtime_error("oh"); }}));
  app.use("/later", cors({.allow_origin = [&](Request&, std::string_view origin, AllowOrigin decide) {
    if (origin == "https://forgotten.example") return;
    if (origin == "https://throws.example") throw std::runtime_error("oh");
    if (origin == "https://twice.example") return decide.yes(), decide.no();
    helper = std::thread([decide, good = origin == "https://a.example"] { good ? decide.yes() : decide.no(); });
  }, .max_age = 5s}));
  for (const char* path : {"/now", "/by-request", "/throws", "/later"}) app.get(path, [](Request&, Response& res) { res.send("ok"); });

  CHECK(get(app, "/now", "https://a.example").field(kAllow) == "https://a.example");
  CHECK(get(app, "/now", "https://a.example").field("access-control-allow-credentials") == "true");
  CHECK(!has_field(get(app, "/now", "https://a.org"), kAllow));
  CHECK(!has_field(get(app, "/now", "https://a.org/x.example"), kAllow));  // is no origin: nobody is asked
  CHECK(has_field(get(app, "/by-request?yes", "null"), kAllow));
  CHECK(!has_field(get(app, "/by-request", "null"), kAllow));
  CHECK(get(app, "/throws", "https://a.example").status == 500);
  CHECK(get(app, "/throws", "").status == 200);
  for (const char* origin : {"https://a.example", "https://b.example"}) {
    const bool good = std::string_view(origin) == "https://a.example";
    Reply got = get(app, "/later", origin);
    helper.join();
    CHECK(got.body == "ok");
    CHECK(got.field("vary") == "Origin");
    CHECK(got.field(kAllow) == (good ? origin : ""));
    got = preflight(app, "/later", {.origin = origin, .more = {{"Access-Control-Request-Headers", "x-a"}}});
    helper.join();
    CHECK(got.status == 204);
    CHECK(got.field(kAllow) == (good ? origin : ""));
    CHECK(got.field("access-control-allow-headers") == (good ? "x-a" : ""));
    CHECK(got.field("access-control-max-age") == (good ? "5" : ""));
  }
  CHECK(get(app, "/later", "https://forgotten.example").body == "ok");
  CHECK(!has_field(get(app, "/later", "https://forgotten.example"), kAllow));
  CHECK(get(app, "/later", "https://throws.example").status == 500);
  CHECK(get(app, "/later", "https://twice.example").field(kAllow) == "https://twice.example");
}

TEST_CASE("guards_cors: which fields may be sent is listed, or told back when it is a list of names") {
  App app;
  app.use("/listed", cors({.headers = {{"X-Token", "Content-Type"}}}));
  app.use("/none", cors({.headers = std::vector<std::string>()}));
  app.use("/any", cors());
  const auto allowed = [&](const char* path, std::string_view asked) {
    return std::string(preflight(app, path, {.more = {{"Access-Control-Request-Headers", asked}}}).field("access-control-allow-headers"));
  };
  CHECK(allowed("/listed", "x-other") == "X-Token, Content-Type");
  CHECK(allowed("/none", "x-other") == "");
  CHECK(preflight(app, "/listed").field("vary") == "");
  CHECK(allowed("/any", "x-other,x-third") == "x-other,x-third");
  for (const char* bad : {"x y", "x:y", "x,,y", ",", "<script>", "\"x\"", "x\xff"}) {
    CAPTURE(bad);
    CHECK(allowed("/any", bad) == "");
  }
  std::string many = "x";
  for (int i = 1; i < 64; i++) many += ",x";
  CHECK(allowed("/any", many) == many);
  CHECK(allowed("/any", many + ",x") == "");
  CHECK(allowed("/any", std::string(2048, 'x')).size() == 2048);
  CHECK(allowed("/any", std::string(2049, 'x')) == "");
}

TEST_CASE("guards_cors: private networks, another status, and preflights that go on") {
  App app;
  app.use("/private", cors({.private_network = true}));
  app.use("/ok", cors({.preflight_status = 200}));
  app.use("/on", cors({.pass_preflights = true}));
  app.get("/on", [](Request&, Response& res) { res.send("ok"); });
  const std::vector<std::pair<std::string_view, std::string_view>> wants = {{"Access-Control-Request-Private-Network", "true"}};
  const Reply asked = preflight(app, "/private", {.more = wants});
  CHECK(asked.field("access-control-allow-private-network") == "true");
  CHECK(asked.field("vary") == "Access-Control-Request-Headers, Access-Control-Request-Private-Network");
  CHECK(!has_field(preflight(app, "/private"), "access-control-allow-private-network"));
  CHECK(!has_field(preflight(app, "/ok", {.more = wants}), "access-control-allow-private-network"));
  CHECK(preflight(app, "/ok").status == 200);
  const Reply passed = preflight(app, "/on");
  CHECK(passed.status == 204);
  CHECK(passed.field("allow") == "OPTIONS, GET, HEAD");  // the library's own answer to OPTIONS
  CHECK(passed.field("access-control-allow-methods") != "");
}

TEST_CASE("guards_cors: no text of a request makes a field of its own") {
  TestServer server([](App& app) {
    app.use(cors({.allow_origin = [](std::string_view) { return true; }}));
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
  });
  for (const std::string origin : {"https://a\rX-Evil: 1", "https://a\nX-Evil: 1", "https://a\tb", "https://a b", "https://a\x01", "https://\xc3\xa9.example", "https://a,https://b"}) {
    CAPTURE(origin);
    Client client(server.port());
    const HttpResponse got = client.get("/", "Origin: " + origin + "\r\n");
    CHECK((got.status == 400 || got.status == 200));
    CHECK(got.field("x-evil") == "");
    CHECK(got.field(kAllow) == "");
  }
}

TEST_CASE("guards_cors: wrong options are the error of listen()") {
  CHECK(mistake_of({}) == "");
  CHECK(mistake_of({.credentials = true}) == "cors: credentials are for origins that are named");
  CHECK(mistake_of({.credentials = true, .origins = {"https://a.example", "*"}}) == "cors: credentials are for origins that have a name, and \"*\" has none");
  CHECK(mistake_of({.credentials = true, .origins = {"null"}}) == "cors: credentials are for origins that have a name, and \"null\" has none");
  CHECK(mistake_of({.allow_origin = [](std::string_view) { return true; }, .credentials = true}) == "");
  CHECK(mistake_of({.origins = {"a.example"}}).starts_with("cors: origins: "));
  CHECK(mistake_of({.methods = {"GET,PUT"}}) == "cors: methods: \"GET,PUT\" is no name");
  CHECK(mistake_of({.exposed_headers = {"a\r\nb"}}).starts_with("cors: exposed_headers: "));
  CHECK(mistake_of({.headers = {{""}}}) == "cors: headers: \"\" is no name");
  CHECK(mistake_of({.preflight_status = 302}) == "cors: preflight_status is not from 200 to 299");
  CHECK(mistake_of({.max_age = -1s}) == "cors: max_age is negative");
}

TEST_CASE("guards_cors: FieldLines replace what was set of their names, and refuse what is no field") {
  FieldLines lines;
  CHECK(lines.empty());
  CHECK(lines.add("X-A", "1"));
  CHECK(lines.add("X-B", "2"));
  for (const char* bad : {"", "a b", "a:", "Content-Length", "content-type", "SET-COOKIE", "Connection", "date", "transfer-encoding"}) CHECK(!lines.add(bad, "x"));
  CHECK(!lines.add("X-C", "a\r\nb"));
  App app;
  app.get("/", [lines](Request&, Response& res) { res.set("x-a", "old").set("X-K", "kept").set("X-L", "too").set(lines).set("X-B", "3").send("ok"); });
  app.get("/elsewhere", [lines](Request&, Response& res) {
    std::thread([late = res.defer(), lines] { late.set("X-A", "old").set(lines).send("ok"); }).join();
  });
  const Reply got = app.inject();
  CHECK(got.field("x-a") == "1");
  CHECK(got.field("x-b") == "3");
  CHECK(got.field("x-k") == "kept");
  CHECK(got.field("x-l") == "too");
  CHECK(app.inject({.path = "/elsewhere"}).field("x-a") == "1");
}

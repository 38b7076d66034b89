// Routers that are mounted, groups, handlers that return their answer, not_found and the list of routes.
#include <doctest/doctest.h>
#include <martlet/json.h>
#include <martlet/martlet.h>

#include <string>

#include "support/client.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

struct Post {
  std::string title;
  int likes = 0;
};
MARTLET_JSON(Post, title, likes)

}  // namespace

TEST_CASE("http_router: what is mounted stands behind its prefix, guards what comes later there, and is listed") {
  TestServer server([](App& app) {
    Router posts;
    posts.get("/", [](Request&) { return "list"; });
    posts.get("/:id", [](Request& req) { return std::string(req.param("id")); });
    Router api;
    api.get("/open", [](Request&) { return "open"; });
    api.use([](Request& req, Response& res, Next next) { req.header("x-token") ? next() : res.status(401).end(); });
    api.mount("/posts", std::move(posts));
    api.post("/upload", {.max_body_bytes = 3}, [](Request& req) { return std::string(req.body()); });
    app.mount("/api/", std::move(api));
    app.get("/api/later", [](Request&) { return "later"; });
    app.get("/", [] { return "home"; });
    app.all("/any", [] { return "any"; });
    app.ws("/api/live", {});
    std::string all;
    for (const RouteInfo& route : app.routes()) {
      all += route.method + " " + route.pattern + " " + std::to_string(route.steps) + (route.is_websocket ? " WebSocket\n" : "\n");
    }
    CHECK(all == "GET /api/open 1\nGET /api/posts 2\nGET /api/posts/:id 2\nPOST /api/upload 2\nGET /api/later 2\nGET / 1\n /any 1\nGET /api/live 1 WebSocket\n");
  });
  Client client(server.port());
  CHECK(client.get("/").body == "home");
  CHECK(client.get("/api/open").body == "open");
  CHECK(client.get("/api/posts").status == 401);
  CHECK(client.get("/api/posts", "X-Token: 1\r\n").body == "list");
  CHECK(client.get("/api/posts/7", "X-Token: 1\r\n").body == "7");
  CHECK(client.get("/api/posts/", "X-Token: 1\r\n").status == 404);
  CHECK(client.get("/api/later").status == 401);
  CHECK(client.get("/api/nothing").status == 401);
  CHECK(client.post("/api/upload", "abc", "X-Token: 1\r\n").body == "abc");
  CHECK(client.post("/api/upload", "abcd", "X-Token: 1\r\n").status == 413);
}

TEST_CASE("http_router: groups with steps, on groups, and WebSockets in them") {
  TestServer server([](App& app) {
    app.group("/admin", [](Request&, Response& res, Next next) { res.set("X-Admin", "1"), next(); }, [](Router& admin) {
      admin.use([](Context& c, Next next) { c.res.set("X-Context", "1"), next(); });
      admin.get("/stats", [](Context& c) { c.res.send(c.req.path()); });
      admin.ws("/live", [](WebSocket ws, Request&) { ws.send("hello"); });
      admin.ws("/echo", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }});
      admin.group("/deep", [](Router& deep) { deep.all("/*", [](Request& req) { return "deep " + std::string(req.param("*")); }); });
    });
  });
  Client client(server.port());
  HttpResponse got = client.get("/admin/stats");
  CHECK(got.body == "/admin/stats");
  CHECK(got.field("x-admin") == "1");
  CHECK(got.field("x-context") == "1");
  CHECK(client.get("/admin/deep/a/b").body == "deep a/b");
  WsClient live(server.port(), "/admin/live");
  CHECK(live.read_frame().payload == "hello");
  WsClient echo(server.port(), "/admin/echo");
  REQUIRE(echo.send_text("again"));
  CHECK(echo.read_frame().payload == "again");
}

TEST_CASE("http_router: a prefix that would guard nothing is refused, one with a star guards as well on a Router as on an App") {
  const auto refused = [](auto set_up) {
    App app;
    set_up(app);
    const auto port = app.listen("127.0.0.1", 0);
    return port ? std::string("listens") : std::string(port.error().what());
  };
  const auto stop = [](Request&, Response& res, Next) { res.status(401).end(); };
  const auto get_in = [](Request&) { return "in"; };
  const std::string params = "a prefix has no parameters: put the step into the routes";
  for (const std::string prefix : {"/users/[id]", "/users/:id"}) {
    CHECK(refused([&](App& app) { app.use(prefix, stop); }) == "route \"" + prefix + "\": " + params);
    CHECK(refused([&](App& app) { app.group(prefix, stop, [&](Router& r) { r.get("/", get_in); }); }) == "route \"" + prefix + "\": " + params);
    CHECK(refused([&](App& app) { app.group(prefix, [&](Router& r) { r.get("/", get_in); }); }) == "listens");
  }
  CHECK(refused([&](App& app) { app.group("/api", [&](Router& r) { r.use("admin", stop); }); }) == "route \"admin below /api\": a prefix begins with '/'");
  CHECK(refused([&](App& app) { app.group("/api", [&](Router& r) { r.get("users", get_in); }); }) == "route \"users below /api\": a path begins with '/'");
  CHECK(refused([&](App& app) { app.group("/api", [&](Router& r) { r.all("*", get_in); }); }) == "route \"* below /api\": a path begins with '/'");
  CHECK(refused([&](App& app) { app.group("/api", [&](Router& r) { r.ws("live", {}); }); }) == "route \"live below /api\": a path begins with '/'");
  CHECK(refused([&](App& app) { app.group("/api", [&](Router& r) { r.group("v1", stop, [](Router&) {}); }); }) == "route \"v1 below /api\": a prefix begins with '/'");
  CHECK(refused([&](App& app) { app.group("/api", [&](Router& r) { r.group("v1", [&](Router& v) { v.get("/x", get_in); }); }); }) == "route \"v1/x below /api\": a path begins with '/'");
  CHECK(refused([&](App& app) { app.group("/", [&](Router& r) { r.get("users", get_in); }); }) == "route \"users\": a path begins with '/'");
  App app;
  app.group("/api", [&](Router& r) { r.use("/admin/*", stop).get("/admin/x", get_in).get("/x", get_in); });
  CHECK(app.inject({.path = "/api/admin/x"}).status == 401);
  CHECK(app.inject({.path = "/api/x"}).body == "in");
}

TEST_CASE("http_router: a handler may return its answer") {
  TestServer server([](App& app) {
    app.get("/text", [] { return "1.0"; });
    app.get("/string", [](Request&, Response& res) { return res.status(201), std::string("made"); });
    app.get("/json", [](Request&) { return Json{{"a", 1}}; });
    app.get("/own", [](Request&) { return Post{"x", 2}; });
    app.get("/list", [](Request&) { return std::vector<Post>{{"x", 2}, {"y", 3}}; });
    app.get("/reply", [](Request&) -> Reply { return Reply(404, "<p>gone</p>", "html").set("X-Why", "moved"); });
    app.get("/reply-json", [](Request&) -> Reply { return {201, Post{"x", 2}}; });
    app.get("/reply-own", [](Request&) -> Reply { return Post{"x", 2}; });
    app.get("/empty", [](Request&) -> Reply { return {204}; });
    app.get("/result/:ok", [](Request& req) -> Result<std::string> {
      if (req.param("ok") == "no") return Error("it broke");
      return std::string("fine");
    });
    app.not_found([](Request& req, Response& res) { res.send("nothing at " + std::string(req.path())); });
  });
  Client client(server.port());
  CHECK(client.get("/text").body == "1.0");
  HttpResponse got = client.get("/string");
  CHECK(got.status == 201);
  CHECK(got.body == "made");
  got = client.get("/json");
  CHECK(got.body == R"({"a":1})");
  CHECK(got.field("content-type") == "application/json");
  CHECK(client.get("/own").body == R"({"title":"x","likes":2})");
  CHECK(client.get("/list").body == R"([{"title":"x","likes":2},{"title":"y","likes":3}])");
  got = client.get("/reply");
  CHECK(got.status == 404);
  CHECK(got.body == "<p>gone</p>");
  CHECK(got.field("content-type") == "text/html; charset=utf-8");
  CHECK(got.field("x-why") == "moved");
  got = client.get("/reply-json");
  CHECK(got.status == 201);
  CHECK(got.body == R"({"title":"x","likes":2})");
  CHECK(got.field("content-type") == "application/json");
  CHECK(client.get("/reply-own").body == R"({"title":"x","likes":2})");
  CHECK(client.get("/empty").status == 204);
  CHECK(client.get("/result/yes").body == "fine");
  CHECK(client.get("/result/no").status == 500);
  got = client.get("/nowhere");
  CHECK(got.status == 404);
  CHECK(got.body == "nothing at /nowhere");
  CHECK(client.post("/text", "").status == 405);
}

TEST_CASE("http_router: fields are appended, taken back, and asked for") {
  TestServer server([](App& app) {
    app.get("/", [](Request&, Response& res) {
      res.append("Link", "</a>").append("link", "</b>").set("X-Gone", "1").remove("x-gone").set("Content-Type", "text/css").status(203);
      CHECK(res.get("LINK") == "</a>");
      CHECK(!res.get("X-Gone"));
      CHECK(res.get("content-type") == "text/css");
      CHECK(res.status_code() == 203);
      res.append("X-Bad", "a\r\nb").send("x");
    });
    app.get("/set", [](Request&, Response& res) { res.append("Link", "</a>").append("Link", "</b>").set("Link", "</c>").end(); });
  });
  Client client(server.port());
  const HttpResponse got = client.get("/");
  CHECK(got.count("link") == 2);
  CHECK(got.field("content-type") == "text/css");
  CHECK(got.field("x-bad") == "");
  CHECK(client.get("/set").field("link") == "</c>");
}

TEST_CASE("http_router: constraints of one's own, in an App and in a Router") {
  TestServer server([](App& app) {
    app.constraint("even", [](std::string_view text) { return !text.empty() && (text.back() - '0') % 2 == 0; });
    app.get("/n/:n<even>", [](Request& req) { return "even " + std::string(req.param("n")); });
    app.get("/n/:n", [](Request& req) { return "any " + std::string(req.param("n")); });
    app.group("/r", [](Router& r) {
      r.constraint("short", [](std::string_view text) { return text.size() < 3; });
      r.get("/:s<short>", [](Request&) { return "short"; }).get("/e/:s<even>", [](Request&) { return "even"; });
    });
  });
  Client client(server.port());
  CHECK(client.get("/n/12").body == "even 12");
  CHECK(client.get("/n/13").body == "any 13");
  CHECK(client.get("/r/ab").body == "short");
  CHECK(client.get("/r/abc").status == 404);
  CHECK(client.get("/r/e/2").body == "even");
}

TEST_CASE("http_router: a slash at the end is another path, the same, or a way to the right one") {
  const auto serve = [](App& app) {
    app.get("/a", [](Request&) { return "a"; });
    app.get("/b/", [](Request&) { return "b"; });
    app.get("/p/:x", [](Request& req) { return "p " + std::string(req.param("x")); });
    app.post("/post", [](Request&) { return "post"; });
  };
  struct Want { const char* path; int distinct, ignore, redirect; const char* location; };
  const Want wants[] = {
      {"/a", 200, 200, 200, ""},    {"/a/", 404, 200, 308, "/a"},         {"/b/", 200, 200, 200, ""},        {"/b", 404, 200, 308, "/b/"},
      {"/p/1", 200, 200, 200, ""},  {"/p/1/?q=1", 404, 200, 308, "/p/1?q=1"}, {"/b?x", 404, 200, 308, "/b/?x"}, {"/c/", 404, 404, 404, ""},
      {"//a/", 404, 404, 404, ""},  {"/a//", 404, 404, 404, ""},          {"/%61/", 404, 200, 308, "/a"},    {"/post/", 404, 405, 404, ""},
  };
  for (const TrailingSlash policy : {TrailingSlash::distinct, TrailingSlash::ignore, TrailingSlash::redirect}) {
    TestServer server(serve, {.app = {.trailing_slash = policy}});
    Client client(server.port());
    for (const Want& want : wants) {
      CAPTURE(want.path);
      const HttpResponse got = client.get(want.path);
      CHECK(got.status == (policy == TrailingSlash::distinct ? want.distinct : policy == TrailingSlash::ignore ? want.ignore : want.redirect));
      if (got.status == 308) CHECK(got.field("location") == want.location);
    }
  }
}

TEST_CASE("http_router: dot segments are refused, or resolved before any guard sees them") {
  struct Want { const char* path; int strict; const char* resolved; };
  const Want wants[] = {
      {"/x/../admin", 400, "guard /admin"}, {"/./admin/a", 400, "guard /admin/a"}, {"/%2e/admin", 400, "guard /admin"}, {"/x/%2E%2e/admin", 400, "guard /admin"},
      {"/admin/../x", 400, "/x"},           {"/a/b/..", 400, "/a/"},               {"/a/.", 400, "/a/"},                {"/..", 400, ""},
      {"/a/../..", 400, ""},                {"/a%2F..%2fb", 400, ""},              {"/a/..;x/b", 400, ""},              {"/a\\..\\b", 400, ""},
      {"/...", 200, "/..."},                {"/a/..b", 200, "/a/..b"},             {"/x/.%61/../%61dmin", 400, "guard /x/admin"},
  };
  for (const PathPolicy policy : {PathPolicy::strict, PathPolicy::resolve}) {
    TestServer server([](App& app) {
      app.use("/admin", [](Request& req, Response& res, Next) { res.send("guard " + std::string(req.path())); });
      app.use("/x/admin", [](Request& req, Response& res, Next) { res.send("guard " + std::string(req.path())); });
      app.get("/*", [](Request& req) { return std::string(req.path()); });
    }, {.app = {.path_policy = policy}});
    Client client(server.port());
    for (const Want& want : wants) {
      CAPTURE(want.path);
      const HttpResponse got = client.get(want.path);
      const bool refused = policy == PathPolicy::strict ? want.strict == 400 : *want.resolved == '\0';
      CHECK(got.status == (refused ? 400 : 200));
      if (!refused) CHECK(got.body == (policy == PathPolicy::strict ? want.path : want.resolved));
      if (got.closes()) client = Client(server.port());
    }
  }
}

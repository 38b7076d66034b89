// Which handler a request reaches, and what it sees of the request: routes and their precedence, methods, HEAD, 404,
// middleware, parameters, queries and targets. Through real sockets.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/aborts.h"
#include "support/client.h"
#include "support/server.h"
#include "support/server_process.h"

using namespace martlet;
using namespace martlet::test;

namespace {

// A handler that says which route it belongs to.
auto says(std::string text) {
  return [text = std::move(text)](Request&, Response& res) { res.send(text); };
}

// A middleware that leaves a mark in the field X-Trace, which is built up step by step, and goes on.
auto marks(std::string& trace, std::string mark) {
  return [&trace, mark = std::move(mark)](Request&, Response& res, Next next) {
    trace += mark;
    res.set("X-Trace", trace);
    next();
  };
}

}  // namespace

TEST_CASE("http_routes: static before parameter before wildcard, whatever the order of registration") {
  TestServer server([](App& app) {
    app.get("/*", says("root wildcard"));
    app.get("/users/*", says("wildcard"));
    app.get("/users/:id", says("parameter"));
    app.get("/users/me", says("static"));
    app.get("/users/:id/posts", says("posts"));
    app.get("/users/me/:what", says("mine"));
    app.get("/", says("root"));
  });
  Client client(server.port());
  CHECK(client.get("/").body == "root");
  CHECK(client.get("/users/me").body == "static");
  CHECK(client.get("/users/7").body == "parameter");
  CHECK(client.get("/users/7/posts").body == "posts");
  CHECK(client.get("/users/me/posts").body == "mine");
  CHECK(client.get("/users/7/8/9").body == "wildcard");
  CHECK(client.get("/users/7/other").body == "wildcard");
  CHECK(client.get("/users").body == "root wildcard");
  CHECK(client.get("/users/").body == "wildcard");
  CHECK(client.get("/elsewhere/x").body == "root wildcard");
}

TEST_CASE("http_routes: a static branch that leads nowhere does not hide a parameter's") {
  TestServer server([](App& app) {
    app.get("/a/b/d", says("static"));
    app.get("/a/:x/c", [](Request& req, Response& res) { res.send(req.param("x")); });
    app.get("/:p/*", [](Request& req, Response& res) {
      res.send(std::string(req.param("p")) + "|" + std::string(req.param("*")) + "|" + std::string(req.param("x")));
    });
  });
  Client client(server.port());
  CHECK(client.get("/a/b/d").body == "static");
  CHECK(client.get("/a/b/c").body == "b");
  CHECK(client.get("/a/b/e").body == "a|b/e|");
}

TEST_CASE("http_routes: static paths that differ in one byte are different, at all lengths") {
  std::vector<std::string> paths;
  for (size_t length = 1; length <= 40; length++) {
    std::string path = "/";
    for (size_t i = 1; i < length; i++) path += static_cast<char>('a' + i % 26);
    paths.push_back(path);
  }
  TestServer server([&](App& app) {
    for (const std::string& path : paths) app.get(path, says(path));
  });
  Client client(server.port());
  for (const std::string& path : paths) {
    CHECK(client.get(path).body == path);
    for (size_t i = 1; i < path.size(); i++) {
      std::string other = path;
      other[i] = '0';
      REQUIRE(client.get(other).status == 404);
    }
  }
}

TEST_CASE("http_routes: thousands of routes, and sixteen parameters") {
  constexpr int kRoutes = 2000;
  const auto path_of = [](const char* base, int i) { return std::string(base).append(std::to_string(i)); };
  std::string pattern, path, values;
  for (int i = 0; i < 16; i++) {
    pattern += path_of("/:p", i);
    path += path_of("/v", i);
    values += path_of("v", i);
  }
  TestServer server([&](App& app) {
    for (int i = 0; i < kRoutes; i++) {
      app.get(path_of("/static/route/", i), says(std::to_string(i)));
      app.get(path_of("/param", i) + "/:x/end", [i](Request& req, Response& res) {
        res.send(std::to_string(i) + std::string(req.param("x")));
      });
    }
    app.get(pattern, [&](Request& req, Response& res) {
      std::string all;
      for (int i = 0; i < 16; i++) all += req.param(path_of("p", i));
      res.send(all);
    });
    app.get(pattern + "/more", says("more"));
  });
  Client client(server.port());
  for (int i = 0; i < kRoutes; i += 37) {
    REQUIRE(client.get(path_of("/static/route/", i)).body == std::to_string(i));
    REQUIRE(client.get(path_of("/param", i) + "/-/end").body == std::to_string(i) + "-");
  }
  CHECK(client.get(path_of("/static/route/", kRoutes)).status == 404);
  CHECK(client.get(path).body == values);
  CHECK(client.get(path + "/more").body == "more");
  CHECK(client.get(path + "/other").status == 404);
  CHECK(client.get(path + path).status == 404);
  CHECK(client.get("/" + std::string(8000, '/')).status == 404);
}

TEST_CASE("http_routes: names belong to the route, and of all() and a method the first registered wins") {
  TestServer server([](App& app) {
    app.get("/:first", [](Request& req, Response& res) {
      res.send("first " + std::string(req.param("first")) + std::string(req.param("second")));
    });
    app.post("/:second", [](Request& req, Response& res) {
      res.send("post " + std::string(req.param("second")) + std::string(req.param("first")));
    });
    app.all("/any", says("all"));
    app.get("/any", says("get"));
  });
  Client client(server.port());
  CHECK(client.get("/x").body == "first x");
  CHECK(client.post("/x", "").body == "post x");
  CHECK(client.get("/any").body == "all");
}

TEST_CASE("http_routes: a second route of a method for the same paths is what listen() answers, with what to write") {
  const auto mistake = [](const char* first, const char* second, bool websocket) {
    App app;
    if (websocket) app.ws(first, WsHandlers{}).ws(second, WsHandlers{});
    else app.get(first, says("first")).get(second, says("second"));
    const auto port = app.listen("127.0.0.1", 0);
    return port ? std::string() : port.error().message();
  };
  CHECK(mistake("/a/:x", "/a/:y", false) ==
        "route \"/a/:y\": GET \"/a/:x\" takes the same paths and was registered first: write one route with both handlers, or a narrower one (:name<int>)");
  CHECK(mistake("/f", "/f/:x?", false) == "route \"/f/:x?\": GET \"/f\" takes the same paths and was registered first: write \"/f/:x\"");
  CHECK(mistake("/chat", "/chat", true) == "route \"/chat\": all \"/chat\" takes the same paths and was registered first: write one route with both handlers");
  CHECK(mistake("/a/:x", "/a/:y<int>", false) == "");
}

TEST_CASE("http_routes: constraints, an optional parameter, brackets and a wildcard with a name") {
  TestServer server([](App& app) {
    app.get("/users/:id<int>", [](Request& req, Response& res) { res.send("number " + std::string(req.param("id"))); });
    app.get("/users/:name", [](Request& req, Response& res) { res.send("name " + std::string(req.param("name"))); });
    app.get("/files/:name?", [](Request& req, Response& res) { res.send("file [" + std::string(req.param("name")) + "]"); });
    app.get("/room/[roomId]", [](Request& req, Response& res) { res.send("room " + std::string(req.param("roomId"))); });
    app.get("/static/*rest", [](Request& req, Response& res) {
      res.send(std::string(req.param("rest")) + "=" + std::string(req.param("*")));
    });
    app.post("/users/:id<int>", says("made"));
  });
  Client client(server.port());
  CHECK(client.get("/users/%37").body == "number 7");
  CHECK(client.get("/users/ann").body == "name ann");
  CHECK(client.get("/files").body == "file []");
  CHECK(client.get("/files/a%20b").body == "file [a b]");
  CHECK(client.get("/files/").status == 404);
  CHECK(client.get("/room/r1").body == "room r1");
  CHECK(client.get("/static/").body == "=");
  CHECK(client.get("/static/a/b%20c").body == "a/b c=a/b c");
  CHECK(client.request("PUT /users/7 HTTP/1.1\r\nHost: t\r\n\r\n").field("allow") == "OPTIONS, GET, HEAD, POST");
  CHECK(client.request("PUT /users/ann HTTP/1.1\r\nHost: t\r\n\r\n").field("allow") == "OPTIONS, GET, HEAD");
}

TEST_CASE("http_routes: every method reaches its own route, all() takes any, also unknown ones") {
  TestServer server([](App& app) {
    app.get("/m", says("GET")).post("/m", says("POST")).put("/m", says("PUT")).patch("/m", says("PATCH"));
    app.del("/m", says("DELETE")).options("/m", says("OPTIONS"));
    app.head("/m", [](Request&, Response& res) { res.set("X-Head", "own").end(); });
    app.all("/all", [](Request& req, Response& res) { res.send(req.method()); });
  });
  Client client(server.port());
  for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    CAPTURE(method);
    CHECK(client.request(method + " /m HTTP/1.1\r\nHost: t\r\n\r\n").body == method);
    CHECK(client.request(method + " /all HTTP/1.1\r\nHost: t\r\n\r\n").body == method);
  }
  CHECK(client.request("HEAD /m HTTP/1.1\r\nHost: t\r\n\r\n").field("x-head") == "own");
  CHECK(client.request("TRACE /all HTTP/1.1\r\nHost: t\r\n\r\n").body == "TRACE");
  CHECK(client.request("PROPFIND /all HTTP/1.1\r\nHost: t\r\n\r\n").body == "PROPFIND");
  CHECK(client.request("PROPFIND /m HTTP/1.1\r\nHost: t\r\n\r\n").status == 501);
  CHECK(client.request("PROPFIND /nowhere HTTP/1.1\r\nHost: t\r\n\r\n").status == 501);
  CHECK(client.request("get /m HTTP/1.1\r\nHost: t\r\n\r\n").status == 501);  // methods are case-sensitive
}

TEST_CASE("http_routes: HEAD of a GET route gives its head and no body, and the connection goes on") {
  TestServer server([](App& app) { app.get("/g", [](Request& req, Response& res) {
    res.set("X-Method", req.method()).send("twelve bytes");
  }); });
  Client client(server.port());
  const HttpResponse head = client.request("HEAD /g HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(head.status == 200);
  CHECK(head.field("content-length") == "12");
  CHECK(head.field("x-method") == "HEAD");
  CHECK(client.get("/g").body == "twelve bytes");  // would be read as garbage if a body had come
  const HttpResponse missing = client.request("HEAD /nowhere HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(missing.status == 404);
  CHECK(client.get("/g").status == 200);
}

TEST_CASE("http_routes: HEAD goes where GET goes, not to a less exact all()") {
  TestServer server([](App& app) {
    app.get("/page", says("the page"));
    app.all("/page", [](Request&, Response& res) { res.status(405).end(); });
    app.all("/*", [](Request&, Response& res) { res.status(410).end(); });
  });
  Client client(server.port());
  CHECK(client.get("/page").status == 200);
  CHECK(client.request("HEAD /page HTTP/1.1\r\nHost: t\r\n\r\n").status == 200);
  CHECK(client.request("HEAD /other HTTP/1.1\r\nHost: t\r\n\r\n").status == 410);
}

TEST_CASE("http_routes: what matches nothing is 404 and leaves the connection open") {
  TestServer server([](App& app) { app.get("/a", says("a")).get("/dir/", says("dir")).get("/w/*", says("w")); });
  Client client(server.port());
  for (const char* path : {"/", "/b", "/a/", "/A", "/dir", "/w", "/%62", "//a", "/a//", "/a/b", "/a%20"}) {
    CAPTURE(path);
    const HttpResponse response = client.get(path);
    CHECK(response.status == 404);
    CHECK_FALSE(response.closes());
  }
  CHECK(client.post("/b", "with a body").status == 404);
  CHECK(client.get("/a").body == "a");
  CHECK(client.get("/dir/").body == "dir");
  CHECK(server.stats().requests == 14);
}

TEST_CASE("http_routes: middleware runs in order of registration, for later routes only") {
  std::string trace;
  TestServer server([&](App& app) {
    app.get("/before", [](Request&, Response& res) { res.send("bare"); });
    app.use(marks(trace, "1"));
    app.use("/api", marks(trace, "2"));
    app.use("/api/v1/", marks(trace, "3"));
    app.get("/api/v1/x", marks(trace, "4"), marks(trace, "5"), [](Request&, Response& res) { res.send("deep"); });
    app.get("/apis", [](Request&, Response& res) { res.send("apis"); });
    app.use(marks(trace, "late"));
    app.get("/api", [](Request&, Response& res) { res.send("api"); });
  });
  Client client(server.port());
  const auto trace_of = [&](const char* path) {
    server.on_thread([&](App&) { trace.clear(); });
    return client.get(path).field("x-trace");
  };
  CHECK(trace_of("/before") == "");
  CHECK(trace_of("/api/v1/x") == "12345");
  CHECK(trace_of("/apis") == "1");
  CHECK(trace_of("/api") == "12late");
}

TEST_CASE("http_routes: use() sees requests that match nothing, with its prefix by whole segments") {
  std::string trace;
  TestServer server([&](App& app) {
    app.use(marks(trace, "all "));
    app.use("/api", marks(trace, "api "));
    app.use("/site", [](Request& req, Response& res, Next) { res.status(418).send(req.path()); });
    app.get("/x", [](Request&, Response& res) { res.send("x"); });
  });
  Client client(server.port());
  CHECK(client.get("/site/deep/inside").status == 418);
  CHECK(client.get("/site").body == "/site");
  CHECK(client.get("/sites").status == 404);
  server.on_thread([&](App&) { trace.clear(); });
  CHECK(client.get("/api/none").field("x-trace") == "all api ");
  server.on_thread([&](App&) { trace.clear(); });
  const HttpResponse missing = client.get("/apiary");
  CHECK(missing.status == 404);
  CHECK(missing.field("x-trace") == "all ");
}

TEST_CASE("http_routes: a middleware that answers stops the chain") {
  std::atomic<int> reached = 0;
  TestServer server([&](App& app) {
    app.use("/closed", [](Request& req, Response& res, Next next) {
      if (req.header("Authorization") == "yes") return next();
      res.status(401).set("WWW-Authenticate", "Basic").send("no");
    });
    app.get("/closed", [&](Request&, Response& res) { reached++; res.send("in"); });
    app.post("/closed", [&](Request& req, Response& res) { reached++; res.send(req.body()); });
  });
  Client client(server.port());
  CHECK(client.get("/closed").status == 401);
  CHECK(client.post("/closed", "GET /closed HTTP/1.1\r\n\r\n").status == 401);  // the body is no request
  CHECK(reached == 0);
  CHECK(client.get("/closed", "authorization: yes\r\n").body == "in");
  CHECK(client.get("/closed", "Authorization:   yes  \r\n").body == "in");
  CHECK(reached == 2);
}

TEST_CASE("http_routes: next() twice is ignored and counted" * doctest::skip(kDebugBuild)) {
  std::atomic<int> calls = 0;
  TestServer server([&](App& app) {
    app.use([](Request&, Response&, Next next) {
      next();
      next();
      next();
    });
    app.get("/n", [&](Request&, Response& res) { calls++; res.send("once"); });
  });
  Client client(server.port());
  CHECK(client.get("/n").body == "once");
  CHECK(client.get("/n").body == "once");
  CHECK(calls == 2);
  CHECK(server.stats().late_nexts == 4);
}

TEST_CASE("http_routes: next() called later, from another thread, goes on where it stopped") {
  std::thread helper;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response&, Next next) {
      if (helper.joinable()) helper.join();
      helper = std::thread([next] {
        next();
        next();  // twice from elsewhere: ignored
      });
    });
    app.post("/later/:id", [](Request& req, Response& res) {
      res.send(std::string(req.param("id")) + " " + std::string(req.query("q").value_or("-")) + " " +
               std::string(req.header("X-Field").value_or("-")) + " " + std::string(req.body()));
    });
  });
  {
    Client client(server.port());
    CHECK(client.post("/later/a%20b?q=c%26d", "the body", "X-Field: f\r\n").body == "a b c&d f the body");
    CHECK(client.get("/unmatched").status == 404);
  }
  server.stop();
  helper.join();
}

TEST_CASE("http_routes: a next() that comes after the client has left does nothing") {
  std::atomic<bool> held = false;
  std::vector<Next> kept;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response&, Next next) { kept.push_back(next); held = true; });
    app.get("/x", [](Request&, Response& res) { res.send("x"); });
  });
  {
    Client client(server.port());
    REQUIRE(client.send("GET /x HTTP/1.1\r\nHost: t\r\n\r\n"));
    REQUIRE(eventually([&] { return held.load(); }));
    client.reset();
  }
  REQUIRE(server.wait_for_connections(0));
  server.on_thread([&](App&) { kept[0](); });
  kept[0]();
  CHECK(server.stats().late_nexts == 0);
}

// A kept Next names its request by number; the body of the following request is still on its way when it is called.
TEST_CASE("http_routes: a second next() while the next request's body arrives neither crashes nor runs anything") {
  ServerProcess server([](App& app) {
    static std::vector<Next> kept;
    app.use("/mw", [](Request&, Response&, Next next) { kept.push_back(next); next(); });
    app.get("/mw", [](Request&, Response& res) { res.send("1"); });
    app.post("/post", [](Request& req, Response& res) { res.send(req.body()); });
    app.get("/again", [](Request&, Response& res) { for (Next& next : kept) next(); res.send("done"); });
  });
  Client client(server.port());
  Client other(server.port());
  CHECK(client.get("/mw").body == "1");
  REQUIRE(client.send("POST /post HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nab"));
  CHECK(other.get("/again").body == "done");
  CHECK(other.get("/again").body == "done");
  CHECK(client.send("cd"));
  CHECK(client.read_response().body == "abcd");
  CHECK(server.wait(milliseconds(0)) == ServerProcess::kNotOver);
}

TEST_CASE("http_routes: parameters and wildcards are decoded, once; broken encodings are 400") {
  TestServer server([](App& app) {
    app.get("/p/:v", [](Request& req, Response& res) { res.send("[" + std::string(req.param("v")) + "]"); });
    app.get("/w/*", [](Request& req, Response& res) {
      res.send("[" + std::string(req.param("*")) + "]" + std::string(req.param("none")));
    });
  });
  Client client(server.port());
  const std::pair<const char*, std::string> cases[] = {
      {"/p/plain", "[plain]"},   {"/p/a%20b", "[a b]"},      {"/p/a+b", "[a+b]"},
      {"/p/%C3%A9", "[\xC3\xA9]"}, {"/p/%c3%a9%41", "[\xC3\xA9" "A]"}, {"/p/%2541", "[%41]"},
      {"/%70/%2Fetc%2fpasswd", "[/etc/passwd]"},
      {"/w/a/b%2Fc/d", "[a/b/c/d]"}, {"/w/a/", "[a/]"},       {"/w/", "[]"},
      {"/%77/%61/%62.c", "[a/b.c]"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.first);
    CHECK(client.get(c.first).body == c.second);
  }
  for (const char* path : {"/p/%", "/p/%4", "/p/%zz", "/p/%41%", "/p/%00", "/p/%2", "/p/%%41", "/w/..%2f.."}) {
    CAPTURE(path);
    CHECK(client.get(path).status == 400);
  }
  CHECK(client.get("/p/plain").status == 200);
}

TEST_CASE("http_routes: a route is found by any spelling of its letters") {
  TestServer server([](App& app) {
    app.get("/hello", says("hello")).get("/caf\xC3\xA9", says("coffee")).get("/caf\xC3\xA9/:cup", [](Request& req, Response& res) {
      res.send(std::string(req.path()) + " " + std::string(req.url()) + " " + std::string(req.param("cup")));
    });
    app.get("/later/:id", [](Request& req, Response& res) {  // the judged path goes along when the head is copied
      Response later = res.defer();
      later.send(std::string(req.param("id")) + " of " + std::string(req.path()));
    });
  });
  Client client(server.port());
  for (const char* path : {"/hello", "/%68ello", "/%68%65%6C%6c%6F"}) CHECK(client.get(path).body == "hello");
  for (const char* path : {"/caf%C3%A9", "/caf%c3%a9", "/%63af%c3%A9"}) CHECK(client.get(path).body == "coffee");
  CHECK(client.get("/caf%c3%a9/%61%20b?x=%41").body == "/caf%C3%A9/a%20b /caf%c3%a9/%61%20b?x=%41 a b");
  CHECK(client.get("/%6cater/%37").body == "7 of /later/7");
  CHECK(client.request("HEAD /%68ello HTTP/1.1\r\nHost: t\r\n\r\n").status == 200);
  CHECK(client.get("/%48ello").status == 404);
}

TEST_CASE("http_routes: a path with routes for other methods is 405 with Allow of that path, OPTIONS tells it") {
  TestServer server([](App& app) {
    app.use([](Request&, Response& res, Next next) {
      res.set("X-Seen", "yes");
      next();
    });
    app.get("/", says("root")).post("/items", says("made")).del("/items/:id", says("gone")).put("/items/*", says("put"));
    app.options("/own", says("mine")).get("/own", says("own"));
    app.ws("/chat", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
  });
  Client client(server.port());
  const auto allow = [&](const std::string& line, unsigned status) {
    const HttpResponse answer = client.request(line + " HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
    CAPTURE(line);
    CHECK(answer.status == status);
    CHECK(answer.field("x-seen") == "yes");
    return std::string(answer.field("allow"));
  };
  CHECK(allow("POST /", 405) == "OPTIONS, GET, HEAD");
  CHECK(allow("TRACE /", 405) == "OPTIONS, GET, HEAD");
  CHECK(allow("GET /items", 405) == "OPTIONS, POST");
  CHECK(allow("HEAD /items", 405) == "OPTIONS, POST");
  CHECK(allow("GET /items/7", 405) == "OPTIONS, PUT, DELETE");
  CHECK(allow("GET /items/7/8", 405) == "OPTIONS, PUT");
  CHECK(allow("PUT /own", 405) == "OPTIONS, GET, HEAD");
  CHECK(allow("POST /chat", 405) == "OPTIONS, GET");
  CHECK(allow("POST /%63hat", 405) == "OPTIONS, GET");
  CHECK(allow("OPTIONS /", 204) == "OPTIONS, GET, HEAD");
  CHECK(allow("OPTIONS /items/7", 204) == "OPTIONS, PUT, DELETE");
  CHECK(allow("OPTIONS /chat", 204) == "OPTIONS, GET");
  CHECK(allow("OPTIONS /nowhere", 404).empty());
  CHECK(allow("POST /nowhere", 404).empty());
  CHECK(allow("FROB /", 501).empty());
  CHECK(client.request("OPTIONS /own HTTP/1.1\r\nHost: t\r\n\r\n").body == "mine");
  Client haproxy(server.port());  // its default check
  haproxy.send("OPTIONS / HTTP/1.0\r\n\r\n");
  CHECK(haproxy.read_response().status == 204);
}

TEST_CASE("http_routes: a guard sees what a pattern with doubled slashes matches") {
  TestServer server([](App& app) {
    app.use("/a/b", [](Request&, Response& res, Next) { res.status(403).send("guarded"); });
    app.get("/a//:id", says("parameter"));
    app.get("//*", says("wildcard"));
  });
  Client client(server.port());
  for (const char* target : {"/a//b", "//a/b", "//a//b/c", "//a%2Fb"}) {
    CAPTURE(std::string(target));
    CHECK(client.get(target).status == 403);
  }
  CHECK(client.get("/a//c").body == "parameter");
  CHECK(client.get("//a/c").body == "wildcard");
}

TEST_CASE("http_routes: queries") {
  TestServer server([](App& app) {
    app.get("/q", [](Request& req, Response& res) {
      const auto a = req.query("a");
      const auto odd = req.query("x y");
      res.set("X-Raw", req.query_string()).set("X-Url", req.url()).set("X-Odd", odd.value_or("none"));
      res.send(a ? "[" + std::string(*a) + "]" : "none");
    });
  });
  Client client(server.port());
  const std::pair<const char*, const char*> cases[] = {
      {"a=1", "[1]"},      {"b=1", "none"},      {"", "none"},          {"a", "[]"},          {"a=", "[]"},
      {"a=1&a=2", "[1]"},  {"&&a=1&", "[1]"},    {"a=x+y", "[x y]"},    {"a=x%2By", "[x+y]"}, {"%61=7", "[7]"},
      {"a=%", "[%]"},      {"a=%4g", "[%4g]"},   {"a=b=c", "[b=c]"},    {"a=1?2", "[1?2]"},   {"a=%26%3D", "[&=]"},
      {"aa=1&a=2", "[2]"}, {"A=1", "none"},      {"=1", "none"},        {"?a=1", "none"},
  };
  for (const auto& c : cases) {
    const std::string query = c.first;
    CAPTURE(query);
    const HttpResponse response = client.get("/q?" + query);
    CHECK(response.body == c.second);
    CHECK(response.field("x-raw") == query);
    if (!query.empty()) CHECK(response.field("x-url") == "/q?" + query);
  }
  CHECK(client.get("/q?x+y=1").field("x-odd") == "1");
  CHECK(client.get("/q?x%20y=2").field("x-odd") == "2");
}

TEST_CASE("http_routes: absolute-form, OPTIONS * and CONNECT") {
  TestServer server([](App& app) {
    app.use("/nothing", [](Request&, Response&, Next next) { next(); });
    app.use([](Request& req, Response& res, Next next) {
      if (req.path() != "*") return next();
      res.status(204).set("Allow", req.method()).end();
    });
    const auto tell = [](Request& req, Response& res) {
      res.send(std::string(req.path()) + "|" + std::string(req.url()) + "|" + std::string(req.query_string()) + "|" +
               std::string(req.header("Host").value_or("-")));
    };
    app.get("/", tell);
    app.get("/x", tell);
  });
  Client client(server.port());
  const auto body_of = [&](const std::string& target) {
    return client.request("GET " + target + " HTTP/1.1\r\nHost: ignored\r\n\r\n").body;
  };
  CHECK(body_of("http://example.com/x?y=1") == "/x|/x?y=1|y=1|example.com");
  CHECK(body_of("HTTP://example.com:81/x") == "/x|/x||example.com:81");
  CHECK(body_of("http://example.com") == "/|/||example.com");
  CHECK(body_of("http://example.com/") == "/|/||example.com");
  CHECK(body_of("http://example.com?y=1") == "/|/?y=1|y=1|example.com");
  CHECK(client.request("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n").field("allow") == "OPTIONS");
  const HttpResponse connect = client.request("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
  CHECK(connect.status >= 400);  // never a 2xx, which would begin a tunnel
}

TEST_CASE("http_routes: OPTIONS * tells the methods there are routes for, or has a route of its own") {
  const std::string asterisk = "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n";
  TestServer server([](App& app) { app.get("/*", says("any")).get("/", says("root")).del("/x", says("gone")); });
  Client client(server.port());
  const HttpResponse told = client.request(asterisk);
  CHECK(told.status == 204);
  CHECK(told.field("allow") == "OPTIONS, GET, HEAD, DELETE");
  CHECK(client.get("/").body == "root");
  CHECK(client.request("OPTIONS /x HTTP/1.1\r\nHost: t\r\n\r\n").status == 204);

  TestServer own([](App& app) {
    app.use([](Request&, Response& res, Next next) {
      res.set("X-Seen", "yes");
      next();
    });
    app.options("*", says("the server"));
    app.all("/", says("root"));
  });
  Client other(own.port());
  const HttpResponse answer = other.request(asterisk);
  CHECK(answer.body == "the server");
  CHECK(answer.field("x-seen") == "yes");
  CHECK(other.get("/").body == "root");

  TestServer all([](App& app) { app.all("/x", says("x")); });
  Client third(all.port());
  CHECK(third.request(asterisk).field("allow") == "OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE");
}

TEST_CASE("http_routes: a plain request for a WebSocket's path is 426, after the middleware") {
  TestServer server([](App& app) {
    app.use([](Request&, Response& res, Next next) {
      res.set("X-Seen", "yes");
      next();
    });
    app.ws("/chat/:room", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
    app.ws("/both", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
    app.get("/both", says("a page"));
  });
  Client client(server.port());
  for (const std::string method : {"GET", "HEAD"}) {
    const HttpResponse told = client.request(method + " /chat/den HTTP/1.1\r\nHost: t\r\n\r\n");
    CHECK(told.count("connection") == 1);
    if (method == "GET") {
      CHECK(told.body == "This is a WebSocket, and the Upgrade field did not arrive: is there a proxy in between?");
    }
    CHECK(told.status == 426);
    CHECK(told.field("upgrade") == "websocket");
    CHECK(told.field("connection") == "Upgrade");
    CHECK(told.field("sec-websocket-version") == "13");
    CHECK(told.field("x-seen") == "yes");
  }
  CHECK(client.request("POST /chat/den HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n").status == 405);
  CHECK(client.get("/chat").status == 404);
  CHECK(client.get("/both").body == "a page");  // on the same connection
}

TEST_CASE("http_routes: fields as the request shows them") {
  TestServer server([](App& app) {
    app.get("/h", [](Request& req, Response& res) {
      std::string all;
      std::string_view name, value;
      for (size_t i = 0; req.header_at(i, name, value); i++) {
        all += std::string(name) + "=" + std::string(value) + ";";
      }
      CHECK_FALSE(req.header_at(1000, name, value));
      res.set("X-Twice", req.header("x-TWICE").value_or("none")).set("X-Ip", req.ip());
      res.set("X-Minor", std::to_string(req.http_minor_version())).set("X-Upgrade", req.is_upgrade() ? "1" : "0");
      res.set("X-None", req.header("None").value_or("nothing")).send(all);
    });
  });
  Client client(server.port());
  const HttpResponse response =
      client.request("GET /h HTTP/1.1\r\nHost: t\r\nX-Twice:\t one \t\r\nx-twice: two\r\nEmpty:\r\n\r\n");
  CHECK(response.body == "Host=t;X-Twice=one;x-twice=two;Empty=;");
  CHECK(response.field("x-twice") == "one, two");
  CHECK(response.field("x-ip") == "127.0.0.1");
  CHECK(response.field("x-minor") == "1");
  CHECK(response.field("x-upgrade") == "0");
  CHECK(response.field("x-none") == "nothing");
}

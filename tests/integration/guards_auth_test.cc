// Who somebody is: basic_auth() and bearer_auth() before requests and behind the 101, what they say to whom they refuse, and
// users that are found later: by a coroutine, by a callback on another thread, or not at all.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

std::optional<AuthUser> find_by_token(std::string_view token) {
  if (token == "ann-token") return AuthUser{.id = "7", .username = "ann", .roles = {"admin"}, .permissions = {"broadcast"}};
  if (token == "bob-token") return AuthUser{.id = "8", .username = "bob", .roles = {"member"}};
  return std::nullopt;
}

void add_whoami(App& app) {
  app.get("/me", [](Request& req, Response& res) {
    const AuthUser* user = auth_user(req);
    res.send(user ? user->id + " " + user->username : "nobody");
  });
}

Reply me(App& app, Fields fields, std::string_view path = "/me") { return app.inject({.path = path, .fields = std::move(fields)}); }

// How a WebSocket is refused, or what it is greeted with: "1008 reason".
std::string told(App& app, Fields fields, std::string_view path = "/ws") {
  InjectedWebSocket ws = app.inject_ws({.path = path, .fields = std::move(fields)});
  if (ws.answer().status != 101) return std::to_string(ws.answer().status) + " " + ws.answer().body;
  std::string all;
  while (const auto message = ws.next_message()) {
    all += *message + " ";
    if (message->starts_with("hello")) return all;
  }
  return all + std::to_string(ws.close_code()) + " " + std::string(ws.close_reason());
}

void greet(WebSocket ws, Request& req) {
  const AuthUser* user = auth_user(ws);
  ws.send("hello " + (user ? user->username : std::string("nobody")) + (auth_user(req) ? "!" : "?"));
}

constexpr std::string_view kAnn = "Basic YW5uOnNlY3JldA==";  // ann:secret

}  // namespace

TEST_CASE("guards auth: Basic: who it is, 401 with a challenge, and by error handlers and as problem details") {
  App app;
  app.use(basic_auth(fixed_users({{"ann", "secret"}}), {.realm = "Staff only"}));
  add_whoami(app);
  CHECK(me(app, {{"Authorization", kAnn}}).body == "ann ann");
  const Reply nobody = me(app, {});
  CHECK(nobody.status == 401);
  CHECK(nobody.body == "Authentication required");
  CHECK(nobody.field("www-authenticate") == R"(Basic realm="Staff only", charset="UTF-8")");
  for (const std::string_view wrong : {"Basic YW5uOnNlY3JlVA==", "Basic YW5uOg==", "Basic YW5u", "Basic !", "Basic", "basic  YW5uOnNlY3JldA=="}) {
    CAPTURE(wrong);
    const Reply reply = me(app, {{"Authorization", wrong}});
    CHECK(reply.status == (wrong[0] == 'b' ? 200 : 401));
    if (reply.status == 401) CHECK(reply.body == "Authentication failed");
    if (reply.status == 401) CHECK_FALSE(reply.field("www-authenticate").empty());
  }
  CHECK(me(app, {{"Authorization", "Bearer abc"}}).body == "Authentication required");
  CHECK(me(app, {{"Authorization", kAnn}, {"Authorization", kAnn}}).status == 401);
  const Reply problem = me(app, {{"Accept", "application/json"}});
  CHECK(problem.type == "application/problem+json");
  CHECK(problem.body.find(R"("detail":"Authentication required")") != std::string::npos);
  App own;
  own.use(basic_auth(fixed_users({})));
  own.on_error([](const Failure& failure, Request&, Response& res) { res.send("own " + std::to_string(failure.status)); });
  CHECK(me(own, {}).body == "own 401");
  CHECK(me(own, {}).field("www-authenticate") == R"(Basic realm="Restricted", charset="UTF-8")");
}

TEST_CASE("guards auth: what a peer sends never gets into a field, and what steps have set stays") {
  App app;
  app.use([](Request&, Response& res, Next next) { res.set("X-Cors", "yes"), next(); });
  app.use(bearer_auth(find_by_token));
  add_whoami(app);
  const Reply reply = me(app, {{"Authorization", "Bearer a\"b, error=\"x"}});
  CHECK(reply.status == 400);
  CHECK(reply.field("x-cors") == "yes");
  CHECK(reply.field("www-authenticate") == R"(Bearer realm="Restricted", error="invalid_request", error_description="one well-formed token is wanted")");
  CHECK(app.inject({.path = "/nowhere"}).status == 401);  // what is not there is not told either
}

TEST_CASE("guards auth: Bearer by header, query, cookie and subprotocol, one of them at a time") {
  App app;
  app.use("/h", bearer_auth(find_by_token));
  app.use("/q", bearer_auth(find_by_token, {.from = TokenFrom::header_or_query}));
  app.use("/c", bearer_auth(find_by_token, {.cookie = "sid", .from = TokenFrom::header_or_cookie, .query = "t"}));
  app.use("/a", bearer_auth(find_by_token, {.from = TokenFrom::any, .query = "t"}));
  for (const char* path : {"/h", "/q", "/c", "/a"}) {
    app.get(path, [](Request& req, Response& res) { res.send(auth_user(req)->username); });
  }
  const auto status = [&](std::string_view path, Fields fields = {}) { return me(app, std::move(fields), path).status; };
  CHECK(me(app, {{"Authorization", "bearer  ann-token"}}, "/h").body == "ann");
  const Reply missing = me(app, {}, "/h");
  CHECK(missing.status == 401);
  CHECK(missing.field("www-authenticate") == R"(Bearer realm="Restricted")");
  const Reply wrong = me(app, {{"Authorization", "Bearer nobody"}}, "/h");
  CHECK(wrong.status == 401);
  CHECK(wrong.body == "Invalid token");
  CHECK(wrong.field("www-authenticate") == R"(Bearer realm="Restricted", error="invalid_token")");
  CHECK(status("/h", {{"Authorization", "Bearer"}}) == 400);
  CHECK(status("/h", {{"Authorization", "Bearer ann-token x"}}) == 400);
  CHECK(status("/h", {{"Authorization", "Bearer ann-token"}, {"Authorization", "Bearer ann-token"}}) == 400);
  CHECK(status("/h", {{"Authorization", kAnn}}) == 401);
  CHECK(status("/h?token=ann-token") == 401);
  CHECK(me(app, {}, "/q?token=ann-token").body == "ann");
  CHECK(me(app, {}, "/q?token=ann-token").field("cache-control") == "private");
  CHECK(status("/q?token=") == 401);
  CHECK(status("/q?token=a%20b") == 401);
  CHECK(status("/q?token=ann-token&token=ann-token") == 400);
  CHECK(status("/q?token=ann-token", {{"Authorization", "Bearer ann-token"}}) == 400);
  CHECK(me(app, {{"Cookie", "sid=ann-token"}}, "/c").body == "ann");
  CHECK(me(app, {{"Cookie", "sid=bob-token"}, {"Authorization", "Bearer ann-token"}}, "/c").body == "ann");
  CHECK(status("/c", {{"Cookie", "token=ann-token"}}) == 401);
  CHECK(me(app, {}, "/a?t=ann-token").body == "ann");
  CHECK(me(app, {{"Sec-WebSocket-Protocol", "bearer, ann-token"}}, "/a").body == "ann");
  CHECK(status("/a?t=ann-token", {{"Sec-WebSocket-Protocol", "bearer, ann-token"}}) == 400);
}

TEST_CASE("guards auth: WebSockets are closed with 1008 and a reason, perhaps behind a message, or greeted") {
  App app;
  app.ws_use("/q", bearer_auth(find_by_token, {.from = TokenFrom::header_or_query}));
  app.ws_use("/first", bearer_auth(find_by_token, {.error_first = true, .from = TokenFrom::query, .invalid_reason = "🔒 Invalid token", .reason = "Unauthorized"}));
  app.ws_use("/basic", basic_auth(fixed_users({{"ann", "secret"}})));
  for (const char* path : {"/q", "/first", "/basic"}) app.ws(path, greet);
  CHECK(told(app, {}, "/q") == "1008 Authentication required");
  CHECK(told(app, {}, "/q?token=x") == "1008 Invalid token");
  CHECK(told(app, {}, "/q?token=a%20b") == "1008 Invalid token");
  CHECK(told(app, {{"Authorization", "Bearer ann-token"}}, "/q?token=ann-token") == "1008 Invalid token");
  CHECK(told(app, {}, "/q?token=ann-token") == "hello ann! ");
  CHECK(told(app, {{"Authorization", "Bearer ann-token"}}, "/q") == "hello ann! ");
  CHECK(told(app, {}, "/first") == R"({"type":"error","message":"Unauthorized"} 1008 Unauthorized)");
  CHECK(told(app, {}, "/first?token=x") == R"({"type":"error","message":"🔒 Invalid token"} 1008 🔒 Invalid token)");
  CHECK(told(app, {}, "/basic") == "1008 Authentication required");
  CHECK(told(app, {{"Authorization", kAnn}}, "/basic") == "hello ann! ");
}

TEST_CASE("guards auth: a token among the subprotocols, which is not sent back") {
  App app;
  app.ws("/ws", {.protocols = {"chat", "bearer"}}, bearer_auth(find_by_token, {.from = TokenFrom::subprotocol}), greet);
  const auto chosen = [&](std::string_view offered) {
    InjectedWebSocket ws = app.inject_ws({.path = "/ws", .fields = {{"Sec-WebSocket-Protocol", offered}}});
    REQUIRE(ws.next_message() == "hello ann!");
    return std::string(ws.answer().field("sec-websocket-protocol"));
  };
  CHECK(chosen("bearer, ann-token") == "bearer");
  CHECK(chosen("bearer.ann-token, chat") == "chat");
  CHECK(chosen("bearer.ann-token") == "");
  CHECK(told(app, {{"Sec-WebSocket-Protocol", "bearer"}}) == "1008 Authentication required");
  CHECK(told(app, {{"Sec-WebSocket-Protocol", "bearer, x"}}) == "1008 Invalid token");
}

TEST_CASE("guards auth: before the 101 by use() or before_upgrade(), with a status; the user may be kept") {
  App app;
  app.use("/used", bearer_auth(find_by_token));
  app.ws("/used", [](WebSocket ws, Request& req) {
    CHECK(auth_user(ws) == nullptr);
    keep_auth_user(ws, req);
    greet(ws, req);
  });
  app.ws("/own", before_upgrade(bearer_auth(find_by_token)), greet);
  app.ws("/behind", bearer_auth(find_by_token), greet);
  const Fields ann = {{"Authorization", "Bearer ann-token"}};
  CHECK(told(app, {}, "/used") == "401 Authentication required");
  CHECK(told(app, ann, "/used") == "hello ann! ");
  CHECK(told(app, {}, "/own") == "401 Authentication required");
  CHECK(told(app, ann, "/own") == "hello nobody! ");
  CHECK(told(app, {}, "/behind") == "1008 Authentication required");
  CHECK(told(app, ann, "/behind") == "hello ann! ");
}

TEST_CASE("guards auth: metadata for people, when it is asked for") {
  App app;
  app.ws("/ws", bearer_auth(find_by_token, {.metadata = true}), [](WebSocket ws) { ws.send("hello " + ws.metadata().dump()); });
  CHECK(told(app, {{"Authorization", "Bearer ann-token"}}) == R"(hello {"authenticated":true,"user":{"id":"7","username":"ann","roles":["admin"]}} )");
}

TEST_CASE("guards auth: optional credentials, several kinds, and who must be somebody") {
  App app;
  app.use(basic_auth(fixed_users({{"ann", "secret"}}), {.optional = true})).use(bearer_auth(find_by_token, {.optional = true}));
  add_whoami(app);
  app.get("/known", require_user(), [](Request& req, Response& res) { res.send(auth_user(req)->username); });
  CHECK(me(app, {}).body == "nobody");
  CHECK(me(app, {{"Authorization", kAnn}}).body == "ann ann");
  CHECK(me(app, {{"Authorization", "Bearer bob-token"}}).body == "8 bob");
  CHECK(me(app, {{"Authorization", "Bearer x"}}).status == 401);
  CHECK(me(app, {{"Authorization", "Basic x"}}).status == 401);
  CHECK(me(app, {{"Authorization", "Bearer bob-token"}}, "/known").body == "bob");
  const Reply nobody = me(app, {}, "/known");
  CHECK(nobody.status == 401);
  CHECK(nobody.body == "🔒 Authentication required");
  CHECK(nobody.field("www-authenticate") == R"(Bearer realm="Restricted")");
}

TEST_CASE("guards auth: roles and permissions, with their texts, for requests and WebSockets") {
  App app;
  app.use(bearer_auth(find_by_token, {.optional = true}));
  const auto ok = [](Request&, Response& res) { res.send("ok"); };
  app.get("/role", require_role({"admin", "moderator"}), ok);
  app.get("/permission", require_permission({"broadcast"}, {.denied_reason = "not you"}), ok);
  app.ws_use("/ws", require_role({"admin", "moderator"}, {.error_first = true}));
  app.ws_use("/own", require_role(std::vector<std::string>{"member"}, {.denied_reason = "members only", .reason = "log in"}));
  app.ws("/ws", greet).ws("/own", greet);
  const Fields ann = {{"Authorization", "Bearer ann-token"}}, bob = {{"Authorization", "Bearer bob-token"}};
  CHECK(me(app, ann, "/role").body == "ok");
  const Reply denied = me(app, bob, "/role");
  CHECK(denied.status == 403);
  CHECK(denied.body == "🚫 Access denied. Required roles: admin, moderator");
  CHECK(denied.field("www-authenticate") == R"(Bearer realm="Restricted", error="insufficient_scope")");
  CHECK(me(app, {}, "/role").status == 401);
  CHECK(me(app, ann, "/permission").body == "ok");
  const Reply not_allowed = me(app, bob, "/permission");
  CHECK(not_allowed.status == 403);
  CHECK(not_allowed.body == "not you");
  CHECK(not_allowed.field("www-authenticate") == R"(Bearer realm="Restricted", error="insufficient_scope", scope="broadcast")");
  CHECK(told(app, ann) == "hello ann! ");  // the user of before the 101 is the connection's
  CHECK(told(app, bob) == R"({"type":"error","message":"🚫 Access denied. Required roles: admin, moderator"} 1008 🚫 Access denied. Required roles: admin, moderator)");
  CHECK(told(app, {}) == R"({"type":"error","message":"🔒 Authentication required"} 1008 🔒 Authentication required)");
  CHECK(told(app, bob, "/own") == "hello bob! ");
  CHECK(told(app, ann, "/own") == "1008 members only");
  CHECK(told(app, {}, "/own") == "1008 log in");
}

TEST_CASE("guards auth: a guard of the program's own") {
  App app;
  app.use([](Request& req, Response&, Next next) {
    if (const auto name = req.header("x-user")) set_auth_user(req, {.id = std::string(*name), .username = std::string(*name), .roles = {"admin"}});
    next();
  });
  app.get("/", require_role({"admin"}), [](Request& req, Response& res) { res.send(auth_user(req)->id); });
  app.ws("/ws", [](WebSocket ws, Request& req) {
    set_auth_user(ws, {.username = "carl"});
    greet(ws, req);
  });
  CHECK(me(app, {{"X-User", "dora"}}, "/").body == "dora");
  CHECK(me(app, {}, "/").status == 401);
  CHECK(told(app, {}) == "hello carl? ");
}

TEST_CASE("guards auth: a function that throws has failed: 500 and 1011, and the log says so") {
  std::string logged;
  set_log_sink([&](LogLevel, std::string_view line) { logged += line; });
  App app;
  const auto broken = [](std::string_view) -> bool { throw std::runtime_error("the database is gone"); };
  app.use("/me", bearer_auth(broken));
  add_whoami(app);
  app.ws("/ws", bearer_auth(broken), greet);
  const Fields any = {{"Authorization", "Bearer x"}};
  CHECK(me(app, any).status == 500);
  CHECK(me(app, any).body == "Authentication failed");
  CHECK(me(app, any).field("www-authenticate").empty());
  CHECK(told(app, any) == "1011 Authentication failed");
  set_log_sink({});
  CHECK(logged.find("the database is gone") != std::string::npos);
}

TEST_CASE("guards auth: a callback answers at once, once, or never") {
  App app;
  int asked = 0;
  app.use("/me", bearer_auth([&](std::string_view token, FoundUser found) {
    asked++;
    if (token == "yes") found.user({.id = "1", .username = "yes"}), found.none(), found.error();
    if (token == "plain") found.user();
    if (token == "no") found.none(), found.user({.id = "2"});
    if (token == "broken") found.error();
  }));
  add_whoami(app);
  app.ws("/ws", bearer_auth([](std::string_view token, FoundUser found) {
    if (token == "yes") found.user({.username = "yes"});
    if (token == "no") found.none();
  }), greet);
  const auto with = [&](const std::string& token) { return me(app, {{"Authorization", "Bearer " + token}}); };
  CHECK(with("yes").body == "1 yes");
  CHECK(with("plain").body == " ");
  CHECK(with("no").status == 401);
  CHECK(with("no").body == "Invalid token");
  CHECK(with("broken").status == 500);
  CHECK(with("dropped").status == 500);
  CHECK(asked == 6);
  CHECK(told(app, {{"Authorization", "Bearer yes"}}) == "hello yes! ");
  CHECK(told(app, {{"Authorization", "Bearer no"}}) == "1008 Invalid token");
  CHECK(told(app, {{"Authorization", "Bearer dropped"}}) == "1011 Authentication failed");
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

namespace {

Task<std::optional<AuthUser>> slowly_by_token(std::string_view token) {
  co_await martlet::sleep(milliseconds(1));
  if (token == "throws") throw std::runtime_error("broken");
  co_return co_await offload([token] { return find_by_token(token); });
}

}  // namespace

TEST_CASE("guards auth: a coroutine finds the user while the request, or the messages, wait") {
  App app;
  app.use("/me", bearer_auth(slowly_by_token));
  add_whoami(app);
  app.ws("/ws", bearer_auth(slowly_by_token, {.metadata = true}), [](WebSocket ws, Request& req) {
    greet(ws, req);
    ws.on_message([](WebSocket socket, const Message& message) { socket.send(auth_user(socket)->username + ": " + std::string(message.text())); });
  });
  app.use("/basic", basic_auth([](std::string_view name, std::string_view password) -> Task<bool> {
    co_await martlet::sleep(milliseconds(1));
    co_return name == "ann" && password == "secret";
  }));
  app.get("/basic", [](Request& req, Response& res) { res.send(auth_user(req)->id); });
  CHECK(me(app, {{"Authorization", "Bearer ann-token"}}).body == "7 ann");
  CHECK(me(app, {{"Authorization", "Bearer x"}}).status == 401);
  CHECK(me(app, {{"Authorization", "Bearer throws"}}).status == 500);
  CHECK(me(app, {{"Authorization", kAnn}}, "/basic").body == "ann");
  CHECK(me(app, {{"Authorization", "Basic YW5uOg=="}}, "/basic").status == 401);
  CHECK(told(app, {{"Authorization", "Bearer bob-token"}}) == "hello bob! ");
  CHECK(told(app, {{"Authorization", "Bearer x"}}) == "1008 Invalid token");
  CHECK(told(app, {{"Authorization", "Bearer throws"}}).starts_with("1011"));
  InjectedWebSocket ws = app.inject_ws({.path = "/ws", .fields = {{"Authorization", "Bearer ann-token"}}});
  CHECK(ws.send("early"));
  CHECK(ws.next_message() == "hello ann!");
  CHECK(ws.next_message() == "ann: early");
  CHECK(app.stats().late_responses == 0);
  CHECK(app.stats().late_nexts == 0);
}

#endif

namespace {

// Questions that wait for the test, which answers on its own thread.
struct Directory {
  std::mutex mutex = {};
  std::vector<std::pair<std::string, FoundUser>> waiting = {};

  auto asks() {
    return [this](std::string_view token, FoundUser found) {
      const std::lock_guard lock(mutex);
      waiting.emplace_back(token, std::move(found));
    };
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return waiting.size();
  }
  FoundUser take() {
    REQUIRE(eventually([&] { return size() > 0; }));
    const std::lock_guard lock(mutex);
    FoundUser first = std::move(waiting.front().second);
    waiting.erase(waiting.begin());
    return first;
  }
};

std::string request_with(std::string_view token) {
  return "GET /me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + std::string(token) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("guards auth: users are found by another thread; who has gone meanwhile is nobody's business") {
  Directory directory;
  TestServer server([&](App& app) {
    app.use("/me", bearer_auth(directory.asks()));
    add_whoami(app);
    app.ws("/ws", bearer_auth(directory.asks(), {.error_first = true, .from = TokenFrom::query, .metadata = true}), [](WebSocket ws, Request& req) {
      greet(ws, req);
      ws.on_message([](WebSocket socket, const Message& message) { socket.send(std::string(message.text()) + socket.metadata()["user"]["id"].dump()); });
    });
  });
  {
    Client client(server.port());
    client.send(request_with("x"));
    directory.take().user({.id = "1", .username = "found"});
    CHECK(client.read_response().body == "1 found");
    client.send(request_with("x"));
    directory.take().none();
    const auto refused = client.read_response();
    CHECK(refused.status == 401);
    CHECK(refused.field("www-authenticate") == R"(Bearer realm="Restricted", error="invalid_token")");
    client.send(request_with("x"));
    directory.take();
    CHECK(client.read_response().status == 500);
  }
  {
    WsClient client(server.port(), "/ws?token=x");
    REQUIRE(client.open());
    CHECK(client.send_text("early"));
    directory.take().user({.id = "1", .username = "found"});
    CHECK(client.reads("hello found!"));
    CHECK(client.reads("early\"1\""));
    CHECK(client.close_nicely());
  }
  {
    WsClient client(server.port(), "/ws?token=x");
    REQUIRE(client.open());
    directory.take().none();
    CHECK(client.reads(R"({"type":"error","message":"Invalid token"})"));
    CHECK(client.read_close() == 1008);
  }
  std::optional<FoundUser> late, later;
  {
    Client client(server.port());
    client.send(request_with("x"));
    late = directory.take();
    WsClient ws(server.port(), "/ws?token=x");
    REQUIRE(ws.open());
    later = directory.take();
  }
  // Who asks and then sends no more may still wait for the answer (app.h).
  late->user({.id = "1"});
  later->user({.id = "1"});
  CHECK(server.wait_for_connections(0));
  late->none();
  CHECK(server.stats().late_nexts == 0);
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("guards auth: many threads answer one question, and one of them counts") {
  Directory directory;
  std::atomic<int> opened{0};
  TestServer server([&](App& app) {
    app.ws("/ws", bearer_auth(directory.asks(), {.from = TokenFrom::query}), [&](WebSocket ws, Request& req) {
      opened++;
      greet(ws, req);
    });
  });
  for (int round = 0; round < 20; round++) {
    WsClient client(server.port(), "/ws?token=x");
    REQUIRE(client.open());
    const FoundUser found = directory.take();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back([found] { found.user({.username = "one"}); });
    for (std::thread& thread : threads) thread.join();
    CHECK(client.reads("hello one!"));
    CHECK(client.close_nicely());
  }
  CHECK(opened == 20);
  CHECK(server.stats().late_nexts == 0);
}

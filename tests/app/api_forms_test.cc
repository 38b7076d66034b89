// The forms in which an application is written (the examples of the documents), compiled with every compiler that runs
// the tests: what stands here must go on compiling. Little of it is run.
#include <martlet/martlet.h>

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

void free_handler(Request&, Response& res) { res.send("free"); }
void free_middleware(Request&, Response&, Next next) { next(); }
void free_message_handler(WebSocket ws, const Message& msg) { ws.send(msg); }
void free_open_handler(WebSocket ws, Request& req) { ws.send(req.path()); }

struct Counter {
  int requests = 0;
  void operator()(Request&, Response& res, Next next) {
    res.set("X-Count", std::to_string(++requests));
    next();
  }
  void handle(Request& req, Response& res) { res.send(req.path()); }
};

// A middleware with an argument, as an application would write it.
auto bearer_auth(std::string token) {
  return [token = std::move(token)](Request& req, Response& res, Next next) {
    if (req.header("authorization") != "Bearer " + token) return res.status(401).set("WWW-Authenticate", "Bearer").end();
    next();
  };
}

void http_forms(App& app, Counter& counter) {
  app.use([](Request&, Response&, Next next) { next(); });
  app.use("/api", free_middleware);
  app.use(std::move(counter)).use("/admin", bearer_auth("secret"));
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/free", free_handler);
  app.get("/users/:id", [](Request& req, Response& res) { res.json("{\"id\": \"" + std::string(req.param("id")) + "\"}"); });
  app.post("/posts", bearer_auth("t"), free_middleware, [](Request& req, Response& res) {
    if (req.body().empty()) return res.status(400).json(R"({"error": "Invalid JSON"})");
    res.status(201).type("json").send(req.body());
  });
  app.put("/x", free_handler).patch("/x", free_handler).del("/x", free_handler).head("/x", free_handler);
  app.options("/x", [](const Request&, Response& res) { res.end(); });
  app.all("/files/*", [](Request& req, Response& res) { res.redirect("/static/" + std::string(req.param("*")), 301); });
  app.get("/member", std::bind_front(&Counter::handle, &counter));
  app.get("/generic", [](auto& req, auto& res) { res.send(req.url()); });
  app.get("/move", [big = std::make_unique<int>(5)](Request&, Response& res) { res.send(std::to_string(*big)); });
  app.get("/later", [&app](Request&, Response& res) {
    app.after(10ms, [later = res.defer()] { later.send("later"); });
  });
  app.get("/later/chain", [&app](Request&, Response& res) {
    app.after(10ms, [later = res.defer()] { later.status(201).set("X-Late", "1").type("text").send("later"); });
  });
  app.get("/poll", [](Request&, Response& res) {
    auto later = res.defer({.deadline = 30s});
    later.on_aborted([] {});
    res.on_aborted([later] { later.end(); });
  });
  app.get("/chain", [](Request&, Response& res) {
    Response& same = res.status(201).set("X-One", "1").type("json");
    same.json("{}");
  });
  app.get("/bytes", [](Request&, Response& res) {
    const std::array<std::byte, 3> three{};
    const std::vector<std::byte> some(5);
    some.empty() ? res.send(three) : res.send(some);
  });
}

void hook_forms(App& app) {
  app.keep_fields({"Access-Control-Allow-Origin", "X-Request-Id"});
  app.use([](Request&, Response& res, Next next) {
    res.on_headers([](Response& again) { again.set("X-Status", std::to_string(again.status_code())); });
    res.on_finish([](const Finished& f) {
      if (f.aborted || f.status >= 500 || f.bytes > 1_MiB || f.duration > 1s) log(LogLevel::warn, f.path);
    });
    next();
  });
}

void inject_forms() {
  App app;
  app.post("/posts", [](Request& req, Response& res) { res.status(201).send(req.body()); });
  app.ws("/echo", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }});
  Reply r = app.inject({.method = "POST", .path = "/posts", .body = R"({"title":"x"})"});
  CHECK(r.status == 201);
  r = app.inject({.path = "/posts", .fields = {{"Accept", "application/json"}, {"X-Id", "7"}}, .deadline = 5s});
  CHECK(r.field("allow") == "OPTIONS, POST");
  InjectedWebSocket ws = app.inject_ws({.path = "/echo"});
  ws.send("hello");
  CHECK(ws.next_message() == "hello");
  ws.close();
}

void limit_forms(App& app) {
  app.use("/api", rate_limit({.algorithm = Limit::token_bucket, .key = by_ip(), .max = 100, .per = 60s}));
  app.ws_use(connection_limit({.max = 5, .per = 60s}));
  app.ws_use(max_per_ip(10));
  app.ws_use(message_limit({.action = LimitAction::close, .max = 10, .per = 1s}));
  app.ws("/limited", route_limit({.max = 100, .per = 60s}), [](WebSocket) {});
  const Common<RateLimiter> logins(RateLimiterOptions{.max = 10});
  app.get("/login", [logins](Request& req, Response& res) {
    if (const RateDecision d = logins->allow(req.query("name").value_or("")); !d) return res.status(429).send("later");
    res.send("in");
  });
  CircuitBreaker breaker({.failures = 5, .reset = 30s});
  CHECK(*breaker.call([] { return 7; }) == 7);
  CHECK(breaker.call([] { return Error("down"); }, [] { return Error(); }).what().empty());
}

void ws_forms(App& app) {
  app.ws_use([](WebSocket, Request&, Next next) { next(); }).ws_use("/admin/*", [](WebSocket ws, Request&, Next) { ws.close(); });
  app.ws("/steps/:room", {.heartbeat_interval = 20s}, bearer_auth("t"), [](WebSocket, Request&, Next next) { next(); },
         [](WebSocket ws, Request& req) { ws.join(req.param("room")); });
  app.ws("/chosen", {.choose_protocol = [](auto offered) -> std::optional<std::string_view> { return offered[0]; }, .require_protocol = true},
         free_open_handler);
  app.ws("/origins", {.allow_origin = [](std::string_view origin) { return origin.ends_with(".example"); },
                      .origins = {"https://a.example", "https://*.a.example"}, .require_origin = true}, free_open_handler);
  app.ws("/verified", {.verify = [&app](Request& req, Verify decide) {
           if (!req.header("authorization")) return decide.refuse(401, "who?");
           app.after(10ms, [decide] { decide.accept(); });
         }}, free_open_handler);
  app.ws("/chat/:room", [](WebSocket ws, Request& req) {
    Room room = ws.join(req.param("room"));
    ws.on_message([room](WebSocket from, const Message& msg) { from.to(room).send(msg); });
    ws.on_close([room](WebSocket gone, const CloseInfo& why) {
      gone.to(room).send("someone left: " + std::string(name_of(why.cause)));
    });
  });
  app.ws("/echo", {
      .message = [](WebSocket ws, const Message& msg) { ws.send(msg); },
      .options = {.heartbeat_interval = 30s, .max_message_bytes = 16_MiB},
  });
  app.ws("/all", {
      .open = [](WebSocket ws, Request&) { ws.send("hello"); },
      .message = [](auto ws, auto& msg) { ws.send(msg.bytes()); },
      .drain = [](WebSocket ws) { ws.send("go on"); },
      .close = [](WebSocket, const CloseInfo&) {},
      .ping = [](WebSocket, std::string_view) {},
      .pong = [](WebSocket, std::string_view) {},
      .options = {.heartbeat_interval = 0ms,
                  .heartbeat_timeout = 1min,
                  .keep_request = true,
                  .max_connections = 10,
                  .max_fragments = 5,
                  .max_message_bytes = 1_KiB,
                  .max_unsent_bytes = 1_GiB,
                  .origins = {"https://example.com"},
                  .protocols = {"v1", "v2"},
                  .slow_consumer = SlowConsumerPolicy::drop_oldest},
  });
  app.ws("/options", [](WebSocket, Request&) {}, {.max_message_bytes = 5});
  app.ws("/function", {.message = free_message_handler});
  app.ws("/pointer", {.message = &free_message_handler});
  app.ws("/opened", free_open_handler);
  app.ws("/socket-only", [](WebSocket ws) { ws.on_message(free_message_handler); }, {.max_message_bytes = 5});
  app.on_error([](const HandlerFailure& failure) { (void)failure.what; });
}

struct Post {
  std::string title;
  int likes = 0;
  std::optional<std::string> link;
};
MARTLET_JSON(Post, title, likes, link)

void json_forms(App& app) {
  app.get("/people/:id", [](Request& req, Response& res) { res.json({{"id", req.param("id")}}); });
  app.post("/blog/posts", [](Request& req, Response& res) {
    auto post = req.json<Post>();
    if (!post) return res.status(400).json({{"error", post.error().message()}});
    res.status(201).json(*post);
  });
  app.post("/any", [](Request& req, Response& res) {
    Json user = {{"name", "Ann"}, {"age", 41}, {"tags", Json::array({"a", "b"})}};
    user["age"] = 42;
    const std::string_view name = user["name"].text_or("?");
    if (auto n = user["age"].as<int64_t>()) user["next"] = *n + 1;
    for (auto [key, value] : user.members()) value = std::string(key) + std::string(name);
    auto parsed = Json::parse(req.body(), {.depth = 64, .duplicates = Duplicates::last});
    if (!parsed) return res.json({{"line", parsed.error().line}, {"what", parsed.error().what}});
    JsonWriter w;
    w.object([&] {
      w.member("id", 7);
      w.key("tags");
      w.array([&] { w.value("a"); });
      w.member("user", user);
    });
    res.json(w);
  });
  app.get("/list", [](Request&, Response& res) { res.json(std::vector<Post>{{.title = "x", .link = {}}}); });
  app.get("/text", [](Request&, Response& res) { res.json(R"({"ready":true})"); });
  app.get("/empty", [](Request&, Response& res) { res.json({}); });
}

// What Routers, groups and error handlers look like, and handlers that return their answer.
void route_forms(App& app) {
  app.get("/numbers/:id<int>", free_handler);
  app.get("/papers/:name?", free_handler);
  app.get("/halls/[hallId]", free_handler);
  app.get("/static/*rest", free_handler);
  Router api;
  api.use(bearer_auth("t")).get("/drafts", free_handler).post("/drafts", {.max_body_bytes = 1_GiB}, free_middleware, free_handler);
  api.on_error([](const Failure& failure, Request&, Response& res) { res.send(failure.text); });
  app.mount("/api", std::move(api));
  app.group("/admin", free_middleware, [](Router& r) { r.get("/stats", free_handler); });
  app.not_found(free_handler);
  app.on_error([](const Failure& failure, Request&, Response& res) { res.status(failure.status).json({{"error", failure.text}}); });
  for (const RouteInfo& route : app.routes()) CHECK(route.steps > 0);
  app.get("/version", [](Request&) { return "1.0"; });
  app.get("/always", [] { return Json{{"a", 1}}; });
  app.get("/context", [](Context& c) { c.res.send(c.req.path()); });
  app.get("/posts/:id<int>", [](Request& req) -> Reply {
    if (req.param("id") == "0") return fail(404, "no such post");
    if (req.param("id") == "1") return {404, "gone"};
    return Post{.title = "x", .link = {}};
  });
  app.use([](Request& req, Response& res, Next next) {
    if (req.header("x-late")) return next(HttpError{422, "name is missing"});
    if (res.status_code() != 200 || res.get("Vary")) return res.append("Vary", "Origin").remove("X-Count").fail(404, "no such user");
    next();
  });
}

void session_forms(App& app) {
  app.sessions({.identify = by_client_id(), .queue = 100, .store = memory_store(), .ttl = 2min});
  app.send_to_client("client-7", "text");
  app.send_to_client("client-7", {{"type", "notification"}});
  app.send_to_client("client-7", SharedFrame::text("often"));
  app.send_to_client("client-7", std::vector<std::byte>(3));
  app.forget_client("client-7");
  SessionOptions other{.identify = [](Request& req) { return req.cookie("user").value_or(""); }, .on_restored = [](WebSocket, const SessionData&) {}, .store = {}};
  other.identify = by_token();
}

// Everything that a handler may do with its connection.
void handle_forms(App& app, WebSocket ws, const Message& msg) {
  const std::vector<std::byte> bytes(3);
  const SharedFrame frame = SharedFrame::text("often");
  const SendStatus status = ws.send("text");
  if (status == SendStatus::dropped || status == SendStatus::closed) return;
  ws.send(std::string("text"));
  ws.send(std::string_view("text"));
  ws.send(bytes);
  ws.send(msg.share());
  ws.send(frame);
  const Room room = ws.join("den");
  room.send(msg);
  room.send(frame);
  ws.to(room).send(bytes);
  ws.to("den").except(ws).send(msg);
  app.to("den").send("x");
  app.to_route("/echo").except(ws).send(frame);
  app.everybody().send(bytes);
  app.broadcast("x");
  ws.broadcast(msg);
  if (room) ws.leave(room);
  ws.leave("den");
  ws.post([](WebSocket self) { self.ping("later"); });
  ws.send({{"type", "tick"}, {"n", 7}});
  ws.send(Json::array({1, "two", Json()}));
  ws.to("den").send({{"type", "gone"}});
  room.send({{"a", "b"}}, Compress::no);
  ws.broadcast({{"a", {{"b", nullptr}}}});
  app.everybody().send(SharedFrame::text({{"often", true}}));
  if (auto parsed = msg.json(); parsed) ws.send(*parsed);
  if (auto post = msg.json<Post>({.depth = 3}); post) ws.send(*post);
  ws.close();
  ws.close(CloseCode::going_away);
  ws.close(static_cast<CloseCode>(4000), "my own");
}

void topic_forms(App& app) {
  app.topics_options({.cache_bytes = 1_MiB, .max_conflated_keys = 10, .max_filters = 100, .max_filters_per_socket = 10, .max_levels = 8, .max_name_bytes = 100});
  app.ws("/topics", [&app](WebSocket ws) {
    ws.subscribe("news/+/sport");
    if (ws.subscribe("news/#") != SubscribeStatus::ok) ws.close();
    ws.unsubscribe("news/#");
    ws.on_message([&app](WebSocket from, const Message& msg) {
      app.publish("news/uk/sport", msg);
      from.publish("news/uk/sport", msg);
      app.publish("news/uk/sport", msg.share());
      app.publish("news/uk/sport", msg.bytes(), {.compress = Compress::yes});
      app.publish("news/uk/sport", {{"a", 1}});
      app.publish("news/uk/sport", {{"a", 1}, {"b", {{"c", 2}}}}, {.conflate = "a"});
      from.publish("news/uk/sport", Json::array({1, 2}));
      app.publish(std::string("prices"), "1.5", {.conflate = "ACME"});
      app.publish_event("news/uk/sport", "goal", 1, "two", Json{{"three", 3}});
      from.publish_event("news/uk/sport", "goal");
    });
  });
}

}  // namespace

TEST_CASE("api_forms: requests and WebSockets without a network") { inject_forms(); }

TEST_CASE("api_forms: an application with every form of route, handler and option") {
  Counter counter;
  App app({.half_close_is_abort = true, .handler_timeout = 1min, .head_timeout = 5s, .max_body_bytes = 10_MiB, .max_connections = 100});
  http_forms(app, counter);
  hook_forms(app);
  limit_forms(app);
  ws_forms(app);
  json_forms(app);
  route_forms(app);
  session_forms(app);
  topic_forms(app);
  const TimerId timer = app.every(1s, [] {});
  app.cancel(timer);
  CHECK(bool(timer));
  app.post([] {});
  CHECK(app.port() == 0);
  const Stats stats = app.stats();
  CHECK(stats.accepted == 0);
  auto port = app.listen({.backlog = 16, .host = "127.0.0.1", .port = 0});
  if (!port) FAIL(port.error().message());
  CHECK(*port == app.port());
  app.drain({.deadline = 1s});
  CHECK(app.run({.handle_signals = false}) == 0);
}

TEST_CASE("api_forms: handles are values") {
  const WebSocket nobody;
  const Room nowhere;
  std::unordered_set<WebSocket> set{nobody};
  std::map<WebSocket, std::string> names{{nobody, "nobody"}};
  CHECK(set.contains(WebSocket()));
  CHECK(names[nobody] == "nobody");
  CHECK((nobody <=> WebSocket()) == 0);
  CHECK(nowhere == Room());
  CHECK_FALSE(nowhere);
  App app;
  app.ws("/", {.message = [&app](WebSocket ws, const Message& msg) { handle_forms(app, ws, msg); }});
  CHECK(app.to(nowhere).send("x") == SendStatus::closed);
}

// csrf(): requests that pages of others make with our users' cookies are refused, by what browsers say of themselves and by tokens.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <string>
#include <vector>

using namespace martlet;

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::string_view kSecret = "a secret of more than sixteen bytes";

void add_routes(App& app) {
  const auto ok = [](Request&, Response& res) { res.send("ok"); };
  app.all("/", ok).post("/more", ok);
  app.get("/token", [](Request& req, Response& res) { res.send(csrf_token(req)); });
  app.ws("/ws", [](WebSocket ws) { ws.send("hello"); });
}

int status(App& app, Fields fields, std::string_view method = "POST", std::string_view body = {}) {
  return app.inject({.method = method, .path = "/", .body = body, .fields = std::move(fields)}).status;
}

std::string cookie_in(const Reply& reply, std::string_view name) {
  for (const auto& [field, value] : reply.fields) {
    if (field == "Set-Cookie" && value.starts_with(name)) return value.substr(0, value.find(';'));
  }
  return {};
}

}  // namespace

TEST_CASE("csrf: by Sec-Fetch-Site, else by Origin, else by Referer, else it is no browser") {
  App app;
  app.use(csrf({.origins = {"https://admin.localhost", "https://*.friends.example"}}));
  add_routes(app);
  struct Case {
    int wanted;
    Fields fields;
  };
  const std::vector<Case> cases = {
      {200, {}},
      {200, {{"Sec-Fetch-Site", "same-origin"}}},
      {200, {{"Sec-Fetch-Site", "none"}}},
      {403, {{"Sec-Fetch-Site", "same-site"}}},
      {403, {{"Sec-Fetch-Site", "cross-site"}}},
      {403, {{"Sec-Fetch-Site", ""}}},
      {403, {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}}},
      {403, {{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://localhost"}}},  // somebody lies, or something is broken
      {200, {{"Sec-Fetch-Site", "same-site"}, {"Origin", "https://ADMIN.localhost"}}},
      {200, {{"Origin", "http://localhost"}}},
      {200, {{"Origin", "https://localhost"}}},
      {200, {{"Origin", "https://admin.localhost"}}},
      {200, {{"Origin", "https://a.friends.example"}}},
      {403, {{"Origin", "https://friends.example"}}},
      {403, {{"Origin", "https://a.friends.example.evil.example"}}},
      {403, {{"Origin", "https://admin.localhost:8443"}}},
      {403, {{"Origin", "https://localhost.evil.example"}}},
      {403, {{"Origin", "null"}}},
      {403, {{"Origin", ""}}},
      {403, {{"Origin", "https://localhost"}, {"Origin", "https://evil.example"}}},
      {200, {{"Referer", "https://localhost/form?x=https://evil.example"}}},
      {200, {{"Referer", "https://admin.localhost/"}}},
      {403, {{"Referer", "https://evil.example/https://localhost"}}},
      {403, {{"Referer", "about:blank"}}},
      {200, {{"Host", "a.example:8443"}, {"Origin", "https://a.example:8443"}}},
      {403, {{"Host", "a.example"}, {"Origin", "https://a.example:8443"}}},
  };
  for (const Case& one : cases) {
    if (!one.fields.empty()) CAPTURE(one.fields.back().second);
    for (const std::string_view method : {"POST", "PUT", "PATCH", "DELETE"}) CHECK(status(app, one.fields, method) == one.wanted);
    for (const std::string_view method : {"GET", "HEAD", "OPTIONS"}) CHECK(status(app, one.fields, method) < 300);
  }
  const Reply refused = app.inject({.method = "POST", .fields = {{"Origin", "https://evil.example"}, {"Accept", "application/json"}}});
  CHECK(refused.type == "application/problem+json");
  CHECK(refused.body.find("was not made by a page of this site") != std::string::npos);
}

TEST_CASE("csrf: handshakes of WebSockets count as unsafe, before the 101 and behind it; who says nothing may be refused") {
  const auto told = [](App& app, Fields fields) {
    InjectedWebSocket ws = app.inject_ws({.path = "/ws", .fields = std::move(fields)});
    if (ws.answer().status != 101) return ws.answer().status;
    return ws.next_message() == "hello" ? 101 : ws.close_code();
  };
  App before, behind, required;
  before.use(csrf());
  behind.ws_use(csrf({.reason = "not from here"}));
  required.use(csrf({.require_origin = true}));
  for (App* app : {&before, &behind, &required}) add_routes(*app);
  const Fields evil = {{"Origin", "https://evil.example"}}, own = {{"Origin", "http://localhost"}};
  CHECK(told(before, evil) == 403);
  CHECK(told(before, own) == 101);
  CHECK(told(before, {}) == 101);
  CHECK(told(behind, evil) == 1008);
  CHECK(told(behind, own) == 101);
  CHECK(told(required, {}) == 403);
  CHECK(told(required, own) == 101);
  CHECK(status(required, {}) == 403);
  CHECK(status(required, {}, "GET") == 200);
}

TEST_CASE("csrf: double submit: the cookie's token in a field or a form, for one session, unchanged") {
  App app;
  app.use(session_cookie({.keys = *CookieKeys::of({kSecret}), .secure = false}));
  app.use("/more", csrf_form({.mode = CsrfMode::double_submit, .secrets = {std::string(kSecret)}, .secure = false}));
  app.use(csrf({.mode = CsrfMode::double_submit, .secrets = {"a newer secret, which signs", std::string(kSecret)}, .secure = false}));
  add_routes(app);
  const Reply given = app.inject({.path = "/token"});
  const std::string session = cookie_in(given, "session"), csrf_cookie = cookie_in(given, "csrf");
  CHECK(csrf_cookie == "csrf=" + given.body);
  const std::string cookies = session + "; " + csrf_cookie;
  const std::string& token = given.body;
  CHECK(status(app, {{"Cookie", cookies}, {"X-CSRF-Token", token}}) == 200);
  CHECK(status(app, {{"Cookie", cookies}, {"X-CSRF-Token", token}, {"Origin", "https://evil.example"}}) == 200);
  CHECK(status(app, {}) == 403);
  CHECK(status(app, {{"Cookie", cookies}}) == 403);
  CHECK(status(app, {{"X-CSRF-Token", token}}) == 403);
  CHECK(status(app, {{"Cookie", session}, {"X-CSRF-Token", token}}) == 403);
  CHECK(status(app, {{"Cookie", csrf_cookie}, {"X-CSRF-Token", token}}) == 403);
  CHECK(status(app, {{"Cookie", cookies}, {"X-CSRF-Token", token + "A"}}) == 403);
  CHECK(status(app, {{"Cookie", session + "; csrf=x"}, {"X-CSRF-Token", "x"}}) == 403);
  CHECK(status(app, {{"Cookie", session + "; csrf="}, {"X-CSRF-Token", ""}}) == 403);
  // Of another session: an attacker's own.
  const Reply others = app.inject({.path = "/token"});
  CHECK(status(app, {{"Cookie", session + "; " + cookie_in(others, "csrf")}, {"X-CSRF-Token", others.body}}) == 403);
  // It stays as it is as long as it is good.
  const Reply again = app.inject({.path = "/token", .fields = {{"Cookie", cookies}}});
  CHECK(again.body == token);
  CHECK(cookie_in(again, "csrf").empty());
  // Refusals begin no sessions.
  CHECK(cookie_in(app.inject({.method = "POST", .fields = {{"Cookie", csrf_cookie}, {"X-CSRF-Token", token}}}), "session").empty());
}

TEST_CASE("csrf: a form's field; and both ways together") {
  App app;
  app.use(csrf_form({.bind = [](Request& req) { return std::string(req.header("x-who").value_or("")); }, .field = "t", .mode = CsrfMode::both, .secrets = {std::string(kSecret)}}));
  add_routes(app);
  const Reply given = app.inject({.path = "/token", .fields = {{"X-Who", "ann"}}});
  const std::string cookie = cookie_in(given, "__Host-csrf");
  CHECK_FALSE(cookie.empty());
  const std::string body = "a=b&t=" + given.body;
  const auto post = [&](std::string_view text, std::string_view who, std::string_view origin, std::string_view type = "application/x-www-form-urlencoded") {
    return status(app, {{"Content-Type", type}, {"Cookie", cookie}, {"X-Who", who}, {"Origin", origin}}, "POST", text);
  };
  CHECK(post(body, "ann", "http://localhost") == 200);
  CHECK(post(body, "bob", "http://localhost") == 403);
  CHECK(post(body, "ann", "https://evil.example") == 403);
  CHECK(post("a=b", "ann", "http://localhost") == 403);
  CHECK(post(body, "ann", "http://localhost", "text/plain") == 403);
}

TEST_CASE("csrf: without tokens there are none") {
  App app;
  app.use(csrf());
  add_routes(app);
  CHECK(app.inject({.path = "/token"}).body.empty());
}

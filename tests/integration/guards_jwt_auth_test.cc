// jwt_auth(): where the token is, what is said to whom it refuses, who it is by the claims or by a look-up; as the seeds have
// it for WebSockets.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <optional>
#include <string>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

std::string token(const Json& claims, std::optional<std::chrono::seconds> lifetime = 1h) {
  const Result<std::string> made = jwt::sign(claims, kSecret, lifetime);
  REQUIRE(made.ok());
  return *made;
}

std::string refused(InjectedWebSocket ws) {
  if (ws.answer().status != 101) return std::to_string(ws.answer().status);
  std::string all;
  while (const auto message = ws.next_message()) {
    all += *message + " ";
    if (message->starts_with("hello")) return all;
  }
  return all + std::to_string(ws.close_code()) + " " + std::string(ws.close_reason());
}

void greet(WebSocket ws) { ws.send("hello " + auth_user(ws)->id + " " + auth_user(ws)->username); }

}  // namespace

TEST_CASE("jwt auth: requests: who it is by the claims, and why a token is refused") {
  App app;
  app.use(jwt_auth({.secret = std::string(kSecret)}));
  app.get("/me", [](Request& req, Response& res) {
    const AuthUser& user = *auth_user(req);
    Json lists = Json::array();
    for (const std::string& role : user.roles) lists.push_back(role);
    for (const std::string& permission : user.permissions) lists.push_back(permission);
    res.json({{"id", user.id}, {"username", user.username}, {"lists", lists}, {"claims", user.claims}});
  });
  const auto with = [&](const std::string& sent) { return app.inject({.path = "/me", .fields = {{"Authorization", "Bearer " + sent}}}); };
  const auto told = [&](const Json& claims) {
    const Reply reply = with(token(claims, std::nullopt));
    REQUIRE(reply.status == 200);
    Json json = *Json::parse(reply.body);
    json.erase("claims");
    return json.dump();
  };
  CHECK(told({{"sub", "7"}, {"name", "Ann"}}) == R"({"id":"7","username":"Ann","lists":[]})");
  CHECK(told({{"userId", 12}, {"email", "a@b.c"}, {"roles", Json::array({"admin", 1, "member"})}}) == R"({"id":"12","username":"a@b.c","lists":["admin","member"]})");
  CHECK(told({{"id", "x"}, {"username", "u"}, {"name", "n"}, {"role", "admin"}, {"scope", " read  write "}}) == R"({"id":"x","username":"u","lists":["admin","read","write"]})");
  CHECK(told({{"id", 1.5}, {"roles", "admin"}, {"permissions", Json::array({"room:a b"})}}) == R"({"id":"","username":"","lists":["room:a b"]})");
  const Reply whole = with(token({{"sub", "7"}, {"more", Json::array({1, 2})}}));
  CHECK((*Json::parse(whole.body))["claims"]["more"].size() == 2);
  const Reply expired = with(token({{"sub", "7"}, {"exp", 1000}}, std::nullopt));
  CHECK(expired.status == 401);
  CHECK(expired.body == "Invalid token");
  CHECK(expired.field("www-authenticate") == R"(Bearer realm="Restricted", error="invalid_token", error_description="expired")");
  std::string changed = token({{"sub", "7"}});
  changed.back() = changed.back() == 'A' ? 'B' : 'A';
  CHECK(with(changed).status == 401);
  CHECK(with("abc").field("www-authenticate") == R"(Bearer realm="Restricted", error="invalid_token", error_description="malformed")");
  CHECK(with("a b").status == 400);
  CHECK(app.inject({.path = "/me"}).field("www-authenticate") == R"(Bearer realm="Restricted")");
}

TEST_CASE("jwt auth: WebSockets: by query, by header, both, with the seeds' reasons") {
  App app;
  const std::string secret(kSecret);
  app.ws_use("/query", jwt_auth({.from = TokenFrom::query, .secret = secret}));
  app.ws_use("/header", jwt_auth({.metadata = true, .secret = secret}));
  app.ws_use("/first", jwt_auth({.error_first = true, .from = TokenFrom::header_or_query, .secret = secret}));
  app.ws_use("/velocy", jwt_auth({.from = TokenFrom::query, .metadata = true, .reason = "Unauthorized", .secret = secret}));
  app.ws("/query", greet).ws("/first", greet);
  app.ws("/header", [](WebSocket ws) { ws.send("hello " + ws.metadata().dump()); });
  app.ws("/velocy", [](WebSocket ws) { ws.send("hello " + ws.metadata()["authenticated"].dump()); });
  const std::string good = token({{"sub", "7"}, {"name", "ann"}, {"roles", Json::array({"a"})}});
  const std::string field = "Bearer " + good;
  const auto by_query = [&](const std::string& path, const std::string& sent) { return refused(app.inject_ws({.path = path + "?token=" + sent})); };
  const auto by_header = [&](std::string_view path, std::string_view sent) { return refused(app.inject_ws({.path = path, .fields = {{"Authorization", sent}}})); };
  CHECK(refused(app.inject_ws({.path = "/query"})) == "1008 Authentication required");
  CHECK(by_query("/query", "bad") == "1008 Invalid token");
  CHECK(by_query("/query", good) == "hello 7 ann ");
  CHECK(by_header("/query", field) == "1008 Authentication required");
  CHECK(refused(app.inject_ws({.path = "/header"})) == "1008 Authentication required");
  CHECK(by_header("/header", "Bearer bad") == "1008 Invalid token");
  CHECK(by_header("/header", field) == R"(hello {"authenticated":true,"user":{"id":"7","username":"ann","roles":["a"]}} )");
  CHECK(refused(app.inject_ws({.path = "/first"})) == R"({"type":"error","message":"Authentication required"} 1008 Authentication required)");
  CHECK(by_query("/first", "bad") == R"({"type":"error","message":"Invalid token"} 1008 Invalid token)");
  CHECK(by_query("/first", good) == "hello 7 ann ");
  CHECK(by_header("/first", field) == "hello 7 ann ");
  CHECK(refused(app.inject_ws({.path = "/velocy"})) == "1008 Unauthorized");
  CHECK(by_query("/velocy", good) == "hello true ");
}

TEST_CASE("jwt auth: a look-up says who it is: at once, by a callback, by a coroutine; with claims of its own or the token's") {
  const auto find = [](const Json& claims) -> std::optional<AuthUser> {
    const int64_t id = claims["userId"].int_or(0);
    if (id == 0) return std::nullopt;
    return AuthUser{.id = std::to_string(id), .username = "user" + std::to_string(id), .claims = id == 2 ? Json{{"own", true}} : Json()};
  };
  App app;
  const auto add = [&](const char* path, UserFinder<const Json&> lookup) {
    app.ws(path, jwt_auth({.from = TokenFrom::query, .invalid_reason = "🔒 Invalid token", .lookup = std::move(lookup), .not_found_reason = "👤 User not found", .reason = "🔒 Authentication required", .secret = std::string(kSecret)}),
           [](WebSocket ws) { ws.send("hello " + auth_user(ws)->id + auth_user(ws)->username + auth_user(ws)->claims.dump()); });
  };
  add("/plain", find);
  add("/callback", [find](const Json& claims, FoundUser found) {
    const auto user = find(claims);
    user ? found.user(*user) : found.none();
  });
  add("/bool", [find](const Json& claims) { return find(claims).has_value(); });
  std::vector<std::string> paths = {"/plain", "/callback"};
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
  add("/task", [find](const Json& claims) -> Task<std::optional<AuthUser>> {
    co_await martlet::sleep(milliseconds(1));
    co_return find(claims);
  });
  paths.push_back("/task");
#endif
  const auto told = [&](const std::string& path, const Json& claims) { return refused(app.inject_ws({.path = path + "?token=" + token(claims, std::nullopt)})); };
  for (const std::string& path : paths) {
    CAPTURE(path);
    CHECK(told(path, {{"userId", 1}, {"iat", 5}}) == R"(hello 1user1{"userId":1,"iat":5} )");
    CHECK(told(path, {{"userId", 2}}) == R"(hello 2user2{"own":true} )");
    CHECK(told(path, {{"userId", 0}}) == "1008 👤 User not found");
    CHECK(refused(app.inject_ws({.path = path})) == "1008 🔒 Authentication required");
    CHECK(refused(app.inject_ws({.path = path + "?token=x.y.z"})) == "1008 🔒 Invalid token");
  }
  CHECK(told("/bool", {{"userId", 1}, {"iat", 5}}) == R"(hello 1{"userId":1,"iat":5} )");
  CHECK(told("/bool", {{"userId", 0}}) == "1008 👤 User not found");
}

TEST_CASE("jwt auth: keys instead of a secret, and what claims must be") {
  App app;
  const Result<jwt::Key> old_key = jwt::Key::secret("an old secret of thirty-two bytes", {.id = "old"});
  const Result<jwt::Key> new_key = jwt::Key::secret(kSecret, {.id = "new"});
  REQUIRE(old_key.ok());
  REQUIRE(new_key.ok());
  app.use(jwt_auth({.keys = {*new_key, *old_key}, .verify = {.audience = {"api"}, .issuer = "https://id.example"}}));
  app.get("/", [](Request& req, Response& res) { res.send(auth_user(req)->id); });
  const auto status = [&](const Json& claims, std::string_view secret, std::string_view id) {
    const auto signed_token = jwt::sign(claims, secret, 1h, {.key_id = id});
    REQUIRE(signed_token.ok());
    return app.inject({.fields = {{"Authorization", "Bearer " + *signed_token}}}).status;
  };
  const Json good = {{"sub", "7"}, {"aud", "api"}, {"iss", "https://id.example"}};
  CHECK(status(good, kSecret, "new") == 200);
  CHECK(status(good, "an old secret of thirty-two bytes", "old") == 200);
  CHECK(status(good, "an old secret of thirty-two bytes", "new") == 401);
  CHECK(status({{"sub", "7"}, {"aud", "other"}, {"iss", "https://id.example"}}, kSecret, "new") == 401);
  CHECK(status({{"sub", "7"}, {"aud", "api"}}, kSecret, "new") == 401);
}

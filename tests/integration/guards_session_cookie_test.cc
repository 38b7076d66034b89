// Sessions in a cookie: signed, with their end in what is signed; prolonged by use, begun anew, ended; and what is not believed.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <map>
#include <string>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;

namespace {

std::chrono::system_clock::time_point test_time{std::chrono::seconds(1'000'000'000)};
std::chrono::system_clock::time_point test_clock() noexcept { return test_time; }

CookieKeys keys_of(std::initializer_list<std::string_view> secrets) { return *CookieKeys::of(secrets); }

// A browser's one cookie, and the attributes that it was set with last.
struct Browser {
  Reply get(App& app, std::string_view path) {
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    if (!cookie.empty()) fields.emplace_back("Cookie", cookie);
    Reply reply = app.inject({.path = path, .fields = std::move(fields)});
    attributes.clear();
    for (const auto& [name, value] : reply.fields) {
      if (name != "Set-Cookie") continue;
      cookie = value.substr(0, value.find(';'));
      attributes = value.substr(cookie.size());
      if (cookie.ends_with("=")) cookie.clear();
    }
    return reply;
  }
  std::string cookie = {};
  std::string attributes = {};
};

void add_routes(App& app, SessionCookieOptions options) {
  options.clock = test_clock;
  app.use(session_cookie(std::move(options)));
  app.get("/set/:value", [](Request& req, Response& res) {
    cookie_session(req)->edit()["value"] = req.param("value");
    res.send("set");
  });
  app.get("/login", [](Request& req, Response& res) {
    cookie_session(req)->regenerate();
    res.send("in");
  });
  app.get("/logout", [](Request& req, Response& res) {
    cookie_session(req)->clear();
    res.send("out");
  });
  app.get("/id", [](Request& req, Response& res) { res.send(cookie_session(req)->id()); });
  app.get("/", [](Request& req, Response& res) { res.send(cookie_session(req)->data().dump() + (cookie_session(req)->is_new() ? " new" : "")); });
  app.get("/large", [](Request& req, Response& res) {
    cookie_session(req)->edit()["large"] = std::string(4000, 'x');
    res.send("large");
  });
  app.get("/throws", [](Request& req, Response& res) {
    cookie_session(req)->edit()["value"] = "kept";
    res.fail(422, "no");
  });
}

constexpr std::string_view kSecret = "a secret of more than sixteen bytes";

}  // namespace

TEST_CASE("session cookie: nothing is sent until something is put in; then it is there again, with its attributes") {
  App app;
  add_routes(app, {.keys = keys_of({kSecret})});
  Browser browser;
  const Reply first = browser.get(app, "/");
  CHECK(first.body == "{} new");
  CHECK(first.field("vary") == "Cookie");
  CHECK(browser.cookie.empty());
  const Reply set = browser.get(app, "/set/7");
  CHECK(browser.cookie.starts_with("__Host-session=1.1000086400.1000000000."));
  CHECK(browser.attributes == "; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax");
  CHECK(set.field("cache-control") == "private");
  CHECK(browser.get(app, "/").body == R"({"value":"7"})");
  CHECK(browser.attributes.empty());
  CHECK(browser.get(app, "/throws").status == 422);
  CHECK(browser.get(app, "/").body == R"({"value":"kept"})");
}

TEST_CASE("session cookie: its id stays as it changes, is another one after logging in, and goes with it") {
  App app;
  add_routes(app, {.keys = keys_of({kSecret}), .secure = false});
  Browser browser;
  const std::string id = browser.get(app, "/id").body;
  CHECK(id.size() == 22);
  CHECK(browser.cookie.starts_with("session="));
  browser.get(app, "/set/1");
  CHECK(browser.get(app, "/id").body == id);
  browser.get(app, "/login");
  const std::string next = browser.get(app, "/id").body;
  CHECK(next != id);
  CHECK(browser.get(app, "/").body == R"({"value":"1"})");
  browser.get(app, "/logout");
  CHECK(browser.cookie.empty());
  CHECK(browser.attributes.find("Max-Age=0") != std::string::npos);
  CHECK(browser.get(app, "/").body == "{} new");
  CHECK(browser.get(app, "/logout").body == "out");
  CHECK(browser.attributes.empty());
}

TEST_CASE("session cookie: it ends when it is not used, is prolonged by use, and ends at last") {
  App app;
  add_routes(app, {.keys = keys_of({kSecret}), .lifetime = 1h, .max_age = 20min});
  const auto begin = test_time;
  Browser browser;
  browser.get(app, "/set/1");
  const std::string first = browser.cookie;
  test_time = begin + 9min;
  browser.get(app, "/");
  CHECK(browser.cookie == first);  // not half over
  test_time = begin + 11min;
  browser.get(app, "/");
  CHECK(browser.cookie != first);
  CHECK(browser.attributes.find("Max-Age=1200") != std::string::npos);
  Browser other{.cookie = first};
  test_time = begin + 20min - 1s;
  CHECK(other.get(app, "/").body == R"({"value":"1"})");
  other.cookie = first;
  test_time = begin + 20min;
  CHECK(other.get(app, "/").body == "{} new");
  CHECK(browser.get(app, "/").body == R"({"value":"1"})");
  for (int minutes = 22; minutes < 60; minutes += 9) {
    test_time = begin + std::chrono::minutes(minutes);
    CHECK(browser.get(app, "/").body == R"({"value":"1"})");
  }
  test_time = begin + 60min - 1s;
  CHECK(browser.get(app, "/").body == R"({"value":"1"})");
  test_time = begin + 60min;
  CHECK(browser.get(app, "/").body == "{} new");
  // Stricter options count for sessions that are about already.
  App strict;
  add_routes(strict, {.keys = keys_of({kSecret}), .lifetime = 5min, .max_age = 20min});
  other.cookie = first;
  test_time = begin + 5min - 1s;
  CHECK(other.get(strict, "/").body == R"({"value":"1"})");
  other.cookie = first;
  test_time = begin + 5min;
  CHECK(other.get(strict, "/").body == "{} new");
  App still;
  add_routes(still, {.keys = keys_of({kSecret}), .max_age = 20min, .rolling = false});
  test_time = begin;
  browser = Browser();
  browser.get(still, "/set/1");
  test_time = begin + 15min;
  browser.get(still, "/");
  CHECK(browser.attributes.empty());
  test_time = begin;
}

TEST_CASE("session cookie: altered ones, others', and those of a key that is gone are not believed") {
  App app;
  add_routes(app, {.keys = keys_of({kSecret})});
  app.get("/other", [](Request&, Response& res) {
    res.signed_cookie("__Host-session", "1.1000001000.1000000000.abcdefghijklmnopqrst-_.bm90IGpzb24", keys_of({kSecret}), {.secure = true}).send("no JSON");
  });
  app.get("/list", [](Request&, Response& res) { res.signed_cookie("__Host-session", "1.1000001000.1000000000.abcdefghijklmnopqrst-_.W10", keys_of({kSecret}), {.secure = true}).send("no object"); });
  Browser browser;
  browser.get(app, "/set/7");
  const std::string good = browser.cookie;
  for (size_t i = good.find('=') + 1; i < good.size(); i += 3) {
    CAPTURE(i);
    Browser changed{.cookie = good};
    changed.cookie[i] = good[i] == 'A' ? 'B' : 'A';
    CHECK(changed.get(app, "/").body == "{} new");
  }
  for (const char* path : {"/other", "/list"}) {
    Browser other;
    other.get(app, path);
    REQUIRE_FALSE(other.cookie.empty());
    CHECK(other.get(app, "/").body == "{} new");
  }
  App rotated, gone;
  add_routes(rotated, {.keys = keys_of({"another secret, which is newer", kSecret})});
  add_routes(gone, {.keys = keys_of({"another secret, which is newer"})});
  CHECK(Browser{.cookie = good}.get(rotated, "/").body == R"({"value":"7"})");
  CHECK(Browser{.cookie = good}.get(gone, "/").body == "{} new");
}

TEST_CASE("session cookie: what is too large is not sent, and the browser keeps what it had") {
  App app;
  std::string logged;
  set_log_sink([&](LogLevel, std::string_view line) { logged += line; });
  add_routes(app, {.keys = keys_of({kSecret})});
  Browser browser;
  browser.get(app, "/set/7");
  browser.get(app, "/large");
  set_log_sink({});
  CHECK(browser.attributes.empty());
  CHECK(browser.get(app, "/").body == R"({"value":"7"})");
  CHECK(logged.find("__Host-session") != std::string::npos);
}

TEST_CASE("session cookie: a WebSocket has the session of its handshake, by ws_use() alone or behind use()") {
  for (const bool both : {false, true}) {
    App app;
    const SessionCookieOptions options{.clock = test_clock, .keys = keys_of({kSecret})};
    if (both) app.use(session_cookie(options));
    app.ws_use(session_cookie(options));
    app.ws("/ws", [](WebSocket ws) { ws.send(cookie_session(ws)->data().dump()); });
    App web;
    add_routes(web, options);
    Browser browser;
    browser.get(web, "/set/7");
    CHECK(app.inject_ws({.path = "/ws", .fields = {{"Cookie", browser.cookie}}}).next_message() == R"({"value":"7"})");
    CHECK(app.inject_ws({.path = "/ws"}).next_message() == "{}");
  }
}

// Guards that were made of options that cannot be meant: the Error of listen(), wherever they stand, and nobody gets past one that
// is called all the same.
#include <doctest/doctest.h>
#include <martlet/martlet.h>
#include <sys/resource.h>

#include <chrono>
#include <string>
#include <vector>

#include "support/aborts.h"
#include "support/in_child.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MARTLET_TEST_SANITIZED 1
#elif defined(__has_feature)
#define MARTLET_TEST_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define MARTLET_TEST_SANITIZED 0
#endif

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr const char* kSecret = "a secret of more than thirty-two bytes";

void ok(Request&, Response& res) { res.send("ok"); }
void hello(WebSocket ws) { ws.send("hello"); }

// What a program is told that begins with this set-up.
template <typename SetUp>
std::string told(SetUp set_up) {
  App app;
  set_up(app);
  const auto port = app.listen("127.0.0.1", 0);
  return port ? "" : std::string(port.error().what());
}

// The same of a step of requests, if it is one; and that it says so wherever it stands.
template <typename Guard>
std::string told_of_requests(const Guard& guard) {
  const std::string text = told([&](App& app) { app.use(guard); });
  CHECK(told([&](App& app) { app.use("/x", guard); }) == text);
  CHECK(told([&](App& app) { app.get("/x", guard, ok); }) == text);
  CHECK(told([&](App& app) { app.ws("/x", before_upgrade(guard), hello); }) == text);
  CHECK(told([&](App& app) { app.mount("/y", std::move(Router().use(guard))); }) == text);
  return text;
}

template <typename Guard>
std::string told_of_sockets(const Guard& guard) {
  const std::string text = told([&](App& app) { app.ws_use(guard); });
  CHECK(told([&](App& app) { app.ws_use("/x", guard); }) == text);
  CHECK(told([&](App& app) { app.ws("/x", guard, hello); }) == text);
  CHECK(told([&](App& app) { app.ws("/x", guard, WsHandlers{}); }) == text);
  CHECK(told([&](App& app) { app.mount("/y", std::move(Router().ws_use(guard))); }) == text);
  CHECK(told([&](App& app) { app.mount("/y", std::move(Router().ws("/x", guard, hello))); }) == text);
  return text;
}

// Behind a function of the program's, which nobody asks for mistakes.
template <typename Guard>
int status_behind(const Guard& guard, std::string_view method) {
  App app;
  app.use([guard](Request& req, Response& res, Next next) { guard(req, res, next); });
  app.all("/", ok);
  return app.inject({.method = method, .fields = {{"Origin", "https://a.example"}, {"Access-Control-Request-Method", "PUT"}}}).status;
}

template <typename Guard>
int close_code_behind(const Guard& guard) {
  App app;
  app.ws_use([guard](WebSocket ws, Request& req, Next next) { guard(ws, req, next); });
  app.ws("/", hello);
  InjectedWebSocket ws = app.inject_ws();
  const auto message = ws.next_message();
  CHECK((!message || *message != "hello"));
  return ws.close_code();
}

// What is told of it, in each place that it may have; what it does there when it is called all the same.
template <typename Guard>
std::string mistake_of(const Guard& guard) {
  constexpr bool is_step = std::is_constructible_v<Step, Guard>;
  constexpr bool is_socket_step = std::is_constructible_v<WsStep, Guard>;
  std::string text;
  if constexpr (is_step) text = told_of_requests(guard);
  if constexpr (is_socket_step) {
    const std::string of_sockets = told_of_sockets(guard);
    if (is_step) CHECK(of_sockets == text);
    text = of_sockets;
  }
  if (text.empty()) return text;
  if constexpr (is_step) {
    for (const char* method : {"GET", "POST", "OPTIONS"}) CHECK(status_behind(guard, method) == 500);
  }
  if constexpr (is_socket_step) CHECK(close_code_behind(guard) == 1011);
  return text;
}

CookieKeys keys() { return *CookieKeys::of({kSecret}); }

}  // namespace

TEST_CASE("guards_mistakes: limits: each option, by the name of the guard") {
  CHECK(mistake_of(rate_limit()) == "");
  CHECK(mistake_of(rate_limit({.max = 0})) == "rate_limit: max is 0");
  CHECK(mistake_of(rate_limit({.per = 0ms})) == "rate_limit: per is not from 1 ms to ten years");
  CHECK(mistake_of(rate_limit({.per = 24h * 366 * 11})) == "rate_limit: per is not from 1 ms to ten years");
  CHECK(mistake_of(rate_limit({.max_keys = 0})) == "rate_limit: max_keys is not from 1 to 268,435,456");
  CHECK(mistake_of(rate_limit({.max_keys = 268'435'457})) == "rate_limit: max_keys is not from 1 to 268,435,456");
  CHECK(mistake_of(rate_limit({.name = ""})) == "rate_limit: name is not 1 to 64 plain characters");
  CHECK(mistake_of(rate_limit({.name = "a\"b"})) == "rate_limit: name is not 1 to 64 plain characters");
  CHECK(mistake_of(rate_limit({.name = std::string(64, 'x')})) == "");
  CHECK(mistake_of(rate_limit({.name = std::string(65, 'x')})) == "rate_limit: name is not 1 to 64 plain characters");
  CHECK(mistake_of(connection_limit()) == "");
  CHECK(mistake_of(connection_limit({.max = 0})) == "connection_limit: max is 0");
  CHECK(mistake_of(connection_limit({.per = -1ms})) == "connection_limit: per is not from 1 ms to ten years");
  CHECK(mistake_of(connection_limit({.max_keys = 0})) == "connection_limit: max_keys is not from 1 to 268,435,456");
  CHECK(mistake_of(message_limit()) == "");
  CHECK(mistake_of(message_limit({.max = 0})) == "message_limit: max is 0");
  CHECK(mistake_of(message_limit({.action = LimitAction::warn, .max = 0})) == "message_limit: max is 0");
  CHECK(mistake_of(message_limit({.key = by_ip(), .max_keys = 0})) == "message_limit: max_keys is not from 1 to 268,435,456");
  CHECK(mistake_of(message_limit({.message = std::string(900, 'x')})) == "");
  CHECK(mistake_of(message_limit({.message = std::string(961, 'x')})) == "message_limit: message is longer than 900 bytes");
  CHECK(mistake_of(message_limit({.action = LimitAction::warn, .key = by_ip()})) == "message_limit: a warning is for each connection: by_socket()");
  CHECK(mistake_of(route_limit()) == "");
  CHECK(mistake_of(route_limit({.max = 0})) == "route_limit: max is 0");
  CHECK(mistake_of(route_limit({.max_keys = 0})) == "route_limit: max_keys is not from 1 to 268,435,456");
  CHECK(mistake_of(max_per_ip(1)) == "");
  CHECK(mistake_of(max_per_ip(0)) == "max_per_ip: max is 0");
}

TEST_CASE("guards_mistakes: limits: what an algorithm cannot count") {
  const auto of = [](Limit algorithm, uint32_t max, milliseconds per, uint32_t burst = 0) {
    const std::string text = mistake_of(rate_limit({.algorithm = algorithm, .burst = burst, .max = max, .max_keys = 6, .per = per}));
    const auto same = [&](const std::string& other) { return text.empty() ? other.empty() : other.substr(other.find(": ")) == text.substr(text.find(": ")); };
    CHECK(same(mistake_of(connection_limit({.algorithm = algorithm, .burst = burst, .max = max, .max_keys = 6, .per = per}))));
    CHECK(same(mistake_of(message_limit({.algorithm = algorithm, .burst = burst, .max = max, .per = per}))));
    return text;
  };
  CHECK(of(Limit::fixed_window, 16'777'215, 1s) == "");
  CHECK(of(Limit::fixed_window, 16'777'216, 1s) == "rate_limit: a fixed_window has a max up to 16,777,215");
  CHECK(of(Limit::sliding_window, 1'048'575, 1s) == "");
  CHECK(of(Limit::sliding_window, 1'048'576, 1s) == "rate_limit: a sliding_window has a max up to 1,048,575");
  CHECK(of(Limit::sliding_log, 1024, 24h * 24) == "");
  CHECK(of(Limit::sliding_log, 1025, 1s) == "rate_limit: a sliding_log has a max up to 1,024");
  CHECK(of(Limit::sliding_log, 5, 24h * 25) == "rate_limit: a sliding_log has a per up to 24 days");
  CHECK(of(Limit::token_bucket, 1'000'000, 1ms) == "");
  CHECK(of(Limit::token_bucket, 1'000'001, 1ms) == "rate_limit: max in per is more than one in a nanosecond");
  CHECK(of(Limit::gcra, 1, 24h * 366, 100) == "");
  CHECK(of(Limit::gcra, 1, 24h * 366, 101) == "rate_limit: burst takes more than a century");
  CHECK(mistake_of(route_limit({.algorithm = Limit::sliding_log, .max = 1025})) == "route_limit: a sliding_log has a max up to 1,024");
}

TEST_CASE("guards_mistakes: limits: keys carry theirs to the guard that takes them") {
  const auto of = [](const LimitKey& key) {
    const std::vector<std::string> all = {mistake_of(rate_limit({.key = key})), mistake_of(connection_limit({.key = key})),
                                          mistake_of(max_per_ip({.key = key})), mistake_of(message_limit({.key = key}))};
    return all;
  };
  const auto each = [](const std::string& text) -> std::vector<std::string> {
    return {"rate_limit: " + text, "connection_limit: " + text, "max_per_ip: " + text, "message_limit: " + text};
  };
  CHECK(of(by_ip(0)) == each("by_ip: ipv6_prefix is not from 1 to 128"));
  CHECK(of(by_ip(129)) == each("by_ip: ipv6_prefix is not from 1 to 128"));
  CHECK(of(by_header("")) == each("by_header: the field has no name"));
  CHECK(of(by_header("X Key")) == each("by_header: the field has no name"));
  for (const LimitKey& good : {by_ip(1), by_ip(128), by_header("X-Key"), by_route(), by_user()}) CHECK(of(good) == std::vector<std::string>(4));
  std::vector<std::string> by_connection = each("by_socket() is for message_limit()");
  by_connection.back().clear();
  CHECK(of(by_socket()) == by_connection);
}

#if defined(__linux__) && !MARTLET_TEST_SANITIZED
TEST_CASE("guards_mistakes: limits: a table that there is no memory for") {
  const auto take_memory = [] {
    const rlimit limit{1u << 31, 1u << 31};
    return ::setrlimit(RLIMIT_AS, &limit) == 0;
  };
  const auto part = [&]() -> int {
    MARTLET_EXPECT(take_memory());
    constexpr uint32_t many = 1u << 28;
    MARTLET_EXPECT(mistake_of(rate_limit({.max_keys = many})) == "rate_limit: no memory for a table of max_keys");
    MARTLET_EXPECT(mistake_of(connection_limit({.max_keys = many / 4})) == "connection_limit: no memory for a table of max_keys");  // of its logs
    MARTLET_EXPECT(mistake_of(message_limit({.key = by_ip(), .max_keys = many})) == "message_limit: no memory for a table of max_keys");
    MARTLET_EXPECT(mistake_of(route_limit({.max_keys = many})) == "route_limit: no memory for a table of max_keys");
    return 0;
  };
  CHECK(in_child(part) == 0);
  CHECK(aborts([&] {
    if (take_memory()) RateLimiter limiter({.max_keys = 1u << 28});
  }));
}
#endif

TEST_CASE("guards_mistakes: who somebody is, and what he may do") {
  const auto realm = [](std::string text) -> std::vector<std::string> {
    return {mistake_of(basic_auth(fixed_users({}), {.realm = text})), mistake_of(bearer_auth(fixed_tokens({}), {.optional = true, .realm = text})),
            mistake_of(jwt_auth({.realm = text, .secret = kSecret}))};
  };
  const auto each = [](const std::string& text) -> std::vector<std::string> { return {"basic_auth: " + text, "bearer_auth: " + text, "jwt_auth: " + text}; };
  for (const char* wrong : {"a\"b", "a\\b", "a\r\nX: y", "\x7f"}) CHECK(realm(wrong) == each("realm has quotes, backslashes or control characters"));
  CHECK(realm(std::string(129, 'x')) == each("realm has more than 128 bytes"));
  CHECK(realm(std::string(128, 'x')) == std::vector<std::string>(3));
  CHECK(mistake_of(basic_auth({}, {.error_first = true})) == "basic_auth: there is no function that checks passwords");
  CHECK(mistake_of(bearer_auth({}, {.optional = true})) == "bearer_auth: there is no function that knows tokens");
  CHECK(mistake_of(jwt_auth({})) == "jwt_auth: there are neither a secret nor keys");
  CHECK(mistake_of(jwt_auth({.keys = *jwt::Key::secret(kSecret), .secret = kSecret})) == "jwt_auth: there are both a secret and keys");
  CHECK(mistake_of(jwt_auth({.secret = "short"})) == "jwt_auth: a secret for tokens has fewer bytes than its digests: 32, 48 or 64");
  CHECK(mistake_of(jwt_auth({.secret = "short", .short_secret = true})) == "");
  CHECK(mistake_of(require_role({"admin"})) == "");
  CHECK(mistake_of(require_role({})) == "require_role: there are no roles");
  CHECK(mistake_of(require_permission({"ban"})) == "");
  CHECK(mistake_of(require_permission({})) == "require_permission: there are no permissions");
  CHECK(mistake_of(require_user()) == "");
}

TEST_CASE("guards_mistakes: pages of others, and sessions") {
  CHECK(mistake_of(csrf()) == "");
  CHECK(mistake_of(csrf({.mode = CsrfMode::both})) == "csrf: secrets: tokens need one");
  CHECK(mistake_of(csrf_form({.mode = CsrfMode::double_submit})) == "csrf: secrets: tokens need one");
  CHECK(mistake_of(csrf({.mode = CsrfMode::both, .secrets = {"short"}})) == "csrf: secrets: one has less than 16 bytes");
  CHECK(mistake_of(csrf({.mode = CsrfMode::both, .secrets = {"of sixteen bytes"}})) == "");
  for (const std::string origin : {"a.example", "https://a.example/", "*", "https://", "null"}) {
    CHECK(mistake_of(csrf({.origins = {origin}})) == "csrf: origins: \"" + origin + "\" is no origin");
  }
  CHECK(mistake_of(session_cookie({.keys = keys()})) == "");
  CHECK(mistake_of(session_cookie({})) == "session_cookie: there are no keys");
  CHECK(mistake_of(session_cookie({.keys = keys(), .max_age = 0s})) == "session_cookie: max_age is not more than 0");
  CHECK(mistake_of(session_cookie({.keys = keys(), .lifetime = -1s})) == "session_cookie: lifetime is negative");
  CHECK(mistake_of(cors({.max_age = -1s})) == "cors: max_age is negative");
  CHECK(mistake_of(cors({.credentials = true, .origins = {"*"}})) == "cors: credentials are for origins that have a name, and \"*\" has none");
  CHECK(mistake_of(cors({.preflight_status = 1000})) == "cors: preflight_status is not from 200 to 299");
}

TEST_CASE("guards_mistakes: what is said to browsers and written down, and small ones") {
  CHECK(mistake_of(security_headers({.referrer_policy = "\n"})) == "security_headers: Referrer-Policy: \".\" is no value of a field");
  CHECK(mistake_of(logger(":nothing")) == "logger: no such token: :nothing");
  CHECK(mistake_of(logger({.skip = {"health"}})) == "logger: skip: \"health\" does not begin with '/'");
  CHECK(mistake_of(request_id("X Id")) == "request_id: \"X Id\" is no name of a field");
  CHECK(mistake_of(response_time({.field = ""})) == "response_time: \"\" is no name of a field");
  CHECK(mistake_of(response_time({.metric = "a;b"})) == "response_time: \"a;b\" is no name of a metric");
  CHECK(mistake_of(timeout(0ms)) == "timeout: limit is not more than 0");
  CHECK(mistake_of(timeout(1ms)) == "");
  CHECK(mistake_of(Maintenance({.retry_after = -1s})) == "maintenance: retry_after is negative");
  CHECK(mistake_of(Maintenance({.skip = {"health"}})) == "maintenance: skip: \"health\" does not begin with '/'");
}

TEST_CASE("guards_mistakes: a Server is told by start(), and inject() by its answer; of several the first") {
  for (const bool behind : {false, true}) {
    const auto set_up = [behind](App& app) {
      behind ? app.ws_use(max_per_ip(0)) : app.use(rate_limit({.max = 0}));
      app.ws_use(connection_limit({.max = 0}));
      app.use(timeout(0ms));
      app.get("/", ok);
    };
    const std::string_view text = behind ? "max_per_ip: max is 0" : "rate_limit: max is 0";
    Server server({.host = "127.0.0.1", .workers = 2});
    CHECK(server.start(set_up).what() == text);
    App app;
    set_up(app);
    const Reply answer = app.inject();
    CHECK(answer.status == 503);
    CHECK(answer.body == text);
    CHECK(app.inject_ws().answer().body == text);
  }
}

// Every template of the public headers, instantiated: lint.py compiles this with the strictest warnings a user might have, as
// errors, and behind headers that define macros with the names of ours. It is not linked. Nothing here may warn of its own.
#include <martlet/martlet.h>

#include <array>
#include <unordered_set>

namespace {

using namespace martlet;
using namespace martlet::literals;

void by_name(Request&, Response& res) { res.send("x"); }

struct Large {
  std::array<char, 64> text = {};
  void operator()(Request&, Response& res) const { res.send({text.data(), text.size()}); }
};

struct MoveOnly {
  MoveOnly() = default;
  MoveOnly(const MoveOnly&) = delete;
  MoveOnly& operator=(const MoveOnly&) = delete;
  MoveOnly(MoveOnly&&) = default;
  MoveOnly& operator=(MoveOnly&&) = default;
};

void routes(App& app) {
  app.use([](Request&, Response&, Next next) { next(); });
  app.use("/admin", [](Request&, Response& res, Next) { res.status(403).end(); });
  app.get("/a", by_name).post("/b", Large()).put("/c", &by_name).patch("/d", by_name).del("/e", by_name);
  app.head("/f", by_name).options("/g", by_name).all("/h", [](Request&, Response&, Next next) { next(); }, Large());
  app.ws("/i", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }, .options = {.max_message_bytes = 1_MiB}});
  app.ws("/j", [](WebSocket ws, Request&) { ws.on_close([](WebSocket, const CloseInfo&) {}); }, {.heartbeat_interval = 20s});
  app.ws("/n", [](WebSocket ws) { ws.send("x"); });
  app.on_error([](const HandlerFailure&) {});
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

Task<int> seven() { co_return 7; }
Task<std::optional<AuthUser>> find_later(std::string_view token) { co_return token.empty() ? std::nullopt : std::optional(AuthUser()); }

void tasks(App& app) {
  app.use([](Request& req, Response&, Next next) -> Task<> {
    co_await sleep(1ms);
    if (!(co_await req.whole_body()).empty()) co_await next;
  });
  app.use([](Context&, Next next) -> Task<> { co_await next; });
  app.get("/k", [](Request&, Response& res) -> Task<> {
    const int n = co_await seven();
    co_await offload([] {});
    res.json({{"n", n}, {"m", 1}});
  });
  app.get("/l", [](Request&) -> Task<std::string> { co_return co_await offload([] { return std::string("l"); }); });
  app.use(bearer_auth(find_later)).use(basic_auth([](std::string_view, std::string_view) -> Task<bool> { co_return true; }));
  app.use(jwt_auth({.lookup = [](const Json&) -> Task<AuthUser> { co_return AuthUser(); }, .secret = "x"}));
  app.get("/m", [](Context&) -> Task<Reply> {
    const auto got = co_await try_offload([] { return MoveOnly(); });
    const bool called = co_await try_offload([] {});
    co_return Reply(got && called ? 200 : 503);
  });
}

#else

void tasks(App&) {}

#endif

AuthUser find_now(std::string_view) { return {}; }

void auth_guards(App& app) {
  const AuthGuard bearer = bearer_auth(find_now, {.from = TokenFrom::header | TokenFrom::cookie});
  app.use(bearer).use(basic_auth(fixed_users({{"ann", "x"}}))).use(bearer_auth([](std::string_view, FoundUser found) { found.none(); }));
  app.ws_use(bearer).ws_use("/admin", require_role({"admin"}));
  app.ws("/o", before_upgrade(bearer), before_upgrade(require_permission({"a", "b"})), [](WebSocket ws) { ws.send("x"); });
  app.use(csrf()).use(csrf_form({.bind = [](Request&) { return std::string(); }, .secrets = {"x"}})).use(session_cookie({.secure = false}));
}

int value(Result<int> made) {
  const Result<int> moved = std::move(made);
  Result<MoveOnly> other = MoveOnly();
  MoveOnly taken = *std::move(other);
  MoveOnly& again = *other;
  again = std::move(taken);
  return moved ? *moved : moved.error().os_code();
}

size_t tokens() {
  const auto key = jwt::Key::secret("x", {.short_secret = true});
  const auto other = jwt::Key::jwk(Json());
  const auto set = jwt::Keys::jwks(Json());
  if (!key || !other || !set) return 0;
  const auto token = jwt::sign({{"sub", "7"}}, "x", 1h, {.short_secret = true});
  jwt::Verified claims = (jwt::verify)(*token, {*key, *other}, {.audience = {"a"}, .leeway = 30s});
  if (!claims || !claims->is_object()) return (*claims).size() + name_of(claims.error()).size();
  const Json taken = *std::move(claims);
  return taken.size() + (jwt::Verifier(*set).verify)(*token).ok();
}

}  // namespace

int headers_in_use();

int headers_in_use() {
  App app({.compression = Deflate{.threshold = 100}, .head_timeout = 5s});
  routes(app);
  tasks(app);
  Function<void()> fn([large = Large()] { static_cast<void>(large); });
  fn = Function<void()>(nullptr);
  if (!fn || fn()) app.post(std::move(fn));
  std::unordered_set<WebSocket> sockets;
  sockets.insert(app.find("x"));
  const Audience all = app.everybody().except(WebSocket());
  if (all.send("x") != SendStatus::ok) app.after(5ms, [] {});
  Server server({.port = 1, .workers = per_core});
  if (Error error = server.start([](App& each) -> Error { routes(each); return {}; })) return report(error);
  const int status = server.run([](App& each) { routes(each), auth_guards(each); });
  set_log_sink([](LogLevel, std::string_view) {});
  return value(1) + status + static_cast<int>(tokens()) + supervise(2, [](uint32_t index) { return static_cast<int>(index); });
}

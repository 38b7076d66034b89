// The proof of "no allocation on the hot path after warm-up": after a few rounds that fill the pools, a worker reads,
// parses, unmasks, routes, calls handlers, encodes and writes without asking for memory.
//
// Server and clients share the test's thread, and only what is asked for within a turn counts:
//   - the allocator of the connection path, by its hooks;
//   - every malloc, and so every operator new: with glibc by standing in front of its malloc, under a sanitizer
//     (whose malloc must stay) by its own hooks, elsewhere not at all;
//   - what a turn adds to the address space, which is where an mmap would show; not under a sanitizer, which maps
//     memory of its own.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/alloc.h"
#include "support/stepped_server.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MARTLET_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MARTLET_TEST_SANITIZED 1
#endif
#endif

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Set while the server turns. Other threads of the test program never see it set.
thread_local constinit bool counting = false;

struct Taken {
  uint64_t by_hooks = 0;    // through base/alloc
  uint64_t by_malloc = 0;   // through malloc and its kin
  uint64_t bytes = 0;       // of those
  long mapped_pages = 0;    // that the address space has grown by

  bool nothing() const { return by_hooks == 0 && by_malloc == 0 && mapped_pages <= 0; }
};
thread_local constinit Taken taken;

void note_malloc(size_t bytes) {
  if (!counting) return;
  taken.by_malloc++;
  taken.bytes += bytes;
}

}  // namespace

#if defined(MARTLET_TEST_SANITIZED)

// Of <sanitizer/allocator_interface.h>, which not every compiler brings.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, size_t),
                                                         void (*on_free)(const volatile void*));

namespace {
constexpr bool kCountsMalloc = true;
constexpr bool kCountsPages = false;
void on_malloc(const volatile void*, size_t bytes) { note_malloc(bytes); }
void on_free(const volatile void*) {}
void watch_malloc() {
  static const int watching = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
  REQUIRE(watching > 0);
}
}  // namespace

#elif defined(__GLIBC__)

// glibc's own, under the names by which the dynamic loader does not find the ones below.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  note_malloc(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  note_malloc(count * bytes);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  note_malloc(bytes);
  return __libc_realloc(memory, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  note_malloc(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  note_malloc(bytes);
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  note_malloc(bytes);
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
}

namespace {
constexpr bool kCountsMalloc = true;
constexpr bool kCountsPages = true;
void watch_malloc() {}
}  // namespace

#else

namespace {
constexpr bool kCountsMalloc = false;
constexpr bool kCountsPages = false;
void watch_malloc() {}
}  // namespace

#endif

namespace {

void* counted_allocate(size_t bytes) {
  if (counting) taken.by_hooks++;
  return std::malloc(bytes);
}

// The size of the address space; read without a buffer of stdio's, so that asking does not change the answer.
long mapped_pages() {
  if (!kCountsPages) return 0;
  const int fd = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[64] = {};
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  return size > 0 ? std::strtol(text, nullptr, 10) : 0;
}

// Counts what base/alloc gives while it lives.
struct CountedHooks {
  base::AllocHooks before = base::alloc_hooks;
  CountedHooks() { base::alloc_hooks.allocate = counted_allocate; }
  CountedHooks(const CountedHooks&) = delete;
  CountedHooks& operator=(const CountedHooks&) = delete;
  ~CountedHooks() { base::alloc_hooks = before; }
};

// A server whose turns are watched.
class WatchedServer {
 public:
  explicit WatchedServer(const std::function<void(App&)>& set_up) : server(set_up) {
    watch_malloc();
    server.before_turn = [this] {
      pages_before_ = mapped_pages();
      counting = true;
    };
    server.after_turn = [this] {
      counting = false;
      taken.mapped_pages += mapped_pages() - pages_before_;
      turns_++;
    };
  }

  // Does `round` so often that the pools hold what it needs, and then sees to it that more rounds take nothing. A round
  // answers whether it went well. Where the kernel cuts what is sent is its own affair, and a cut that was never seen
  // before may fill a pool once more: so a series of rounds may be such a warm-up too, but not one series after another.
  template <typename Round>
  void takes_nothing(Round round, int rounds = 64, int warm_up = 8) {
    for (int i = 0; i < warm_up; i++) REQUIRE(round());
    Taken result = taken_by(round, rounds);
    for (int series = 1; series < 4 && !result.nothing(); series++) result = taken_by(round, rounds);
    if (!result.nothing()) {
      MESSAGE(result.by_hooks << " allocations, " << result.by_malloc << " mallocs of " << result.bytes << " bytes, "
                              << result.mapped_pages << " pages in " << turns_ << " turns");
    }
    CHECK(result.nothing());
  }

  // Sends and reads back exactly this.
  bool answers(Client& client, std::string_view bytes, std::string_view wanted) {
    return server.exchange(client, bytes, wanted.size()) && client.take(wanted.size()) == wanted && client.in().empty();
  }
  bool answers(WsClient& client, std::string_view bytes, std::string_view wanted) {
    return answers(client.tcp, bytes, wanted);
  }
  // What the server says to a request, up to and with a body that is known. The clock stands, so it says it again.
  std::string answer_of(Client& client, std::string_view request, std::string_view body) {
    REQUIRE(client.send(request));
    REQUIRE(server.turn_until([&] {
      SteppedServer::read_what_is_there(client);
      return client.in().ends_with(body);
    }));
    return client.take(client.in().size());
  }
  // Waits until each of them has read this, and nothing else.
  bool all_read(std::vector<WsClient>& clients, std::string_view wanted) {
    bool good = server.turn_until([&] {
      for (WsClient& client : clients) {
        SteppedServer::read_what_is_there(client.tcp);
        if (client.tcp.in().size() < wanted.size()) return false;
      }
      return true;
    });
    for (WsClient& client : clients) good = client.tcp.take(client.tcp.in().size()) == wanted && good;
    return good;
  }

 private:
  template <typename Round>
  Taken taken_by(Round& round, int rounds) {
    taken = {};
    turns_ = 0;
    int good = 0;
    while (good < rounds && round()) good++;
    const Taken result = taken;
    CHECK(good == rounds);
    CHECK(turns_ >= rounds);
    return result;
  }

  CountedHooks hooks_;  // before the server: it frees to the end

 public:
  SteppedServer server;

 private:
  long pages_before_ = 0;
  int turns_ = 0;
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; i++) all += text;
  return all;
}

std::string server_frame(uint8_t opcode, std::string_view payload) {
  return ws_frame(opcode, payload, {.masked = false});
}

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n";
}

// HTTP ----------------------------------------------------------------------------------------------------------------

const std::string kBig = pattern(100'000);

void http_routes(App& app) {
  app.use([](Request&, Response& res, Next next) {
    res.set("X-Served-By", "martlet");
    next();
  });
  app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });
  app.get("/users/:id", [](Request& req, Response& res) { res.set("X-User", req.param("id")).send(req.param("id")); });
  app.get("/search", [](Request& req, Response& res) { res.send(req.query("q").value_or("nothing")); });
  app.get("/big", [](Request&, Response& res) { res.send(kBig); });
  Router steps;
  for (int n = 0; n < 5; n++) steps.use([](Request&, Response&, Next next) { next(); });
  steps.use([](Request&, Response& res, Next next) {
    res.on_headers([](Response& r) { r.set("X-Late", "yes"); });
    res.on_finish([](const Finished& f) { CHECK(f.bytes > 0); });
    next();
  });
  steps.get("/:id", [](Request& req, Response& res) {
    JsonWriter out;
    out.object([&] {
      out.member("id", req.param("id"));
      out.member("name", "Ann");
      out.member("ok", true);
    });
    res.json(out);
  });
  app.mount("/steps", std::move(steps));
  app.post("/echo", [](Request& req, Response& res) {
    res.type(req.header("content-type").value_or("text"));
    res.send(req.body());
  });
}

}  // namespace

TEST_CASE("no allocation: the counters count") {
  WatchedServer watched([](App& app) {
    app.get("/new", [](Request&, Response& res) {
      static std::string* volatile seen;  // else a compiler may leave both out
      seen = new std::string(100, 'x');
      delete seen;
      res.send("new");
    });
    app.get("/hooks", [](Request&, Response& res) {
      base::deallocate(base::allocate(100));
      res.send("hooks");
    });
  });
  Client client = watched.server.connect();
  taken = {};
  watched.answer_of(client, get("/new"), "new");
  if (kCountsMalloc) CHECK(taken.by_malloc >= 2);
  taken = {};
  watched.answer_of(client, get("/hooks"), "hooks");
  CHECK(taken.by_hooks >= 1);
}

TEST_CASE("no allocation: HTTP keep-alive") {
  WatchedServer watched(http_routes);
  Client client = watched.server.connect();
  struct Exchanged {
    std::string request, body;
  };
  const std::string post = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: text/csv\r\nContent-Length: 300\r\n\r\n";
  for (const Exchanged& e : std::vector<Exchanged>{{get("/"), "Hello, World!"},
                                                   {get("/users/31415926"), "31415926"},
                                                   {get("/users/a%20b%c3%bc"), "a b\xc3\xbc"},
                                                   {get("/search?x=1&q=a+b%21"), "a b!"},
                                                   {get("/steps/7"), R"({"id":"7","name":"Ann","ok":true})"},
                                                   {get("/nowhere"), "Not Found"},
                                                   {get("/big"), kBig},
                                                   {post + pattern(300), pattern(300)}}) {
    CAPTURE(e.request);
    const std::string answer = watched.answer_of(client, e.request, e.body);
    watched.takes_nothing([&] { return watched.answers(client, e.request, answer); });
    const std::string many = repeated(e.request, 16);
    const std::string answers = repeated(answer, 16);
    watched.takes_nothing([&] { return watched.answers(client, many, answers); }, 32);
  }
}

TEST_CASE("no allocation: what is asked of a request, and said in an answer") {
  struct User {
    uint64_t id = 0;
  };
  const auto keys = CookieKeys::of({"0123456789abcdef0123456789abcdef"});
  REQUIRE(keys);
  WatchedServer watched([&](App& app) {
    app.use([](Request& req, Response&, Next next) {
      req.data<User>().id = req.query<unsigned>("page", 1);
      next();
    });
    app.get("/:id", [&](Request& req, Response& res) {
      size_t seen = req.query_all("tag").size() + req.header_all("accept").size() + req.cookies().size() + req.id().size();
      seen += req.cookie("sid").value_or("").size() + req.signed_cookie("sid", *keys).value_or("").size() + req.host().size();
      res.cookie("a", "b c").vary("Accept").vary("Origin").attachment("report.pdf");
      if (req.accepts({"html", "json"}) != "json" || *req.param<int>("id") != 7 || req.fresh(res)) seen = 0;
      res.send(seen == 2 + 1 + 2 + 24 + 3 + 4 && req.data<User>().id == 3 ? "good" : "bad");
    });
    app.post("/form", [](Request& req, Response& res) { res.send(req.form(res)["a"]); });
  });
  Client client = watched.server.connect();
  const std::string fields = "Accept: application/json\r\nCookie: sid=x%20y; b=2\r\n\r\n";
  const std::string form = "POST /form HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=x+y&b=2";
  for (const auto& [request, body] : {std::pair{"GET /7?page=3&tag=a&tag=b%20 HTTP/1.1\r\nHost: test\r\n" + fields, "good"}, std::pair{form, "x y"}}) {
    const std::string asked = request;
    const std::string answer = watched.answer_of(client, asked, body);
    watched.takes_nothing([&] { return watched.answers(client, asked, answer); });
  }
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
TEST_CASE("no allocation: a task costs its frame and nothing else") {
  WatchedServer watched([](App& app) {
    app.get("/frames", [](Request& req, Response&, Next next) -> Task<> {  // two frames, which wait for a turn
      if (!req.path().empty()) co_await next;
    }, [](Request& req, Response& res) -> Task<> {
      const std::string_view path = req.path();
      co_await sleep(milliseconds(0));
      res.send(path);
    });
  });
  Client client = watched.server.connect();
  const std::string answer = watched.answer_of(client, get("/frames"), "/frames");
  for (int i = 0; i < 8; i++) REQUIRE(watched.answers(client, get("/frames"), answer));
  taken = {};
  for (int i = 0; i < 64; i++) REQUIRE(watched.answers(client, get("/frames"), answer));
  CHECK(taken.by_hooks == 0);
  if (kCountsMalloc) CHECK(taken.by_malloc == 128);
}
#endif

TEST_CASE("no allocation: limits of requests and of messages, let through and refused") {
  static std::chrono::seconds now{0};
  const MonotonicClock passes = []() noexcept { return std::chrono::nanoseconds(now += 1s); };  // so that as many are left each time
  const MonotonicClock stands = []() noexcept { return std::chrono::nanoseconds(1h); };
  WatchedServer watched([=](App& app) {
    const auto handler = [](Request&, Response& res) { res.send("ok"); };
    app.get("/through", rate_limit({.algorithm = Limit::token_bucket, .clock = passes, .max = 10, .max_keys = 100, .per = 10s}), handler);
    app.get("/refused", rate_limit({.clock = stands, .key = by_header("Accept"), .max = 1, .max_keys = 100}), handler);
    const auto echo = [](WebSocket ws) { ws.on_message([](WebSocket from, const Message& message) { from.send(message); }); };
    app.ws("/through", message_limit({.action = LimitAction::reply, .clock = passes, .max = 10, .per = 10s}), echo);
    app.ws("/refused", message_limit({.action = LimitAction::reply, .clock = stands, .key = by_ip(), .max = 1}), echo);
    app.ws("/warned", message_limit({.action = LimitAction::warn, .clock = stands, .max = 1'000}), echo);
  });
  Client client = watched.server.connect();
  watched.answer_of(client, get("/refused"), "ok");
  for (const auto& [path, body] : {std::pair("/through", "ok"), std::pair("/refused", "Too Many Requests")}) {
    const std::string request = get(path), answer = watched.answer_of(client, request, body);
    watched.takes_nothing([&] { return watched.answers(client, request, answer); });
  }
  const std::string echoed = server_frame(kText, "m"), no = server_frame(kText, R"({"type":"error","message":"Rate limit exceeded"})");
  WsClient through = watched.server.open_websocket("/through"), refused = watched.server.open_websocket("/refused");
  watched.takes_nothing([&] { return watched.answers(through, ws_frame(kText, "m"), echoed); });
  REQUIRE(watched.answers(refused, ws_frame(kText, "m"), echoed));
  watched.takes_nothing([&] { return watched.answers(refused, ws_frame(kText, "m"), no); });
  WsClient warned = watched.server.open_websocket("/warned");
  int n = 0;
  while (n++ < 1'000) REQUIRE(watched.answers(warned, ws_frame(kText, "m"), echoed));
  watched.takes_nothing([&] {
    const std::string warning = R"({"type":"warning","message":"⚠️ Message rate limit approaching","limit":1000,"current":)" + std::to_string(n++) + "}";
    return watched.answers(warned, ws_frame(kText, "m"), server_frame(kText, warning) + echoed);
  });
}

TEST_CASE("no allocation: what stands before a request: its name, CORS, security headers with nonces, its time, its line in the log") {
  WatchedServer watched([&](App& app) {
    const Log log = Log::to([](std::string_view) {});  // ends with the App, before the system calls are those of the system again
    app.use(logger({.to = log})).use(logger({.format = Log::json, .to = log})).use(request_id()).use(response_time());
    app.use(cors({.credentials = true, .origins = {"https://a.example", "https://*.b.example"}}));
    app.use(security_headers({.content_security_policy = ContentSecurityPolicy().add("script-src", {ContentSecurityPolicy::nonce})}));
    app.use(timeout(5s)).use(Maintenance()).use(body_limit(100));
    app.get("/", [](Request&, Response& res) { res.send("ok"); });
  });
  Client client = watched.server.connect();
  for (const char* origin : {"https://a.example", "https://x.b.example", "https://c.example"}) {
    const std::string request = "GET / HTTP/1.1\r\nHost: test\r\nUser-Agent: test\r\nOrigin: " + std::string(origin) + "\r\n\r\n";
    const size_t size = watched.answer_of(client, request, "\r\n\r\nok").size();
    watched.takes_nothing([&] { return watched.server.exchange(client, request, size) && client.take(size).size() == size; });
  }
}

TEST_CASE("no allocation: what is sent after a refusal and thrown away") {
  WatchedServer watched(http_routes);
  Client client = watched.server.connect();
  REQUIRE(watched.server.exchange(client, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 99999999\r\n\r\n", 1));
  REQUIRE(client.read_response().status == 413);
  watched.takes_nothing([&] {
    client.send_some(kBig, milliseconds(0));
    watched.server.turn();
    return watched.server.app().stats().open_connections == 1;
  });
}

TEST_CASE("no allocation: a request that comes in pieces") {
  WatchedServer watched(http_routes);
  Client client = watched.server.connect();
  const std::string body = pattern(5000);
  const std::string request = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n" + body;
  const std::string answer = watched.answer_of(client, request, body);
  for (const size_t cut : {10u, 50u, 61u, 1000u}) {
    CAPTURE(cut);
    watched.takes_nothing([&] {
      return watched.server.exchange(client, request.substr(0, cut), 0) && (watched.server.turn(), true) &&
             watched.answers(client, request.substr(cut), answer);
    });
  }
}

// WebSocket -----------------------------------------------------------------------------------------------------------

namespace {

void echo_route(App& app) {
  app.ws("/echo", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); },
                   .options = {.heartbeat_interval = milliseconds(4000),  // for a clock that a test moves
                               .max_message_bytes = 4_MiB, .max_unsent_bytes = 64_MiB}});
}

std::vector<WsClient> open_many(WatchedServer& watched, std::string_view target, int count) {
  std::vector<WsClient> clients;
  for (int i = 0; i < count; i++) clients.push_back(watched.server.open_websocket(target));
  return clients;
}

// What goes to everybody in a room or on a route, in each of the ways to say it.
void audience_routes(App& app) {
  app.ws("/room", [](WebSocket ws, Request&) {
    const Room room = ws.join("lobby");
    ws.on_message([room](WebSocket from, const Message& msg) { from.to(room).send(msg); });
  });
  app.ws("/room/whole", [](WebSocket ws, Request&) {
    const Room room = ws.join("everybody");
    ws.on_message([room](WebSocket, const Message& msg) { room.send(msg); });
  });
  app.ws("/room/named", [](WebSocket ws, Request&) {
    ws.join("named");
    ws.on_message([](WebSocket from, const Message& msg) { from.to("named").send(msg); });
  });
  app.ws("/room/longer", [](WebSocket ws, Request&) {
    ws.join("a room with a name that is longer than a short string");
    ws.on_message([](WebSocket from, const Message& msg) {
      from.to("a room with a name that is longer than a short string").send(msg);
    });
  });
  app.ws("/route", {.message = [&app](WebSocket, const Message& msg) { app.to_route("/route").send(msg); },
                    .options = {.max_unsent_bytes = 64_MiB}});
  app.ws("/topic", [&app](WebSocket ws, Request&) {
    ws.subscribe("news/+/sport");
    ws.subscribe("news/#");
    ws.on_message([&app](WebSocket, const Message& msg) { app.publish("news/uk/sport", msg); });
  });
  app.ws("/topic/others", [](WebSocket ws, Request&) {
    ws.subscribe("prices");
    ws.on_message([](WebSocket from, const Message& msg) { from.publish("prices", msg, {.conflate = "ACME"}); });
  });
  app.ws("/route/others", {.message = [](WebSocket ws, const Message& msg) { ws.broadcast(msg); }});
}

}  // namespace

TEST_CASE("no allocation: echo of every size") {
  WatchedServer watched(echo_route);
  WsClient client = watched.server.open_websocket("/echo");
  for (const size_t size : {0u, 20u, 1024u, 16384u, 65536u, 1048576u}) {
    CAPTURE(size);
    const std::string payload = pattern(size);
    const std::string sent = ws_frame(kText, payload);
    const std::string wanted = server_frame(kText, payload);
    const int rounds = size < 65536 ? 64 : 8;
    watched.takes_nothing([&] { return watched.answers(client, sent, wanted); }, rounds);
    const int depth = size < 65536 ? 16 : 3;
    const std::string many = repeated(sent, depth);
    const std::string all = repeated(wanted, depth);
    watched.takes_nothing([&] { return watched.answers(client, many, all); }, rounds / 2);
  }
}

TEST_CASE("no allocation: events, their arguments in every way, and answers") {
  WatchedServer watched([](App& app) {
    app.ws("/events", [](WebSocket ws) {
      ws.on("echo", [](WebSocket from, std::string_view text, int n, bool flag) { from.emit("echo", text, n, flag); });
      ws.on("ask", [](double d, std::optional<int> n, EventReply reply) { reply(d, n); });
    });
  });
  WsClient client = watched.server.open_websocket("/events");
  const std::string text(300, 't');
  const std::string event = R"({"event":"echo","args":[")" + text + R"(",-7,true]})";
  watched.takes_nothing([&] { return watched.answers(client, ws_frame(kText, event), server_frame(kText, event)); });
  watched.takes_nothing([&] {
    return watched.answers(client, ws_frame(kText, R"( {"ack":7, "args":[1.5,2],"event":"ask"})"), server_frame(kText, R"({"ack":7,"args":[1.5,2]})"));
  });
  const std::string_view error = R"({"event":"error","args":[{"code":"bad_arguments","message":"/0: a number is wanted","event":"ask"}]})";
  watched.takes_nothing([&] { return watched.answers(client, ws_frame(kText, R"({"event":"ask","args":["x"]})"), server_frame(kText, error)); });
}

TEST_CASE("no allocation: fragments, with control frames between them") {
  WatchedServer watched(echo_route);
  WsClient client = watched.server.open_websocket("/echo");
  for (const size_t size : {30u, 3000u, 90'000u}) {
    CAPTURE(size);
    const std::string payload = pattern(size);
    const std::string sent = ws_fragments(kText, payload, {size / 3, 1, size / 3});
    const std::string wanted = server_frame(kText, payload);
    watched.takes_nothing([&] { return watched.answers(client, sent, wanted); });
    const std::string mixed = ws_frame(kText, payload.substr(0, size / 2), {.fin = false}) + ws_frame(kPing, "here?") +
                              ws_frame(kContinuation, payload.substr(size / 2));
    const std::string pong = server_frame(kPong, "here?");
    watched.takes_nothing([&] { return watched.answers(client, mixed, pong + wanted); });
  }
}

TEST_CASE("no allocation: pings of both sides") {
  WatchedServer watched(echo_route);
  WsClient client = watched.server.open_websocket("/echo");
  const std::string ping = ws_frame(kPing, pattern(100));
  const std::string pong = server_frame(kPong, pattern(100));
  watched.takes_nothing([&] { return watched.answers(client, ping, pong); });
  const std::string heartbeat = server_frame(kPing, "");
  const std::string alive = ws_frame(kPong, "");
  watched.takes_nothing([&] {
    for (int i = 0; i < 2; i++) {  // not at once: that would be a standstill
      SteppedServer::advance(milliseconds(2'500));
      watched.server.turn();
    }
    return watched.answers(client, "", heartbeat) && client.send(alive) && watched.answers(client, ping, pong);
  });
}

TEST_CASE("no allocation: audiences of 50") {
  WatchedServer watched(audience_routes);
  struct Way {
    std::string_view target;
    bool sender_too;
  };
  for (const Way& way : {Way{"/room", false}, Way{"/room/whole", true}, Way{"/room/named", false},
                         Way{"/room/longer", false}, Way{"/topic", true},
                         Way{"/topic/others", false}, Way{"/route", true}, Way{"/route/others", false}}) {
    CAPTURE(way.target);
    std::vector<WsClient> members = open_many(watched, way.target, 50);
    WsClient sender = watched.server.open_websocket(way.target);
    for (const size_t size : {5000u, 100u}) {
      const std::string payload = pattern(size);
      for (const int count : {32, 1}) {  // the most first: it fills the pools
        const std::string sent = repeated(ws_frame(kText, payload), count);
        const std::string wanted = repeated(server_frame(kText, payload), count);
        watched.takes_nothing(
            [&] {
              return watched.answers(sender, sent, way.sender_too ? wanted : "") && watched.all_read(members, wanted);
            },
            16);
      }
    }
  }
}

TEST_CASE("no allocation: entering and leaving rooms by name") {
  static constexpr std::string_view kRoom = "a room with a name that is longer than any string keeps inside";
  WatchedServer watched([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& m) {
             ws.join(kRoom);
             ws.to(kRoom).send(m);
             ws.leave(kRoom);
             ws.send(m);
           }});
  });
  WsClient client = watched.server.open_websocket("/");
  watched.takes_nothing([&] { return watched.answers(client, ws_frame(kText, "hello"), server_frame(kText, "hello")); });
}

// Output that the kernel does not take at once ------------------------------------------------------------------------

namespace {

// A kernel that takes `room` bytes and then no more until it is given room again, at most `step` in one call. What it
// does with them is the true one's.
struct NarrowKernel {
  static inline size_t room = SIZE_MAX;
  static inline size_t step = SIZE_MAX;
  static inline int short_writes = 0;

  NarrowKernel() {
    sys::syscalls.send = send;
    sys::syscalls.sendmsg = sendmsg;
  }
  NarrowKernel(const NarrowKernel&) = delete;
  NarrowKernel& operator=(const NarrowKernel&) = delete;
  ~NarrowKernel() { room = step = SIZE_MAX; }  // the calls stay until the server puts the table back

  static ssize_t send(int fd, const void* bytes, size_t size, int flags) {
    const size_t taken_bytes = std::min({size, room, step});
    short_writes += taken_bytes < size;
    if (taken_bytes == 0 && size > 0) return errno = EAGAIN, -1;
    const ssize_t sent = ::send(fd, bytes, taken_bytes, flags);
    if (sent > 0 && room != SIZE_MAX) room -= static_cast<size_t>(sent);
    return sent;
  }
  static ssize_t sendmsg(int fd, const msghdr* message, int flags) {
    return send(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
  }
};

// The peer sends all of it while the kernel takes nothing from the server, and then reads what comes in small steps.
bool send_then_read(WatchedServer& watched, Client& client, std::string_view sent, std::string_view wanted) {
  NarrowKernel::room = 1000;
  NarrowKernel::step = 700;
  size_t at = 0;
  for (int turn = 0; turn < 20; turn++) {
    at += client.send_some(sent.substr(at), milliseconds(0));
    watched.server.turn();
  }
  NarrowKernel::room = SIZE_MAX;
  NarrowKernel::step = 7777;
  return watched.answers(client, sent.substr(at), wanted);
}

}  // namespace

TEST_CASE("no allocation: a WebSocket that reads slowly") {
  WatchedServer watched(echo_route);
  const NarrowKernel kernel;
  WsClient client = watched.server.open_websocket("/echo");
  for (const size_t size : {100u, 1000u, 30'000u, 90'000u}) {
    CAPTURE(size);
    const int count = static_cast<int>(100'000 / size);
    const std::string sent = repeated(ws_frame(kText, pattern(size)), count);
    const std::string wanted = repeated(server_frame(kText, pattern(size)), count);
    NarrowKernel::short_writes = 0;
    watched.takes_nothing([&] { return send_then_read(watched, client.tcp, sent, wanted); }, 16);
    CHECK(NarrowKernel::short_writes > 16);
  }
}

TEST_CASE("no allocation: an HTTP client that reads slowly") {
  WatchedServer watched(http_routes);
  const NarrowKernel kernel;
  Client client = watched.server.connect();
  for (const std::string_view target : {"/", "/big"}) {
    CAPTURE(target);
    const std::string answer = watched.answer_of(client, get(target), target == "/" ? "Hello, World!" : kBig);
    const std::string sent = repeated(get(target), 16);
    const std::string wanted = repeated(answer, 16);
    NarrowKernel::short_writes = 0;
    watched.takes_nothing([&] { return send_then_read(watched, client, sent, wanted); }, 16);
    CHECK(NarrowKernel::short_writes > 16);
  }
}

TEST_CASE("no allocation: an audience with one that reads slowly") {
  WatchedServer watched(audience_routes);
  const NarrowKernel kernel;
  std::vector<WsClient> members = open_many(watched, "/route", 8);
  WsClient& sender = members[0];
  const std::string sent = repeated(ws_frame(kText, pattern(1000)), 40);
  const std::string wanted = repeated(server_frame(kText, pattern(1000)), 40);
  NarrowKernel::short_writes = 0;
  watched.takes_nothing([&] { return send_then_read(watched, sender.tcp, sent, "") && watched.all_read(members, wanted); }, 16);
  CHECK(NarrowKernel::short_writes > 16);
}

// Handlers and middleware that are coroutines: what they wait for, how they fail, and how they end when their client goes,
// the App drains, or ends. Every frame holds a Count, so that one that was not destroyed shows.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "session/exchange.h"
#include "support/client.h"
#include "support/failing_alloc.h"
#include "support/frames.h"
#include "support/gate.h"
#include "support/multi_server.h"
#include "support/server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

std::string get(std::string_view path, std::string_view fields = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n" + std::string(fields) + "\r\n";
}

Task<int> add(int a, int b) { co_return a + b; }
Task<std::string> late(std::string text) {
  co_await sleep(1ms);
  co_return text + "!";
}
Task<int> throws() {
  co_await sleep(1ms);
  throw std::runtime_error("inner");
}
Task<int> deep(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await deep(n - 1);
}

// How many threads this process has; 0 where the system does not tell.
int threads_of_process() {
  std::error_code error;
  int count = 0;
  for (std::filesystem::directory_iterator all("/proc/self/task", error), end; !error && all != end; all.increment(error)) count++;
  return count;
}

struct Post {
  std::string title;
};
MARTLET_JSON(Post, title)

}  // namespace

TEST_CASE("task: every form of a handler, and answers as values") {
  TestServer server([](App& app) {
    app.get("/two", [](Request& req, Response& res) -> Task<> {
      const std::string_view path = req.path();
      co_await sleep(1ms);
      res.send(path);
    });
    app.get("/at-once", [](Request&, Response& res) -> Task<> {
      res.send("now");
      co_return;
    });
    app.get("/one/:id", [](Request& req) -> Task<std::string> { co_return co_await late(std::string(req.param("id"))); });
    app.get("/none", []() -> Task<Reply> { co_return Reply{418, "teapot"}; });
    app.get("/context", [](Context& c) -> Task<> {
      co_await sleep(1ms);
      c.res.send(c.req.path());
    });
    app.get("/own", [](Request&) -> Task<Post> {
      co_await sleep(1ms);
      co_return Post{"t"};
    });
    app.get("/json", [](Request&) -> Task<Json> {
      const int n = co_await add(2, 3);  // g++ 12 does not compile co_await in braces
      co_return Json{{"n", n}};
    });
    app.get("/result", [](Request&) -> Task<Result<std::string>> { co_return Error("no"); });
    app.get("/fails", [](Request&) -> Task<Reply> {
      co_await sleep(1ms);
      co_return fail(404, "no such post");
    });
    app.post("/echo", [](Request& req, Response& res) -> Task<> {
      const std::string_view body = req.body();
      co_await sleep(1ms);
      res.send(body);
    });
    app.not_found([](Request&, Response& res) -> Task<> {
      co_await sleep(1ms);
      res.send("nothing");
    });
  });
  Client client(server.port());
  for (int round = 0; round < 3; round++) {
    CHECK(client.get("/two").body == "/two");
    CHECK(client.get("/at-once").body == "now");
    CHECK(client.get("/one/x%20y").body == "x y!");
    CHECK(client.get("/none").status == 418);
    CHECK(client.get("/context").body == "/context");
    CHECK(client.get("/own").body == R"({"title":"t"})");
    CHECK(client.get("/json").body == R"({"n":5})");
    CHECK(client.get("/result").status == 500);
    const HttpResponse failed = client.get("/fails");
    CHECK(failed.status == 404);
    CHECK(failed.body == "no such post");
    CHECK(client.post("/echo", "hello").body == "hello");
    CHECK(client.post("/echo", std::string(300'000, 'x')).body.size() == 300'000);
    const HttpResponse nothing = client.get("/nowhere");
    CHECK(nothing.status == 404);
    CHECK(nothing.body == "nothing");
  }
  // Pipelined behind a task: in order.
  REQUIRE(client.send(get("/two") + get("/at-once") + get("/one/3")));
  CHECK(client.read_response().body == "/two");
  CHECK(client.read_response().body == "now");
  CHECK(client.read_response().body == "3!");
}

TEST_CASE("task: a step of use() that asks for a body that was refused before it ran sees none, and goes on") {
  TestServer server([](App& app) {
    app.use(json_body());  // waits for it
    app.use([](Request& req, Response& res, Next next) -> Task<> {
      const std::string_view body = co_await req.whole_body();
      res.set("X-Seen", std::to_string(body.size()));
      co_await next;
    });
    app.post("/", [](Request&, Response& res) { res.send("taken"); });
  });
  Client client(server.port());
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"));
  server.turn();
  REQUIRE(client.send("2\r\n[]zz\r\n"));
  const HttpResponse got = client.read_response();
  CHECK(got.status == 400);
  CHECK(got.field("x-seen") == "0");
}

TEST_CASE("task: one that comes too late, behind the 503 of a deadline, is not held up by a body that is passed over") {
  Frames frames;
  std::atomic<bool> too_late = false;
  TestServer server([&](App& app) {
    const auto taken = [](Request& req, Response& res) { res.send(req.body()); };
    app.post("/next", [&](Request&, Response&, Next next) -> Task<> {
      const Count count(frames);
      while (!too_late) co_await sleep(1ms);
      co_await next;
    }, taken);
    app.post("/send", [&](Request&, Response& res, Next) -> Task<> {
      const Count count(frames);
      while (!too_late) co_await sleep(1ms);
      res.send("late");
    }, taken);
  }, {.app = {.handler_timeout = 10ms}});
  for (const char* path : {"/next", "/send"}) {
    CAPTURE(path);
    Client client(server.port());
    REQUIRE(client.send("POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n01234"));
    CHECK(client.read_response().status == 503);
    too_late = true;
    CHECK(eventually([&] { return frames.now == 0; }));
    too_late = false;
    REQUIRE(client.send("56789" + get("/nowhere")));
    CHECK(client.read_response().status == 404);
  }
  CHECK(frames.begun == 2);
  CHECK(server.stats().late_responses + server.stats().late_nexts == 0);
}

TEST_CASE("task: co_await next goes on when the rest has answered: at once, late, from another thread, the last step first") {
  std::mutex mutex;
  std::string order;
  const auto note = [&](char c) {
    const std::lock_guard lock(mutex);
    order += c;
  };
  std::optional<Response> parked;
  TestServer server([&](App& app) {
    app.use([&](Request& req, Response& res, Next next) -> Task<> {
      const std::string_view path = req.path();
      res.set("X-Outer", "1");
      note('a');
      co_await next;
      if (path == req.path() && !req.ip().empty()) note('A');
    });
    app.use([&](Context& c, Next next) -> Task<> {
      note('b');
      if (c.req.query("wait")) co_await sleep(1ms);
      co_await next;
      co_await sleep(1ms);
      note('B');
    });
    app.use([&](Request&, Response&, Next next) { next(); });
    app.get("/now", [&](Request&, Response& res) { note('h'), res.send("now"); });
    app.get("/task", [&](Request&) -> Task<std::string> {
      note('h');
      co_await sleep(1ms);
      co_return "task";
    });
    app.get("/deferred", [&](Request&, Response& res) {
      note('h');
      parked = res.defer();
      std::thread([later = *parked] { later.send("deferred"); }).detach();
    });
  });
  Client client(server.port());
  for (const std::string path : {"/now", "/task", "/deferred", "/now?wait", "/task?wait", "/deferred?wait"}) {
    CAPTURE(path);
    {
      const std::lock_guard lock(mutex);
      order.clear();
    }
    const HttpResponse got = client.get(path);
    CHECK(path.find(got.body) == 1);
    CHECK(got.field("x-outer") == "1");
    CHECK(eventually([&] {
      const std::lock_guard lock(mutex);
      return order.size() == 5;
    }));
    CHECK(order == "abhAB");
  }
  CHECK(client.get("/nowhere").status == 404);
  server.on_thread([&](App&) { parked.reset(); });
}

TEST_CASE("task: exceptions are failures of the step, inner ones may be caught, late ones are told") {
  std::mutex mutex;
  std::vector<std::string> told;
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& f) {
      const std::lock_guard lock(mutex);
      told.emplace_back(std::string(f.route) + " " + std::string(f.what));
    });
    app.on_error([](const Failure& f, Request&, Response& res) {
      if (f.exception == "inner") res.send("handled " + std::string(f.exception));
    });
    app.get("/inner", [](Request&) -> Task<Json> { co_return Json(co_await throws()); });
    app.get("/at-once", [](Request&, Response& res) -> Task<> {
      res.set("X-Set", "1");
      throw std::runtime_error("at once");
      co_return;
    });
    app.get("/caught", [](Request&, Response& res) -> Task<> {
      std::string what;
      try {
        co_await throws();
      } catch (const std::runtime_error& e) {
        what = e.what();
      }
      co_await sleep(1ms);
      res.send(what);
    });
    app.get("/offloaded", [](Request&) -> Task<Json> {
      co_return Json(co_await offload([]() -> int { throw std::runtime_error("inner"); }));
    });
    app.get("/silent", [](Request&, Response&) -> Task<> { co_await sleep(1ms); });
    app.get("/after", [](Request&, Response&, Next next) -> Task<> {
      co_await next;
      throw std::runtime_error("too late");
    }, [](Request&, Response& res) { res.send("fine"); });
  });
  Client client(server.port());
  CHECK(client.get("/inner").body == "handled inner");
  const HttpResponse at_once = client.get("/at-once");
  CHECK(at_once.status == 500);
  CHECK(at_once.field("x-set") == "1");
  CHECK(client.get("/caught").body == "inner");
  CHECK(client.get("/offloaded").body == "handled inner");
  CHECK(client.get("/silent").status == 500);
  CHECK(client.get("/after").body == "fine");
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return told.size() == 4;
  }));
  CHECK(told == std::vector<std::string>{"/inner inner", "/at-once at once", "/offloaded inner", "/after too late"});
}

TEST_CASE("task: a client that goes ends what waits: sleeping, waiting for the rest, for the body, or what is offloaded") {
  Frames frames;
  Gate gate;
  std::atomic<int> went_on = 0, aborted = 0;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response& res, Next next) {
      res.on_finish([&](const Finished& f) { aborted += f.aborted && f.status == 0; });
      next();
    });
    app.get("/sleep", [&](Request&, Response& res) -> Task<> {
      const Count count(frames);
      co_await sleep(1h);
      went_on++;
      res.send("x");
    });
    app.get("/next", [&](Request&, Response&, Next next) -> Task<> {
      const Count count(frames);
      co_await next;
      went_on++;
    }, [&](Request&, Response& res) { (void)res.defer(); });
    app.post("/body", [&](Request& req, Response&, Next) -> Task<> {
      const Count count(frames);
      co_await req.whole_body();
      went_on++;
    }, [](Request&, Response&) {});
    app.get("/offload", [&](Request&, Response&) -> Task<> {
      const Count count(frames);
      int local = 1;
      co_await offload([&] { gate.wait(), local++; });
      went_on++;
    });
  });
  for (const std::string& request : {get("/sleep"), get("/next"), std::string("POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")}) {
    CAPTURE(request);
    Client client(server.port());
    REQUIRE(client.send(request));
    CHECK(eventually([&] { return frames.now == 1; }));
    client.reset();
    CHECK(eventually([&] { return frames.now == 0; }));
  }
  Client client(server.port());
  REQUIRE(client.send(get("/offload")));
  REQUIRE(gate.wait_for_one());
  client.reset();
  CHECK(server.wait_for_connections(0));
  CHECK(frames.now == 1);  // what it refers to is in use
  CHECK(eventually([&] { return aborted == 4; }));
  gate.open();
  CHECK(eventually([&] { return frames.now == 0; }));
  CHECK(went_on == 0);
  CHECK(frames.begun == 4);
}

TEST_CASE("task: what answers when it is destroyed, behind a client that has gone, says nothing") {
  struct Answering {
    Response& res;
    std::atomic<int>& destroyed;
    ~Answering() {
      res.status(500).set("X-Late", "1").send("destroyed");
      res.fail(500);
      destroyed++;
    }
  };
  std::atomic<int> destroyed = 0;
  Gate gate;
  TestServer server([&](App& app) {
    app.get("/sleep", [&](Request&, Response& res) -> Task<> {
      const Answering answering{res, destroyed};
      co_await sleep(1h);
    });
    app.get("/offload", [&](Request&, Response& res) -> Task<> {
      const Answering answering{res, destroyed};
      co_await offload([&] { gate.wait(); });
    });
  });
  for (const char* path : {"/sleep", "/offload"}) {
    Client client(server.port());
    REQUIRE(client.send(get(path)));
    if (path == std::string("/offload")) REQUIRE(gate.wait_for_one());
    server.turn();
    client.reset();
    CHECK(server.wait_for_connections(0));
    if (path == std::string("/offload")) gate.open();
    CHECK(eventually([&] { return destroyed == 1; }));
    destroyed = 0;
  }
  server.turn();
  CHECK_FALSE(session::Exchange::nobody.out);
  CHECK(bool(session::Exchange::nobody.in_dirty) == false);
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("task: whole_body waits for the body in a middleware; of one that is refused it does not go on") {
  Frames frames;
  TestServer server([&](App& app) {
    app.post("/sum", {.max_body_bytes = 100'000}, [&](Request& req, Response& res, Next next) -> Task<> {
      const Count count(frames);
      const std::string_view kind = req.header("x-kind").value_or("none");
      const std::string_view body = co_await req.whole_body();
      const std::string_view again = co_await req.whole_body();
      if (kind == "answer") co_return res.send("step " + std::to_string(body.size() + again.size()));
      co_await next;
    }, [](Request& req, Response& res) { res.send("handler " + std::to_string(req.body().size())); });
    app.post("/both", [&](Request& req, Response& res, Next next) -> Task<> {
      next();  // the handler waits for the body, and so does this one
      const std::string_view body = co_await req.whole_body();
      if (body.size() != 5) res.send("wrong");
    }, [](Request& req) { return "both " + std::to_string(req.body().size()); });
    app.post("/thinks", [&](Request& req, Response& res, Next) -> Task<> {
      co_await sleep(2ms);
      const std::string_view body = co_await req.whole_body();
      res.send(body);
    }, [](Request&, Response&) {});
  });
  const std::string head = "POST /sum HTTP/1.1\r\nHost: t\r\n";
  for (const std::string kind : {"none", "answer"}) {
    const std::string fields = "X-Kind: " + kind + "\r\n";
    const std::string want = kind == "none" ? "handler 5" : "step 10";
    Client client(server.port());
    CHECK(client.post("/sum", "hello", fields).body == want);
    REQUIRE(client.send(head + fields + "Content-Length: 5\r\n\r\nhe"));
    CHECK(eventually([&] { return frames.now == 1; }));
    REQUIRE(client.send("llo"));
    CHECK(client.read_response().body == want);
    REQUIRE(client.send(head + fields + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"));
    CHECK(eventually([&] { return frames.now == 1; }));
    REQUIRE(client.send("3\r\nllo\r\n0\r\n\r\n"));
    CHECK(client.read_response().body == want);
    REQUIRE(client.send(head + fields + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    CHECK(client.read_response().status == 100);
    REQUIRE(client.send("hello"));
    CHECK(client.read_response().body == want);
    REQUIRE(client.send(head + fields + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"));
    CHECK(eventually([&] { return frames.now == 1; }));
    REQUIRE(client.send("no chunk\r\n"));
    CHECK(client.read_response().status == 400);
    CHECK(eventually([&] { return frames.now == 0; }));
  }
  Client client(server.port());
  REQUIRE(client.send("POST /both HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab"));
  server.turn();
  REQUIRE(client.send("cde"));
  CHECK(client.read_response().body == "both 5");
  REQUIRE(client.send("POST /thinks HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
  CHECK(client.read_response().status == 100);
  REQUIRE(client.send("hello" + get("/x")));
  CHECK(client.read_response().body == "hello");
  CHECK(client.read_response().status == 404);
}

TEST_CASE("task: a middleware sees what the library refuses, and its answer by a deadline") {
  std::atomic<int> after = 0;
  TestServer server([&](App& app) {
    app.use([&](Request&, Response& res, Next next) -> Task<> {
      res.set("X-Cors", "1");
      co_await sleep(1ms);
      co_await next;
      after++;
    });
    app.post("/small", {.max_body_bytes = 10}, [](Request&, Response& res) { res.send("x"); });
    app.get("/never", [&](Request&, Response& res) -> Task<> {
      co_await sleep(100ms);
      res.send("too late");  // does nothing
      after++;
    });
  }, {.app = {.handler_timeout = 20ms}});
  Client client(server.port());
  const HttpResponse large = client.post("/small", "more than ten bytes");
  CHECK(large.status == 413);
  CHECK(large.field("x-cors") == "1");
  Client other(server.port());
  const HttpResponse never = other.get("/never");
  CHECK(never.status == 503);
  CHECK(never.field("x-cors") == "1");
  CHECK(eventually([&] { return after == 3; }));
  CHECK(server.stats().late_responses == 0);
}

TEST_CASE("task: who the client was is known after the answer, too, and what hooks of the answer are told is as ever") {
  std::mutex mutex;
  std::string seen;
  const auto serve = [&](App& app) {
    app.use([&](Request& req, Response& res, Next next) -> Task<> {
      res.on_finish([&](const Finished& f) {
        const std::lock_guard lock(mutex);
        seen += std::to_string(f.status) + " ";
      });
      co_await next;
      co_await sleep(1ms);
      const std::lock_guard lock(mutex);
      seen += req.ip();
    });
    app.get("/", [](Request&, Response& res) { res.send("x"); });
  };
  for (const bool behind_proxy : {false, true}) {
    TestServer server(serve, {.app = {.trusted_proxies = behind_proxy ? std::vector<std::string>{"127.0.0.1"} : std::vector<std::string>()}});
    Client client(server.port());
    CHECK(client.get("/", "X-Forwarded-For: 203.0.113.9\r\n").body == "x");
    CHECK(eventually([&] {
      const std::lock_guard lock(mutex);
      return seen == (behind_proxy ? "200 203.0.113.9" : "200 127.0.0.1");
    }));
    const std::lock_guard lock(mutex);
    seen.clear();
  }
}

TEST_CASE("task: a middleware around an upgrade goes on when it is a WebSocket") {
  std::atomic<int> after = 0;
  TestServer server([&](App& app) {
    app.use([&](Request& req, Response&, Next next) -> Task<> {
      if (req.query("late")) co_await sleep(1ms);
      co_await next;
      if (req.path() == "/w") after++;
    });
    app.ws("/w", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }});
  });
  for (const std::string target : {"/w", "/w?late"}) {
    WsClient client(server.port(), target);
    REQUIRE(client.open());
    client.send_text("x");
    CHECK(client.reads("x"));
  }
  CHECK(eventually([&] { return after == 2; }));
}

TEST_CASE("task: a drain waits for tasks, also for those whose request was answered; at its deadline they end") {
  Frames frames;
  const auto serve = [&](App& app) {
    app.get("/:ms", [&](Request& req, Response& res) -> Task<> {
      const Count count(frames);
      const milliseconds time(std::stoi(std::string(req.param("ms"))));
      if (req.query("first")) res.send("first");
      co_await sleep(time);
      if (!res.sent()) res.send("then");
    });
  };
  SUBCASE("in time") {
    TestServer server(serve);
    Client one(server.port()), two(server.port());
    REQUIRE(one.send(get("/50")));
    REQUIRE(two.send(get("/100?first")));
    CHECK(two.read_response().body == "first");
    CHECK(eventually([&] { return frames.now == 2; }));
    two.close();
    server.app().drain({.deadline = 10s});
    CHECK(one.read_response().body == "then");
    CHECK(server.wait_until_over() == 0);
    CHECK(frames.now == 0);
  }
  SUBCASE("not in time") {
    TestServer server(serve);
    Client one(server.port()), two(server.port());
    REQUIRE(one.send(get("/3600000")));
    REQUIRE(two.send(get("/3600000?first")));
    CHECK(eventually([&] { return frames.now == 2; }));
    server.app().drain({.deadline = 50ms});
    CHECK(server.wait_until_over() == 0);
    CHECK(frames.now == 0);
  }
  SUBCASE("close") {
    TestServer server(serve);
    Client one(server.port()), two(server.port());
    REQUIRE(one.send(get("/3600000")));
    REQUIRE(two.send(get("/3600000?first")));
    CHECK(eventually([&] { return frames.now == 2; }));
    server.app().close();
    CHECK(server.wait_until_over() == 0);
    CHECK(frames.now == 0);
  }
}

TEST_CASE("task: the end of an App waits for what is offloaded, and takes back what has not begun") {
  Frames frames;
  Gate gate;
  std::atomic<int> called = 0;
  TestServer server([&](App& app) {
    app.get("/x", [&](Request&, Response&) -> Task<> {
      const Count count(frames);
      co_await offload([&] { called++, gate.wait(); });
    });
  }, {.app = {.offload_threads = 1}});
  std::vector<Client> clients;
  for (int i = 0; i < 3; i++) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().send(get("/x")));
  }
  CHECK(eventually([&] { return frames.now == 3; }));
  REQUIRE(gate.wait_for_one());
  server.app().close();
  std::thread opens([&] {
    std::this_thread::sleep_for(20ms);
    gate.open();
  });
  CHECK(server.wait_until_over() == 0);
  opens.join();
  CHECK(frames.now == 0);
  CHECK(called == 1);
}

TEST_CASE("task: offload() has as many threads as was said, one where that is none, and 256 at most") {
  struct Row {
    uint32_t said;
    int threads;
  };
  for (const Row row : {Row{0, 1}, Row{1, 1}, Row{2, 2}, Row{256, 256}, Row{257, 256}, Row{UINT32_MAX, 256}}) {
    CAPTURE(row.said);
    Gate gate;
    std::atomic<int> called = 0, begun = 0;
    TestServer server([&](App& app) {
      app.get("/", [&](Request&, Response& res) -> Task<> {
        res.send("x");  // the next request of the connection comes
        begun++;
        co_await offload([&] { called++, gate.wait(); });
      });
    }, {.app = {.offload_threads = row.said}});
    const int before = threads_of_process();
    Client client(server.port());
    const int calls = row.threads + 20;
    for (int i = 0; i < calls; i++) CHECK(client.get("/").body == "x");
    CHECK(begun == calls);
    CHECK(eventually([&] { return called == row.threads; }));
    if (before) CHECK(threads_of_process() == before + row.threads);
    gate.open();
    CHECK(eventually([&] { return called == calls; }));
  }
}

TEST_CASE("task: 1,024 calls may wait for a thread; the next one is 503, or told so") {
  Gate gate;
  std::atomic<int> begun = 0;
  TestServer server([&](App& app) {
    app.get("/x", [&](Request&) -> Task<std::string> {
      begun++;
      co_return co_await offload([&] { return gate.wait(), std::string("done"); });
    });
    app.get("/tries", [&](Request&) -> Task<std::string> {
      const auto got = co_await try_offload([] { return 7; });
      co_return got ? std::to_string(*got) : std::string("busy");
    });
    app.get("/nothing", [&](Request&) -> Task<std::string> { co_return co_await try_offload([] {}) ? "called" : "busy"; });
  }, {.app = {.offload_threads = 1}});
  Client other(server.port());
  CHECK(other.get("/tries").body == "7");
  CHECK(other.get("/nothing").body == "called");
  std::vector<Client> clients;
  const auto ask = [&] {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().send(get("/x")));
  };
  ask();
  REQUIRE(gate.wait_for_one());
  for (int i = 0; i < 1024; i++) ask();
  CHECK(eventually([&] { return begun == 1025; }));
  CHECK(other.get("/x").status == 503);
  CHECK(other.get("/tries").body == "busy");
  CHECK(other.get("/nothing").body == "busy");
  clients.back().reset();  // one that waits goes
  clients.pop_back();
  CHECK(server.wait_for_connections(1025));
  ask();
  gate.open();
  for (Client& client : clients) CHECK(client.read_response().body == "done");
  CHECK(other.get("/tries").body == "7");
}

TEST_CASE("task: 10,000 tasks sleep at the same time, behind their answers, and end with the App") {
  Frames frames;
  TestServer server([&](App& app) {
    app.get("/", [&](Request&, Response& res) -> Task<> {
      const Count count(frames);
      res.send("x");       // so that the connection goes on
      co_await sleep(1h);
    });
  });
  std::string requests;
  for (int i = 0; i < 100; i++) requests += get("/");
  Client client(server.port());
  for (int i = 0; i < 100; i++) {
    REQUIRE(client.send(requests));
    for (int k = 0; k < 100; k++) REQUIRE(client.read_response().body == "x");
  }
  CHECK(frames.now == 10'000);
  server.app().close();
  CHECK(server.wait_until_over() == 0);
  CHECK(frames.now == 0);
}

TEST_CASE("task: awaiting takes no stack: a long loop, a deep chain, a thousand steps") {
  AppOptions options;
  Server server({.app = options, .host = "127.0.0.1", .stack_bytes = size_t{256} << 10, .workers = 1});
  std::atomic<int> after = 0;
  const Error error = server.start([&](App& app) {
    app.get("/loop", [](Request&) -> Task<std::string> {
      int sum = 0;
      for (int i = 0; i < 100'000; i++) sum += co_await add(i % 2, 0);
      co_return std::to_string(sum);
    });
    app.get("/deep", [](Request&) -> Task<std::string> { co_return std::to_string(co_await deep(5'000)); });
    Router steps;
    for (int i = 0; i < 1'000; i++) {
      steps.use([&](Request&, Response&, Next next) -> Task<> {
        co_await next;
        after++;
      });
    }
    steps.get("/x", [](Request&, Response& res) { res.send("steps"); });
    app.mount("/steps", std::move(steps));
  });
  REQUIRE(!error);
  Client client(server.port());
  CHECK(client.get("/loop").body == "50000");
  CHECK(client.get("/deep").body == "5000");
  CHECK(client.get("/steps/x").body == "steps");
  CHECK(eventually([&] { return after == 1'000; }));
  server.close();
  CHECK(server.wait() == 0);
}

TEST_CASE("task: the Nth allocation fails: 503, or the connection ends, and nothing is left") {
  Frames frames;
  FailingAlloc failing;
  {
    int served = 0, refused = 0;
    for (size_t n = 0; n < 60 && served < 3; n++) {
      TestServer server([&](App& app) {
        app.use([&](Request&, Response&, Next next) -> Task<> {
          const Count count(frames);
          co_await next;
        });
        app.get("/x", [&](Context& c) -> Task<> {
          const Count count(frames);
          co_await sleep(1ms);
          co_await try_offload([] {});
          c.res.send("x");
        });
      });
      Client client(server.port());
      CHECK(client.get("/").status == 404);
      FailingAlloc::left = n;
      const HttpResponse got = client.get("/x", "X-Long: " + std::string(5'000, 'x') + "\r\n");
      FailingAlloc::left = SIZE_MAX;
      served += got.status == 200;
      refused += got.status == 503;
      CHECK((got.status == 200 || got.status == 503 || client.end() != Client::End::open));
      CHECK(eventually([&] { return frames.now == 0; }));
    }
    CHECK(served == 3);
    CHECK(refused > 0);
  }
}

TEST_CASE("task: on a Server everything stays on its worker, and the workers share the pool") {
  std::atomic<int> wrong = 0, threads = 0;
  MultiServer server(3, [&](App& app, uint32_t) {
    app.get("/", [&](Request&) -> Task<std::string> {
      const auto mine = std::this_thread::get_id();
      co_await sleep(1ms);
      wrong += mine != std::this_thread::get_id();
      const auto there = co_await offload([] { return std::this_thread::get_id(); });
      wrong += mine != std::this_thread::get_id() || there == mine;
      threads++;
      co_return "x";
    });
  });
  std::vector<Client> clients;
  for (int i = 0; i < 30; i++) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().send(get("/") + get("/")));
  }
  for (Client& client : clients) {
    CHECK(client.read_response().body == "x");
    CHECK(client.read_response().body == "x");
  }
  CHECK(wrong == 0);
  CHECK(threads == 60);
}

#endif

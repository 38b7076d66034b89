// Handlers of WebSockets that are coroutines: what they are told lasts as long as they do; how they fail, and end when their
// connection does; how many may be at work; waiting for the answer to an event.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/failing_alloc.h"
#include "support/frames.h"
#include "support/gate.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

std::string text_of(std::string_view before, std::string_view after) { return std::string(before).append(after); }

// What was noted on the server's thread.
struct Notes {
  std::mutex mutex;
  std::vector<std::string> all;
  void add(std::string what) {
    const std::lock_guard lock(mutex);
    all.push_back(std::move(what));
  }
  bool has(std::string_view what) {
    const std::lock_guard lock(mutex);
    for (const std::string& one : all) {
      if (one == what) return true;
    }
    return false;
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return all.size();
  }
};

}  // namespace

TEST_CASE("ws tasks: a message is good as long as the coroutine: a small one, a large one, bytes; captures, too") {
  Frames frames;
  TestServer server([&](App& app) {
    app.ws("/", [&frames](WebSocket ws) {
      const std::string captured(100, 'c');
      ws.on_message([&frames, captured](WebSocket from, const Message& message) -> Task<> {
        const Count count(frames);
        co_await sleep(1ms);
        if (message.size() > 100'000) from.send(message);
        else if (message.is_text()) from.send(text_of(captured.substr(0, 2), message.text()));
        else from.send(message.bytes());
      });
    });
  }, {.app = {}});
  WsClient client(server.port());
  CHECK(client.send_text("hello"));
  CHECK(client.reads("cchello"));
  CHECK(client.send_binary("bytes"));
  CHECK(client.reads("bytes", kBinary));
  const std::string large = pattern(900'000);
  CHECK(client.send_binary(large));
  CHECK(client.reads(large, kBinary));
  CHECK(client.send_text(""));
  CHECK(client.reads("cc"));
  CHECK(frames.begun == 4);
  CHECK(eventually([&] { return frames.now == 0; }));
}

TEST_CASE("ws tasks: of a route's handlers, each form; the close handler's goes on when the connection has gone") {
  Notes notes;
  Frames frames;
  TestServer server([&](App& app) {
    WsHandlers handlers;
    handlers.open = [&](WebSocket ws, Request& req) -> Task<> {
      co_await sleep(1ms);
      ws.send(text_of("open ", req.path()).append(" ").append(req.query("q").value_or("")).append(" ").append(req.header("x-field").value_or("")));
    };
    handlers.message = [&](WebSocket ws, const Message& m) -> Task<> {
      co_await sleep(1ms);
      ws.send(m.text());
    };
    handlers.ping = [&](WebSocket ws, std::string_view payload) -> Task<> {
      co_await sleep(1ms);
      ws.send(text_of("ping ", payload));
    };
    handlers.error = [&](WebSocket, const ErrorInfo& error) -> Task<> {
      const Count count(frames);
      co_await sleep(1ms);
      notes.add(text_of("error ", error.message));
    };
    handlers.close = [&](WebSocket ws, const CloseInfo& end) -> Task<> {
      const Count count(frames);
      co_await sleep(5ms);
      const SendStatus status = ws.send("nobody");
      notes.add(text_of("close ", end.reason).append(status == SendStatus::closed ? " closed" : " ?"));
    };
    app.ws("/handlers", std::move(handlers));
  });
  WsClient client(server.port(), "/handlers?q=7", "X-Field: a value that is longer than what fits into a string\r\n");
  CHECK(client.reads("open /handlers 7 a value that is longer than what fits into a string"));
  CHECK(client.echoes("a message"));
  CHECK(client.send(ws_frame(kPing, "abc")));
  CHECK(client.read_frame().is(kPong, "abc"));
  CHECK(client.reads("ping abc"));
  CHECK(client.send_close(1000, "a reason that is longer than what fits into a string"));
  CHECK(client.read_close() == 1000);
  CHECK(eventually([&] { return notes.has("close a reason that is longer than what fits into a string closed"); }));

  WsClient bad(server.port(), "/handlers");
  CHECK(bad.read_message().ok());
  CHECK(bad.send(ws_frame(kText, "unmasked", {.masked = false})));
  CHECK(eventually([&] { return frames.begun == 3 && frames.now <= 1; }));
  CHECK(eventually([&] { return notes.size() >= 2 && frames.now == 0; }));
}

TEST_CASE("ws tasks: a connection's handler, with its request, a clean-up, both, and none when the client went before") {
  Notes notes;
  Frames frames;
  Gate gate;
  TestServer server([&](App& app) {
    app.ws("/room/:name", [&](WebSocket ws, Request& req) -> Task<Cleanup> {
      const Count count(frames);
      const std::string_view name = req.param("name");
      ws.send(text_of("begun ", name));
      co_await sleep(req.query("slow") == "1" ? 10'000ms : 1ms);
      ws.send(text_of("welcome to ", req.param("name")));
      co_return [&notes, name = std::string(req.param("name"))] { notes.add(text_of("left ", name)); };
    });
    app.ws("/two", [&](RouteServer& route) {
      return [&, route](WebSocket ws) -> Task<> {
        co_await sleep(1ms);
        ws.send(text_of("of ", route.pattern()));
      };
    });
  });
  WsClient client(server.port(), "/room/blue");
  CHECK(client.reads("begun blue"));
  CHECK(client.reads("welcome to blue"));
  CHECK(client.close_nicely());
  CHECK(eventually([&] { return notes.has("left blue"); }));
  WsClient slow(server.port(), "/room/red?slow=1");
  CHECK(slow.reads("begun red"));
  CHECK(frames.now == 1);
  CHECK(slow.close_nicely());
  CHECK(eventually([&] { return frames.now == 0; }));
  WsClient two(server.port(), "/two");
  CHECK(two.reads("of /two"));
  CHECK(notes.size() == 1);
}

TEST_CASE("ws tasks: event listeners: views and texts last, replies, listeners that are taken off meanwhile") {
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      const std::string captured = "a capture that is longer than what fits into a string";
      ws.once("one", [captured](WebSocket from, std::string_view text, std::optional<int> n) -> Task<> {
        const std::string_view seen = text;
        from.off("one");
        co_await sleep(2ms);
        from.emit("told", seen, n.value_or(-1), captured);
      });
      ws.on("two", [](const std::string& text, Json doc) -> Task<std::string> {
        co_await sleep(1ms);
        co_return text + doc.dump();
      });
      ws.on("three", [](WebSocket, int n, EventReply reply) -> Task<> {
        co_await sleep(1ms);
        reply(n + 1);
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text(R"({"event":"one","args":["sm\u0041ll"]})"));
  CHECK(client.reads(R"({"event":"told","args":["smAll",-1,"a capture that is longer than what fits into a string"]})"));
  CHECK(client.send_text(R"({"event":"two","args":["a text that is longer than what fits into a string",{"k":[1,2]}],"ack":5})"));
  CHECK(client.reads(R"({"ack":5,"args":["a text that is longer than what fits into a string{\"k\":[1,2]}"]})"));
  CHECK(client.send_text(R"({"event":"three","args":[41],"ack":6})"));
  CHECK(client.reads(R"({"ack":6,"args":[42]})"));
  CHECK(client.send_text(R"({"event":"three","args":["x"],"ack":7})"));
  const WsFrame refused = client.read_message();
  CHECK(refused.payload.find("bad_arguments") != std::string::npos);
}

TEST_CASE("ws tasks: what throws closes with 1011; after the connection it is told only") {
  Notes notes;
  TestServer server([&](App& app) {
    app.on_error([&](const HandlerFailure& failure) { notes.add(std::string(failure.what)); });
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([](WebSocket, const Message&) -> Task<> {
        co_await sleep(1ms);
        throw std::runtime_error("later");
      });
      ws.on_close([](WebSocket, const CloseInfo&) -> Task<> {
        co_await sleep(1ms);
        throw std::runtime_error("too late");
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text("x"));
  CHECK(client.read_close() == 1011);
  CHECK(eventually([&] { return notes.has("later"); }));
  client.tcp.close();
  CHECK(eventually([&] { return notes.has("too late"); }));
}

TEST_CASE("ws tasks: they end where they wait with their connection, and with the App") {
  Frames frames;
  Gate gate;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([&](WebSocket from, const Message& message) -> Task<> {
        const Count count(frames);
        if (message.text() == "sleep") co_await sleep(1h);
        if (message.text() == "work") co_await offload([&] { gate.wait(); });
        if (message.text() == "ask") co_await from.emit_with_ack("q");
        from.send("never");
      });
      ws.every(1h, [&](WebSocket) -> Task<> { co_return; });
    });
  }, {.app = {.offload_threads = 1}});
  {
    WsClient client(server.port());
    for (const char* what : {"sleep", "ask", "work", "work"}) CHECK(client.send_text(what));
    CHECK(client.reads(R"({"event":"q","args":[],"ack":0})"));
    CHECK(gate.wait_for_one());
    CHECK(eventually([&] { return frames.now == 4; }));
    CHECK(client.close_nicely());
  }
  CHECK(eventually([&] { return frames.now == 1; }));  // the one that is called: what it uses lies in its frame
  gate.open();
  CHECK(eventually([&] { return frames.now == 0; }));
  WsClient client(server.port());
  CHECK(client.send_text("sleep"));
  CHECK(eventually([&] { return frames.now == 1; }));
  server.app().close();
  CHECK(server.wait_until_over() == 0);
  client.tcp.close();
  server.stop();
  CHECK(frames.now == 0);
}

TEST_CASE("ws tasks: a drain waits for what close handlers have begun, until its deadline") {
  Frames frames;
  for (const bool in_time : {true, false}) {
    CAPTURE(in_time);
    TestServer server([&](App& app) {
      app.ws("/", [&](WebSocket ws) {
        ws.on_close([&](WebSocket, const CloseInfo&) -> Task<> {
          const Count count(frames);
          co_await sleep(in_time ? 20ms : 3'600'000ms);
        });
      });
    });
    WsClient client(server.port());
    CHECK(client.open());
    server.app().drain({.deadline = in_time ? 10'000ms : 100ms});
    CHECK(client.read_close() == 1001);
    CHECK(client.send_close(1001));
    CHECK(server.wait_until_over() == 0);
    client.tcp.close();
    server.stop();
    CHECK(frames.now == 0);
  }
  CHECK(frames.begun == 2);
}

TEST_CASE("ws tasks: a peer is read no further while 256 of its tasks are at work, and again at half of them") {
  Frames frames;
  std::atomic<bool> open = false;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([&](WebSocket from, const Message& message) -> Task<> {
        const Count count(frames);
        const std::string what(message.text());
        if (what == "ask") co_await from.emit_with_ack("q");
        while (!open) co_await sleep(1ms);
        from.send(what);
      });
    });
  });
  WsClient client(server.port());
  std::string all;
  for (uint32_t i = 0; i < kMaxSocketTasks + 50; i++) all.append(ws_frame(kText, "m"));
  CHECK(client.send(ws_frame(kText, "ask") + all));
  CHECK(client.reads(R"({"event":"q","args":[],"ack":0})"));
  CHECK(eventually([&] { return frames.now == static_cast<int>(kMaxSocketTasks) + 1; }));  // who waits for the peer does not count
  server.turn();
  server.turn();
  CHECK(frames.begun == static_cast<int>(kMaxSocketTasks) + 1);
  open = true;
  for (uint32_t i = 0; i < kMaxSocketTasks + 50; i++) CHECK(client.reads("m"));
  CHECK(frames.begun == static_cast<int>(kMaxSocketTasks) + 51);
  CHECK(client.send_text(R"({"ack":0,"args":[]})"));
  CHECK(client.reads("ask"));
}

TEST_CASE("ws tasks: an answer is awaited: given, late, never asked for; by another connection's task and a request's") {
  Notes notes;
  TestServer server([&](App& app) {
    auto first = std::make_shared<WebSocket>();
    app.ws("/", [&notes, first](WebSocket ws) {
      if (!first->is_open()) *first = ws;
      ws.on("ask", [](WebSocket from, int ms) -> Task<> {
        const AckResult answer = co_await from.emit_with_ack("q", 1).timeout(milliseconds(ms));
        from.emit("was", name_of(answer.status()), answer.text());
      });
      ws.on("other", [&notes, first](WebSocket from) -> Task<> {
        const AckResult answer = co_await first->emit_with_ack("q", 2);
        notes.add(std::string(name_of(answer.status())));
        from.emit("was", name_of(answer.status()));
      });
    });
    app.get("/ask", [first](Request&) -> Task<std::string> {
      const AckResult answer = co_await first->emit_with_ack("q", 3);
      co_return std::string(name_of(answer.status())).append(" ").append(answer.text());
    });
  });
  WsClient client(server.port());
  CHECK(client.send_text(R"({"event":"ask","args":[10000]})"));
  CHECK(client.reads(R"({"event":"q","args":[1],"ack":0})"));
  CHECK(client.send_text(R"({"ack":0,"args":["an answer that is longer than what fits into a string"]})"));
  CHECK(client.reads(R"({"event":"was","args":["ok","\"an answer that is longer than what fits into a string\""]})"));
  CHECK(client.send_text(R"({"event":"ask","args":[1]})"));
  CHECK(client.read_message().ok());
  CHECK(client.reads(R"({"event":"was","args":["timed_out",""]})"));

  Client http(server.port());
  CHECK(http.send("GET /ask HTTP/1.1\r\nHost: t\r\n\r\n"));
  const std::string asked = client.read_message().payload;
  CHECK(asked.find(R"("args":[3])") != std::string::npos);
  CHECK(client.send_text(text_of(R"({"args":[8],)", asked.substr(asked.find("\"ack\"")))));
  CHECK(http.read_response().body == "ok 8");

  WsClient other(server.port());
  CHECK(other.send_text(R"({"event":"other"})"));
  CHECK(client.read_message().ok());
  CHECK(client.close_nicely());
  CHECK(other.reads(R"({"event":"was","args":["closed"]})"));
}

TEST_CASE("ws tasks: an answer is awaited on another worker than the connection's") {
  std::atomic<int> answered = 0;
  std::mutex mutex;
  WebSocket asked;
  MultiServer server(2, [&](App& app, uint32_t worker) {
    app.ws("/w", [&, worker](WebSocket ws) {
      MultiServer::tell(ws, worker);
      ws.on("be-asked", [&](WebSocket from) {
        const std::lock_guard lock(mutex);
        asked = from;
      });
      ws.on("ask", [&](WebSocket from) -> Task<int> {
        WebSocket whom;
        {
          const std::lock_guard lock(mutex);
          whom = asked;
        }
        const AckResult answer = co_await whom.emit_with_ack("q");
        answered += from.is_open() ? 1 : 0;  // a query: on the worker only
        const JsonResult<int> number = answer.get<int>();
        co_return number ? *number : -1;
      });
    });
  });
  WsClient first = server.client_of(0, "/w");
  WsClient second = server.client_of(1, "/w");
  CHECK(first.send_text(R"({"event":"be-asked","ack":1})"));
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return asked != WebSocket();
  }));
  CHECK(second.send_text(R"({"event":"ask","ack":2})"));
  CHECK(first.reads(R"({"event":"q","args":[],"ack":0})"));
  CHECK(first.send_text(R"({"ack":0,"args":[77]})"));
  CHECK(second.reads(R"({"ack":2,"args":[77]})"));
  CHECK(answered == 1);
  CHECK(second.send_text(R"({"event":"ask","ack":3})"));
  CHECK(first.read_message().ok());
  second.tcp.close();  // nobody waits for it any more
  CHECK(first.send_text(R"({"ack":1025,"args":[78]})"));
  CHECK(first.close_nicely());
}

TEST_CASE("ws tasks: steps behind the 101 that decide later, with their request") {
  Notes notes;
  Frames frames;
  TestServer server([&](App& app) {
    app.ws_use([&](WebSocket ws, Request& req, Next next) -> Task<> {
      const Count count(frames);
      co_await sleep(1ms);
      const std::string user(req.query("user").value_or(""));
      if (user == "throws") throw std::runtime_error("step");
      if (user == "nobody") {
        ws.close(CloseCode::policy_violation, "Unauthorized");
        co_return;
      }
      if (user == "never") co_await sleep(1h);
      ws.data<std::string>() = user;
      co_await next;
      co_await sleep(1ms);
      notes.add(text_of("behind ", req.query("user").value_or("")));  // its request is still there
    });
    app.ws_use([&](WebSocket, Request& req, Next next) -> Task<> {
      co_await sleep(1ms);
      if (req.query("user") != "gone") next();
    });
    app.ws("/", [](WebSocket ws, Request& req) -> Task<> {
      co_await sleep(1ms);
      ws.send(text_of("hello ", ws.data<std::string>()).append(" ").append(req.query("user").value_or("")));
    });
  }, {.app = {.handshake_timeout = 300ms}});
  {
    WsClient client(server.port(), "/?user=ann");
    CHECK(client.reads("hello ann ann"));
    CHECK(eventually([&] { return notes.has("behind ann"); }));
    WsClient nobody(server.port(), "/?user=nobody");
    CHECK(nobody.read_close() == 1008);
    WsClient throws(server.port(), "/?user=throws");
    CHECK(throws.read_close() == 1011);
    WsClient never(server.port(), "/?user=never");
    CHECK(never.read_close() == 1008);  // by the handshake's limit
    WsClient gone(server.port(), "/?user=gone");
    CHECK(eventually([&] { return notes.has("behind gone"); }));
  }
  CHECK(eventually([&] { return frames.now == 0; }));
  CHECK(server.wait_for_connections(0));
}

TEST_CASE("ws tasks: after(), every(), post() and an answer's function may be coroutines") {
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.after(1ms, [](WebSocket self) -> Task<> {
        co_await sleep(1ms);
        self.send("after");
        self.post([](WebSocket again) -> Task<> {
          co_await sleep(1ms);
          again.send("posted");
          again.emit_with_ack("q").then([](WebSocket asked, AckResult answer) -> Task<> {
            co_await sleep(1ms);
            asked.send(answer.text());
          });
        });
      });
    });
  });
  WsClient client(server.port());
  CHECK(client.reads("after"));
  CHECK(client.reads("posted"));
  CHECK(client.read_message().ok());
  CHECK(client.send_text(R"({"ack":0,"args":["an answer that is longer than what fits into a string"]})"));
  CHECK(client.reads(R"("an answer that is longer than what fits into a string")"));
}

TEST_CASE("ws tasks: when too much is being worked on, the connection is closed with 1013") {
  Gate gate;
  std::atomic<int> begun = 0;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([&](WebSocket, const Message&) -> Task<> {
        begun++;
        co_await offload([&] { gate.wait(); });
      });
    });
  }, {.app = {.offload_threads = 1}});
  std::vector<std::unique_ptr<WsClient>> clients;
  std::string many;
  for (int i = 0; i < 205; i++) many.append(ws_frame(kText, "x"));
  for (int i = 0; i < 5; i++) {
    clients.push_back(std::make_unique<WsClient>(server.port()));
    CHECK(clients.back()->send(many));
    CHECK(eventually([&] { return begun == 205 * (i + 1); }));
    if (i == 0) CHECK(gate.wait_for_one());
  }
  // One is called, 1,024 wait.
  WsClient late(server.port());
  CHECK(late.send_text("x"));
  CHECK(late.read_close() == 1013);
  CHECK(clients[0]->send(ws_frame(kPing, "")));
  CHECK(clients[0]->read_frame().opcode == kPong);
  gate.open();
}

TEST_CASE("ws tasks: what they keep of messages counts against the receive budget, until they end") {
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws) {
      ws.on_message([](WebSocket from, const Message& message) -> Task<> {
        from.send("begun");
        co_await sleep(1h);
        from.send(message);
      });
      ws.on("event", [](WebSocket from, std::string) -> Task<> {
        from.send("begun");
        co_await sleep(1h);
      });
    });
  }, {.app = {.receive_budget_bytes = 300'000}});
  const std::string message(60'000, 'x');
  for (const bool events : {false, true}) {
    CAPTURE(events);
    const std::string sent = events ? R"({"event":"event","args":[")" + message.substr(100) + "\"]}" : message;
    WsClient client(server.port());
    for (int i = 0; i < 4; i++) {
      CHECK(client.send_text(sent));
      CHECK(client.reads("begun"));
    }
    WsClient other(server.port());
    CHECK(other.send_text(sent));
    CHECK(other.reads("begun"));
    CHECK(client.send_text(sent));
    CHECK(client.read_close() == 1013);
    CHECK(client.send_close(1013));
    CHECK(client.ended());
    CHECK(server.wait_for_stats([](const Stats& s) { return s.open_websockets == 1; }));
    CHECK(other.send_text(sent));
    CHECK(other.reads("begun"));
    CHECK(other.close_nicely());
    CHECK(server.wait_for_connections(0));
  }
}

TEST_CASE("ws tasks: without memory the connection is closed, and nothing stays") {
  FailingAlloc failing;  // before threads start
  Frames frames;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      ws.on_message([&](WebSocket from, const Message& message) -> Task<> {
        const Count count(frames);
        co_await sleep(1ms);
        from.send(message.text());
      });
    });
  });
  bool answered = false;
  for (size_t n = 0; n < 60 && !answered; n++) {
    WsClient client(server.port());
    REQUIRE(client.open());
    server.turn();
    const int begun = frames.begun;
    const size_t failures = FailingAlloc::failures;
    FailingAlloc::left = n;
    CHECK(client.send_text("m"));
    CHECK(eventually([&] { return FailingAlloc::failures > failures || (frames.begun > begun && frames.now == 0); }));
    FailingAlloc::left = SIZE_MAX;
    server.turn();
    client.send_text("again");  // what could not be sent was dropped
    const WsFrame frame = client.read_frame();
    answered = frame.is(kText, "m");
    CHECK((answered || frame.is(kText, "again") || frame.opcode == kClose || frame.opcode == kNothing));
  }
  CHECK(answered);
  CHECK(eventually([&] { return frames.now == 0; }));
}

TEST_CASE("ws tasks: the end of an App waits for what was offloaded, with the request that the task keeps") {
  for (const bool client_goes : {true, false}) {
    CAPTURE(client_goes);
    Frames frames;
    Gate gate;
    TestServer server([&](App& app) {
      app.ws("/", [&](WebSocket ws, Request& req) -> Task<> {
        const Count count(frames);
        co_await offload([&] { gate.wait(); });
        ws.send(req.path());
      });
    }, {.app = {.offload_threads = 1}});
    {
      WsClient client(server.port());
      REQUIRE(client.open());
      CHECK(gate.wait_for_one());
      if (client_goes) CHECK(client.close_nicely());
      server.app().close();
    }
    std::thread opener([&] {
      std::this_thread::sleep_for(20ms);  // by then it waits, mostly
      gate.open();
    });
    CHECK(server.wait_until_over() == 0);
    opener.join();
    server.stop();
    CHECK(frames.now == 0);
  }
}

TEST_CASE("ws tasks: a peer that was sent a Close is read, however many tasks begin after that") {
  std::atomic<bool> open = false;
  std::atomic<int> begun = 0;
  std::atomic<bool> closed = false;
  TestServer server([&](App& app) {
    const auto work = [&](WebSocket) -> Task<> {
      begun++;
      while (!open) co_await sleep(1ms);
    };
    app.ws("/", [&, work](WebSocket ws) {
      ws.on_message([work](WebSocket from, const Message& message) {
        if (message.text() == "begin") return void(from.post(work));
        from.after(1ms, work);
        from.close();
      });
      ws.on_close([&](WebSocket, const CloseInfo& end) { closed = end.cause == CloseCause::local_close; });
    });
  });
  WsClient client(server.port());
  std::string all;
  for (uint32_t i = 1; i < kMaxSocketTasks; i++) all.append(ws_frame(kText, "begin"));
  CHECK(client.send(all + ws_frame(kText, "close")));
  CHECK(client.read_close() == 1000);
  CHECK(eventually([&] { return begun == static_cast<int>(kMaxSocketTasks); }));
  CHECK(client.send_close(1000));
  CHECK(eventually([&] { return closed.load(); }));
  open = true;
}

TEST_CASE("ws tasks: what a step's coroutine does after co_await next comes behind what the handler does at once") {
  TestServer server([&](App& app) {
    app.ws_use([](WebSocket ws, Request& req, Next next) -> Task<> {
      if (req.query("late")) co_await sleep(1ms);
      co_await next;
      ws.send("behind");
    });
    app.ws("/", [](WebSocket ws) { ws.send("open"); });
  });
  for (const char* path : {"/?late=1", "/"}) {
    CAPTURE(path);
    WsClient client(server.port(), path);
    CHECK(client.reads("open"));
    CHECK(client.reads("behind"));
  }
}

TEST_CASE("ws tasks: timers that take no WebSocket may be coroutines; a reply may be a view of a listener's argument") {
  TestServer server([&](App& app) {
    app.ws("/", [](WebSocket ws) {
      ws.after(1ms, [ws]() -> Task<> {
        co_await sleep(1ms);
        ws.send("after");
      });
      ws.on("e", [](std::string text) -> Task<std::string_view> { co_return text; });
    });
  });
  WsClient client(server.port());
  CHECK(client.reads("after"));
  CHECK(client.send_text(R"({"event":"e","args":["a text that is longer than what fits into a string"],"ack":5})"));
  CHECK(client.reads(R"({"ack":5,"args":["a text that is longer than what fits into a string"]})"));
}

TEST_CASE("ws tasks: what a listener or a middleware takes by reference lasts as long as its coroutine") {
  TestServer server([&](App& app) {
    app.use([](Request&, Response& res, const Next& next) -> Task<> {
      co_await sleep(1ms);
      res.set("X-Late", "1");
      next();
    });
    app.get("/", [](Request&) { return "answer"; });
    app.ws("/ws", [](WebSocket ws) {
      ws.on("e", [](const WebSocket& from, const std::string_view& view, const std::string& text, const EventReply& reply) -> Task<> {
        co_await sleep(1ms);
        from.emit("told", view, text);
        reply(1);
      });
    });
  });
  WsClient client(server.port(), "/ws");
  CHECK(client.send_text(R"({"event":"e","args":["a view","a text"],"ack":5})"));
  CHECK(client.reads(R"({"event":"told","args":["a view","a text"]})"));
  CHECK(client.reads(R"({"ack":5,"args":[1]})"));
  Client http(server.port());
  CHECK(http.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n"));
  CHECK(http.read_response().body == "answer");
}

#endif

// Memory that runs out on the application's side of a connection: commands, handlers of a connection, kept requests,
// rooms and audiences. The Nth allocation fails, for every N until none does: what was asked for is refused, everybody
// else is served, and nothing is lost. Over a kernel of our own, so that it is the same each time.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/fake_kernel.h"
#include "support/multi_server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr int kBystander = 1;
constexpr int kGuest = 2;

// An App on a fake kernel, with a bystander who is there before memory gets short.
struct Hall {
  explicit Hall(const std::function<void(App&, Hall&)>& set_up = {}) {
    app.ws("/echo", {.open = [this](WebSocket ws, Request&) { bystander = ws; },
                     .message = [](WebSocket ws, const Message& m) { ws.send(m); }});
    app.ws("/guest", {.open = [this](WebSocket ws, Request&) { guest = ws; },
                      .message = [](WebSocket ws, const Message& m) { ws.send(m); }});
    if (set_up) set_up(app, *this);
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
    kernel.connect(kBystander).sends = ws_request("/echo");
    turn();
    REQUIRE(app.stats().open_websockets == 1);
  }

  void turn(int times = 3) {
    for (int i = 0; i < times; i++) app.poll_once(milliseconds(0));
  }
  std::string heard(int peer) { return kernel.find(peer) ? std::exchange(kernel.find(peer)->got, {}) : std::string(); }
  void says(int peer, std::string_view text) { kernel.find(peer)->sends += ws_frame(kText, text); }
  // A guest comes, with memory enough; then it is as short as before.
  void let_guest_in() {
    const size_t left = FailingAlloc::left;
    FailingAlloc::left = SIZE_MAX;
    kernel.connect(kGuest).sends = ws_request("/guest");
    turn();
    heard(kGuest);
    FailingAlloc::left = left;
  }
  // Whether everybody who was there is served as before.
  bool serves() {
    heard(kBystander);
    says(kBystander, "are you there");
    turn();
    return heard(kBystander).ends_with("are you there");
  }

  FakeKernel kernel;
  WebSocket bystander, guest;
  App app;
};

// Runs `act` in a new hall each time, with the first `n` allocations of it succeeding, for n = 0, 1, 2, … until all do.
// Answers how many it needs. `act` tells what it did by itself; afterwards the hall must serve.
size_t with_failures(const std::function<void(App&, Hall&)>& set_up, const std::function<void(Hall&)>& act) {
  for (size_t n = 0;; n++) {
    REQUIRE(n < 200);
    CAPTURE(n);
    FailingAlloc memory;
    bool was_short = false;
    {
      Hall hall(set_up);
      FailingAlloc::left = n;
      act(hall);
      was_short = FailingAlloc::left == 0;
      FailingAlloc::left = SIZE_MAX;
      CHECK(hall.serves());
    }
    CHECK(FailingAlloc::held == 0);
    if (!was_short) return n;
  }
}

}  // namespace

TEST_CASE("memory out: a WebSocket that cannot be kept track of is refused or closed, never deaf") {
  const size_t needed = with_failures(
      [](App& app, Hall&) {
        app.ws("/own", [](WebSocket ws, Request&) {
          ws.on_message([](WebSocket from, const Message& m) { from.send(m); });
          ws.on_close([](WebSocket, const CloseInfo&) {});
          ws.on_error([](WebSocket, const ErrorInfo&) {});
          ws.on_drain([](WebSocket) {});
        });
      },
      [](Hall& hall) {
        hall.kernel.connect(kGuest).sends = ws_request("/own") + ws_frame(kText, "hello");
        hall.turn();
        const std::string heard = hall.heard(kGuest);
        const bool refused = heard.find(" 503 ") != std::string::npos;
        const bool closed = heard.find("\x03\xf5") != std::string::npos;  // 1013
        const bool cut = hall.kernel.find(kGuest)->closed && heard.find(" 200 ") == std::string::npos;
        CHECK((heard.ends_with("hello") || refused || closed || cut));
      });
  CHECK(needed >= 5);
}

TEST_CASE("memory out: a listener of events that cannot be kept closes the connection, and who waits for an answer is told") {
  int told = 0, opened = 0;
  const size_t needed = with_failures(
      [&](App& app, Hall&) {
        app.ws("/own", [&](WebSocket ws, Request&) {
          opened++;
          for (const char* name : {"a", "b", "c", "d", "e", "f"}) ws.on(name, [](WebSocket from, std::string text) { from.emit("said", text); });
          ws.emit_with_ack("q").timeout(milliseconds(1000)).then([&](WebSocket, AckResult) { told++; });
        });
      },
      [](Hall& hall) {
        hall.kernel.connect(kGuest).sends = ws_request("/own") + ws_frame(kText, R"({"event":"f","args":["hello"]})");
        hall.turn();
        const std::string heard = hall.heard(kGuest);
        const bool refused = heard.find(" 503 ") != std::string::npos;
        const bool closed = heard.find("\x03\xf5") != std::string::npos;  // 1013
        const bool cut = hall.kernel.find(kGuest)->closed && heard.find(" 200 ") == std::string::npos;
        CHECK((heard.ends_with(R"({"event":"said","args":["hello"]})") || refused || closed || cut));
      });
  CHECK(needed >= 10);
  CHECK(told <= opened);
  CHECK(told > 0);
}

TEST_CASE("memory out: an answer whose fields do not fit is none, or whole") {
  for (size_t bytes = 180; bytes < 256; bytes += 5) {  // the first block of fields has 256
    CAPTURE(bytes);
    const size_t needed = with_failures(
        [bytes](App& app, Hall&) {
          app.use([bytes](Request&, Response& res, Next next) {
            res.set("X-Long", std::string(bytes, 'x'));
            next();
          });
          app.get("/here", [](Request&, Response& res) { res.send("here"); });
          app.post("/here", [](Request&, Response& res) { res.send("here"); });
        },
        [](Hall& hall) {
          hall.kernel.connect(kGuest).sends = "PUT /here HTTP/1.1\r\nHost: t\r\n\r\n";
          hall.turn();
          const std::string heard = hall.heard(kGuest);
          const bool whole = heard.starts_with("HTTP/1.1 405 ") && heard.find("\r\nAllow: OPTIONS, GET, HEAD, POST\r\n") != std::string::npos;
          CHECK((whole || (heard.empty() && hall.kernel.find(kGuest)->closed)));
        });
    CHECK(needed >= 2);
  }
}

TEST_CASE("memory out: a room that cannot be entered, and a message that cannot be published") {
  const size_t needed = with_failures({}, [](Hall& hall) {
    hall.app.post([&hall] {
      const Room room = hall.bystander.join("a room with a name that is longer than any small string");
      const SendStatus status = hall.app.to(room).send("to the room");
      CHECK((room.ok() ? status == SendStatus::ok || status == SendStatus::dropped : status == SendStatus::closed));
      hall.bystander.leave("another that it is not in");
    });
    hall.turn();
    const std::string heard = hall.heard(kBystander);
    CHECK((heard.empty() || heard.ends_with("to the room") || heard.ends_with("\r\n\r\n")));
  });
  CHECK(needed >= 3);
}

TEST_CASE("memory out: a filter that cannot be kept, and a topic whose receivers cannot be put together") {
  const size_t needed = with_failures({}, [](Hall& hall) {
    hall.app.post([&hall] {
      const bool first = hall.bystander.subscribe("a filter/+/that is longer than any small string") == SubscribeStatus::ok;
      const bool second = hall.bystander.subscribe("a literal filter that is longer than any small string") == SubscribeStatus::ok;
      const SendStatus one = hall.app.publish("a filter/with/that is longer than any small string", "1");
      const SendStatus two = hall.app.publish("a literal filter that is longer than any small string", "2");
      const SendStatus nobody = hall.app.publish("nobody's", "3");
      CHECK((first ? one == SendStatus::ok || one == SendStatus::dropped : one == SendStatus::closed || one == SendStatus::dropped));
      CHECK((second ? two == SendStatus::ok || two == SendStatus::dropped : two == SendStatus::closed || two == SendStatus::dropped));
      CHECK((nobody == SendStatus::closed || nobody == SendStatus::dropped));
      hall.bystander.unsubscribe("a literal filter that is longer than any small string");
      CHECK(hall.app.publish("a literal filter that is longer than any small string", "4") != SendStatus::ok);
    });
    hall.turn();
    const std::string heard = hall.heard(kBystander);
    CHECK((heard.empty() || heard.back() == '1' || heard.back() == '2' || heard.ends_with("\r\n\r\n")));
  });
  CHECK(needed >= 8);
}

TEST_CASE("memory out: commands of another thread say what became of them") {
  std::vector<SendStatus> statuses;
  const size_t needed = with_failures({}, [&](Hall& hall) {
    statuses.clear();
    hall.let_guest_in();
    std::thread([&] {
      const WebSocket ws = hall.guest;
      statuses.push_back(ws.send(std::string_view("a text")));
      statuses.push_back(ws.send(SharedFrame::text("a frame")));
      statuses.push_back(ws.broadcast("to the route"));
      ws.join("den");
      statuses.push_back(ws.to("den").send("to the den"));
      statuses.push_back(hall.app.to("den").except(WebSocket()).send("to all in the den"));
      ws.on_ping([](WebSocket, std::string_view) {});
      ws.leave("den");
      statuses.push_back(ws.ping("ping"));
      hall.app.post([] {});
    }).join();
    for (const SendStatus status : statuses) CHECK((status == SendStatus::posted || status == SendStatus::dropped));
    hall.turn();
    const std::string heard = hall.heard(kGuest);
    if (FailingAlloc::left > 0) CHECK(heard.find("a text") != std::string::npos);
    if (statuses[0] == SendStatus::dropped) CHECK(heard.find("a text") == std::string::npos);
  });
  CHECK(needed >= 12);
  for (const SendStatus status : statuses) CHECK(status == SendStatus::posted);
}

TEST_CASE("memory out: a close from another thread arrives, if need be without its reason") {
  with_failures({}, [](Hall& hall) {
    hall.let_guest_in();
    std::thread([&] { hall.guest.close(static_cast<CloseCode>(4000), "a reason"); }).join();
    hall.turn();
    const std::string heard = hall.heard(kGuest);
    CHECK((heard.empty() || heard.find("\x0f\xa0") != std::string::npos));
  });
}

TEST_CASE("memory out: a WebSocket whose Close cannot be kept ends at once, not when the peer's answer is overdue") {
  FailingAlloc memory;
  Hall hall;
  FailingAlloc::left = 0;
  hall.app.drain({.deadline = std::chrono::minutes(1)});
  hall.turn();
  const bool ended = hall.kernel.find(kBystander)->closed;
  FailingAlloc::left = SIZE_MAX;
  CHECK(FailingAlloc::failures > 0);
  CHECK(ended);
  CHECK(hall.app.stats().open_websockets == 0);
}

TEST_CASE("memory out: drain, close_all and close of another thread are not lost") {
  FailingAlloc memory;
  const auto from_another_thread = [](const auto& act) {
    std::thread([&] {
      FailingAlloc::left = 0;
      act();
      act();  // the first one is on its way still
      FailingAlloc::left = SIZE_MAX;
    }).join();
  };
  {
    Hall hall;
    from_another_thread([&] { hall.app.close_all(static_cast<CloseCode>(4001), "a reason"); });
    hall.turn();
    CHECK(hall.heard(kBystander).ends_with("\x88\x02\x0f\xa1"));
    hall.let_guest_in();
    from_another_thread([&] { hall.app.close_all(static_cast<CloseCode>(4002), ""); });  // and may be given again
    hall.turn();
    CHECK(hall.heard(kGuest).ends_with("\x88\x02\x0f\xa2"));
  }
  {
    Hall hall;
    from_another_thread([&] { hall.app.drain({.deadline = std::chrono::minutes(1), .notice = "soon"}); });
    hall.turn();
    CHECK(hall.heard(kBystander).find("\x03\xe9") != std::string::npos);
    CHECK(hall.app.poll_once(milliseconds(0)));
    from_another_thread([&] { hall.app.close(); });
    CHECK_FALSE(hall.app.poll_once(milliseconds(0)));
    from_another_thread([&] { hall.app.close(); });  // nobody hears it
  }
  CHECK(FailingAlloc::held == 0);
}

// Worker 0 tells worker 1 by the lane between them, the Server by the inboxes.
TEST_CASE("memory out: a drain reaches all workers of a Server") {
  for (const bool by_a_worker : {true, false}) {
    CAPTURE(by_a_worker);
    FailingAlloc memory;
    {
      MultiServer server(2, [](App& app, uint32_t worker) {
        app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); }});
      });
      WsClient other = server.client_of(1, "/w");
      const DrainOptions how{.notice = "a notice that there is no memory for, and that is longer than a small string"};
      const auto drain = [&how](const auto& whom) {
        FailingAlloc::none_here = true;  // who is told has memory for what it says to its peers
        whom(how);
        FailingAlloc::none_here = false;
      };
      if (by_a_worker) {
        server.on_worker(0, [&](App& app) { drain([&](const DrainOptions& options) { app.drain(options); }); });
      } else {
        drain([&](const DrainOptions& options) { server.server().drain(options); });
      }
      CHECK(FailingAlloc::failures > 0);
      CHECK(other.read_close() == 1001);
      other.tcp.close();
      CHECK(server.wait_until_over() == 0);
    }
    CHECK(FailingAlloc::held == 0);
  }
}

TEST_CASE("memory out: an answer from another thread is whole, a 503, or none") {
  std::vector<Response> kept;
  const size_t needed = with_failures(
      [&](App& app, Hall&) {
        app.get("/later", [&](Request&, Response& res) { kept.push_back(res.defer()); });
      },
      [&](Hall& hall) {
        const size_t left = FailingAlloc::left;
        FailingAlloc::left = SIZE_MAX;
        hall.kernel.connect(kGuest).sends = "GET /later HTTP/1.1\r\nHost: x\r\n\r\n";
        hall.turn();
        REQUIRE(kept.size() == 1);
        FailingAlloc::left = left;
        std::thread([&] { kept[0].status(201).set("X-Name", "a value that is not short").send("a body"); }).join();
        kept.clear();
        hall.turn();
        const std::string heard = hall.heard(kGuest);
        CHECK((heard.empty() || heard.ends_with("a body") || heard.starts_with("HTTP/1.1 503 ")));
      });
  CHECK(needed >= 4);
}

TEST_CASE("memory out: output that cannot be kept ends its connection, for that cause") {
  FailingAlloc memory;
  std::vector<CloseCause> told;
  Hall hall([&](App& app, Hall&) {
    app.ws("/told", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
                     .error = [&](WebSocket, const ErrorInfo& error) { told.push_back(error.cause); },
                     .close = [&](WebSocket, const CloseInfo& why) { told.push_back(why.cause); }});
  });
  hall.kernel.connect(kGuest).sends = ws_request("/told");
  hall.turn();
  hall.kernel.find(kGuest)->takes = 0;
  FailingAlloc::left = 0;
  hall.says(kGuest, std::string(40'000, 'x'));
  hall.turn();
  FailingAlloc::left = SIZE_MAX;
  CHECK(told == std::vector<CloseCause>{CloseCause::out_of_memory, CloseCause::out_of_memory});
  CHECK(hall.serves());
}

TEST_CASE("memory out: a connection that fails with nothing left to say has its sending side shut at once") {
  FailingAlloc memory;
  Hall hall;
  hall.let_guest_in();
  hall.app.post([&] { hall.guest.close(); });
  hall.turn();
  REQUIRE(!hall.heard(kGuest).empty());
  CHECK_FALSE(hall.kernel.find(kGuest)->server_ended);  // the peer's Close is waited for
  hall.app.post([&] {
    FailingAlloc::left = 0;
    hall.guest.on_message([](WebSocket, const Message&) {});
    FailingAlloc::left = SIZE_MAX;
  });
  hall.turn();
  CHECK(hall.kernel.find(kGuest)->server_ended);
  CHECK(hall.serves());
}

TEST_CASE("memory out: an answer that finds no memory ends the connection, and is no failure of the handler") {
  FailingAlloc memory;
  bool sent = false;
  Hall hall([&](App& app, Hall&) {
    app.get("/large", [&](Request&, Response& res) {
      const std::string body(1'000'000, 'x');
      FailingAlloc::left = 0;
      res.send(body);
      sent = res.sent();
      FailingAlloc::left = SIZE_MAX;
    });
  });
  hall.kernel.connect(kGuest).sends = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  hall.turn();
  CHECK(sent);
  CHECK(hall.heard(kGuest).empty());
  CHECK(hall.kernel.find(kGuest)->closed);
  CHECK(hall.app.stats().handler_failures == 0);
  CHECK(hall.serves());
}

TEST_CASE("memory out: a field of a response that does not fit is no half line that later ones run into") {
  for (const std::string_view later : {"X-Third", "X-Second"}) {
    CAPTURE(later);
    FailingAlloc memory;
    Hall hall([later](App& app, Hall&) {
      app.get("/fields", [later](Request&, Response& res) {
        res.set("X-First", std::string(200, 'a'));
        FailingAlloc::left = 0;
        res.set("X-Second", std::string(300, 'b')).set(later, "c").send("half");
        FailingAlloc::left = SIZE_MAX;
      });
    });
    hall.kernel.connect(kGuest).sends = "GET /fields HTTP/1.1\r\nHost: x\r\n\r\n";
    hall.turn();
    CHECK(hall.heard(kGuest).empty());
    CHECK(hall.kernel.find(kGuest)->closed);
    CHECK(hall.serves());
  }
}

#endif  // MARTLET_SYS_EPOLL

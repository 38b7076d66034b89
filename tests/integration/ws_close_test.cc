// How a WebSocket ends: the close handshake from both sides, codes and reasons, every cause that CloseInfo can tell, and
// the close handler running exactly once whatever happens.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

struct Route {
  WsEvents events = {};
  TestServer server;

  explicit Route(WsOptions options = {}, TestServerOptions server_options = {})
      : server([&](App& app) { app.ws("/", events.handlers(std::move(options))); }, std::move(server_options)) {}
  // `act` on the connection for each message, instead of the echo.
  template <typename Act>
  explicit Route(Act act, WsOptions options = {}, TestServerOptions server_options = {})
    requires std::is_invocable_v<Act, WebSocket, const Message&>
      : server(
            [&](App& app) {
              WsHandlers handlers = events.handlers(std::move(options));
              handlers.message = act;
              app.ws("/", std::move(handlers));
            },
            std::move(server_options)) {}
};

}  // namespace

TEST_CASE("ws close: by the peer, every code that may be sent is answered in kind and told") {
  Route route;
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
    CAPTURE(code);
    route.events.clear();
    WsClient client(route.server.port());
    REQUIRE(client.send_close(static_cast<uint16_t>(code), "I go, \xE2\x98\x83"));
    const WsFrame close = client.read_frame();
    CHECK(close.opcode == kClose);
    CHECK(close.close_code() == code);
    CHECK(client.ended());
    CHECK(client.tcp.end() == Client::End::eof);
    CHECK(route.events.closed_with(CloseCause::peer_close, static_cast<CloseCode>(code)));
    CHECK(route.events.only_close().reason == "I go, \xE2\x98\x83");
  }
}

TEST_CASE("ws close: by the peer without a code, and with the longest reason") {
  Route route;
  WsClient client(route.server.port());
  REQUIRE(client.send(ws_frame(kClose, "")));
  CHECK(client.read_frame().is(kClose, ""));
  CHECK(client.ended());
  CHECK(route.events.closed_with(CloseCause::peer_close, CloseCode::no_status));
  CHECK(route.events.only_close().reason.empty());
  route.events.clear();
  WsClient other(route.server.port());
  REQUIRE(other.send_close(1000, std::string(123, 'r')));
  CHECK(other.read_close() == 1000);
  CHECK(route.events.only_close().reason == std::string(123, 'r'));
}

TEST_CASE("ws close: what comes before the peer's Close is handled, what comes behind it is not") {
  Route route;
  WsClient client(route.server.port());
  REQUIRE(client.send(ws_frame(kText, "before") + ws_frame(kClose, close_payload(1000)) + ws_frame(kText, "behind") +
                      ws_frame(kPing, "behind") + ws_frame(kClose, "")));
  CHECK(client.reads("before"));
  CHECK(client.read_frame().is(kClose, close_payload(1000)));
  CHECK(client.ended());
  CHECK(route.events.closed_with(CloseCause::peer_close, CloseCode::normal));
  CHECK(route.events.messages() == std::vector<std::string>{"before"});
}

TEST_CASE("ws close: by us, what was sent before arrives before it, and nothing after it") {
  Route route([](WebSocket ws, const Message&) {
    CHECK(ws.send("one") == SendStatus::ok);
    ws.close(static_cast<CloseCode>(4321), "enough");
    CHECK(ws.ready_state() == ReadyState::closing);
    CHECK(ws.send("two") == SendStatus::closed);
    CHECK(ws.ping("two") == SendStatus::closed);
    ws.close(CloseCode::internal_error, "again");
  });
  WsClient client(route.server.port());
  REQUIRE(client.send_text("go"));
  CHECK(client.reads("one"));
  CHECK(client.read_frame().is(kClose, close_payload(4321, "enough")));
  CHECK(client.tcp.stays_silent(20ms));  // the TCP connection is open until the peer has answered
  CHECK(route.events.closes().empty());
  REQUIRE(client.send(ws_frame(kText, "too late") + ws_frame(kClose, close_payload(1000, "your reason"))));
  CHECK(client.ended());
  CHECK(route.events.closed_with(CloseCause::local_close, static_cast<CloseCode>(4321)));
  CHECK(route.events.only_close().reason == "enough");
}

TEST_CASE("ws close: codes that may not be sent become 1000, long reasons are cut between characters") {
  std::string euros;
  for (int i = 0; i < 100; i++) euros += "\xE2\x82\xAC";
  Route route([&](WebSocket ws, const Message& msg) {
    ws.close(static_cast<CloseCode>(std::stoi(std::string(msg.text()))), euros);
  });
  for (const char* code : {"0", "999", "1004", "1005", "1006", "1015", "2999", "5000", "65535"}) {
    CAPTURE(code);
    WsClient client(route.server.port());
    REQUIRE(client.send_text(code));
    const WsFrame close = client.read_frame();
    CHECK(close.close_code() == 1000);
    CHECK(close.close_reason() == euros.substr(0, 123));
  }
}

TEST_CASE("ws close: close() alone is 1000 without a reason, and a code alone has none either") {
  Route route([](WebSocket ws, const Message& msg) {
    if (msg.size() == 0) return ws.close();
    ws.close(CloseCode::policy_violation);
  });
  for (const uint16_t code : {1000, 1008}) {
    CAPTURE(code);
    route.events.clear();
    WsClient client(route.server.port());
    REQUIRE(client.send_text(code == 1000 ? "" : "go"));
    CHECK(client.read_frame().is(kClose, close_payload(code)));
    REQUIRE(client.send_close(code));
    CHECK(client.ended());
    CHECK(route.events.closed_with(CloseCause::local_close, static_cast<CloseCode>(code)));
    CHECK(route.events.only_close().reason.empty());
  }
}

TEST_CASE("ws close: a reason with a picture in it arrives whole, and is never cut inside of one") {
  const std::string lock = "\xF0\x9F\x94\x92";  // four bytes
  Route route([&](WebSocket ws, const Message& msg) {
    ws.close(CloseCode::policy_violation, std::string(msg.text()).append(lock).append(" Authentication required"));
  });
  const auto reason = [&](size_t before) {
    WsClient client(route.server.port());
    REQUIRE(client.send_text(std::string(before, 'x')));
    const WsFrame close = client.read_frame();
    CHECK(close.close_code() == 1008);
    return std::string(close.close_reason().substr(before));
  };
  CHECK(reason(0) == lock + " Authentication required");
  CHECK(reason(119) == lock);
  for (const size_t before : {120u, 121u, 122u, 123u}) CHECK(reason(before).empty());
}

TEST_CASE("ws close: both at once is ours, and ends well") {
  Route route([](WebSocket ws, const Message&) { ws.close(static_cast<CloseCode>(4000), "ours"); });
  WsClient client(route.server.port());
  REQUIRE(client.send(ws_frame(kText, "go") + ws_frame(kClose, close_payload(1001, "theirs"))));
  CHECK(client.read_frame().is(kClose, close_payload(4000, "ours")));
  CHECK(client.ended());
  CHECK(route.events.closed_with(CloseCause::local_close, static_cast<CloseCode>(4000)));
}

TEST_CASE("ws close: a peer that does not answer our Close is ended after close_timeout") {
  TestServerOptions options;
  options.app.close_timeout = 100ms;
  Route route([](WebSocket ws, const Message&) { ws.close(CloseCode::going_away); }, {}, options);
  WsClient client(route.server.port());
  REQUIRE(client.send_text("go"));
  CHECK(client.read_close() == 1001);
  const auto start = Clock::now();
  CHECK(client.ended());
  CHECK(Clock::now() - start > 50ms);
  CHECK(Clock::now() - start < 5s);
  CHECK(route.events.closed_with(CloseCause::close_timeout, CloseCode::going_away));
}

TEST_CASE("ws close: the end of the TCP connection without a Close is 1006") {
  Route route;
  for (const std::string& last : {std::string(), ws_frame(kText, "whole"), ws_frame(kText, "half").substr(0, 8),
                                  ws_frame(kBinary, "x", {.announced = 100'000}), std::string("\x81")}) {
    route.events.clear();
    WsClient client(route.server.port());
    REQUIRE(client.send(last));
    client.tcp.shutdown_sending();
    CHECK(client.tcp.read_to_end());
    CHECK(route.events.closed_with(CloseCause::peer_eof, CloseCode::abnormal));
  }
}

TEST_CASE("ws close: a broken TCP connection is peer_reset") {
  Route route;
  WsClient client(route.server.port());
  REQUIRE(client.echoes("hello"));
  client.tcp.reset();
  CHECK(route.events.closed_with(CloseCause::peer_reset, CloseCode::abnormal));
}

TEST_CASE("ws close: abort ends the TCP connection without a Close") {
  std::atomic<int> closes_inside{0};
  Route route([&](WebSocket ws, const Message&) {
    ws.send("lost");
    ws.abort();
    closes_inside = static_cast<int>(route.events.closes().size());
    CHECK(ws.ready_state() == ReadyState::closed);
    CHECK(ws.send("x") == SendStatus::closed);
    CHECK(ws.ping() == SendStatus::closed);
    CHECK(ws.send(SharedFrame::text("x")) == SendStatus::closed);
    ws.close();
    ws.abort();
  });
  WsClient client(route.server.port());
  REQUIRE(client.send_text("go"));
  CHECK(client.read_close() == 0);
  CHECK(client.tcp.end() != Client::End::open);
  CHECK(route.events.closed_with(CloseCause::local_close, CloseCode::abnormal));
  CHECK(closes_inside.load() == 0);
}

TEST_CASE("ws close: a write without progress is ended after write_timeout") {
  TestServerOptions options;
  options.app.write_timeout = 150ms;
  const std::string large(16_MiB, 'x');
  Route route([&](WebSocket ws, const Message&) { ws.send(large); }, {}, options);
  WsClient client(route.server.port(), "/", {}, {.receive_buffer_bytes = 4096});
  REQUIRE(client.send_text("go"));
  CHECK(route.events.closed_with(CloseCause::write_timeout, CloseCode::abnormal));
}

TEST_CASE("ws close: a write that goes on slowly is not ended by write_timeout") {
  TestServerOptions options;
  options.app.write_timeout = 250ms;
  const std::string large(8_MiB, 'x');
  Route route([&](WebSocket ws, const Message&) { ws.send(large); }, {}, options);
  WsClient client(route.server.port(), "/", {}, {.receive_buffer_bytes = 4096});
  REQUIRE(client.send_text("go"));
  const auto start = Clock::now();
  size_t got = 0;
  while (got < large.size() + 10 && client.tcp.read_bytes(1)) {
    got += client.tcp.take(client.tcp.in().size()).size();
    if (Clock::now() - start < 700ms) std::this_thread::sleep_for(5ms);
  }
  CHECK(got == large.size() + 10);
  CHECK(route.events.closes().empty());
}

TEST_CASE("ws close: a drain says 1001 to all, and their cause is drain") {
  Route route;
  std::vector<WsClient> clients;
  for (int i = 0; i < 5; i++) clients.emplace_back(route.server.port());
  REQUIRE(clients[0].echoes("hello"));
  route.server.app().drain();
  for (WsClient& client : clients) {
    CHECK(client.read_close() == 1001);
    CHECK(client.send_close(1001));
    CHECK(client.ended());
  }
  CHECK(route.server.wait_until_over() == 0);
  const auto closes = route.events.closes();
  CHECK(closes.size() == 5);
  for (const auto& closed : closes) {
    CHECK(closed.cause == CloseCause::drain);
    CHECK(closed.code == CloseCode::going_away);
  }
}

TEST_CASE("ws close: a drain cuts those who do not answer at its deadline") {
  Route route;
  WsClient client(route.server.port());
  REQUIRE(client.echoes("hello"));
  route.server.app().drain({.deadline = 100ms});
  CHECK(client.read_close() == 1001);
  CHECK(route.server.wait_until_over() == 0);
  CHECK(route.events.closed_with(CloseCause::drain, CloseCode::going_away));
}

TEST_CASE("ws close: App::close ends all at once, each close handler runs, and no peer is blamed") {
  Route route;
  std::vector<WsClient> clients;
  for (int i = 0; i < 5; i++) clients.emplace_back(route.server.port());
  for (WsClient& client : clients) REQUIRE(client.echoes("hello"));
  route.server.app().close();
  CHECK(route.server.wait_until_over() == 0);
  const auto closes = route.events.closes();
  CHECK(closes.size() == 5);
  for (const auto& closed : closes) {
    CAPTURE(std::string(name_of(closed.cause)));
    CHECK((closed.cause == CloseCause::local_close || closed.cause == CloseCause::drain));
    CHECK(closed.code == CloseCode::abnormal);
  }
}

TEST_CASE("ws close: what is queued for a slow reader arrives before our Close, and before the answer to its own") {
  const std::string large = pattern(3'000'000);
  Route route([&](WebSocket ws, const Message& msg) {
    ws.send(large);
    if (msg.text() == "close") ws.close(static_cast<CloseCode>(4001));
  });
  for (const bool ours : {true, false}) {
    CAPTURE(ours);
    route.events.clear();
    WsClient client(route.server.port(), "/", {}, {.receive_buffer_bytes = 8192});
    REQUIRE(client.send_text(ours ? "close" : "stay"));
    if (!ours) REQUIRE(client.send_close(4001));
    std::this_thread::sleep_for(20ms);
    CHECK(client.reads(large));
    CHECK(client.read_close() == 4001);
    if (ours) REQUIRE(client.send_close(4001));
    CHECK(client.ended());
    CHECK(route.events.closed_with(ours ? CloseCause::local_close : CloseCause::peer_close, static_cast<CloseCode>(4001)));
  }
}

namespace {

// One of many ways in which a connection can end.
void end_somehow(WsClient& client, uint32_t way) {
  switch (way % 8) {
    case 0: client.send_close(1000); break;
    case 1: client.tcp.shutdown_sending(); break;
    case 2: client.tcp.reset(); break;
    case 3: client.tcp.close(); break;
    case 4: client.send_text("close"); break;
    case 5: client.send_text("abort"); break;
    case 6: client.send(ws_frame(7, "broken")); break;
    case 7: client.send_text("throw"); break;
  }
}

void obey(WebSocket ws, const Message& msg) {
  if (msg.text() == "close") ws.close();
  if (msg.text() == "abort") ws.abort();
  if (msg.text() == "throw") throw std::runtime_error("asked to");
  ws.send(msg);
}

}  // namespace

TEST_CASE("ws close: the close handler runs exactly once in every kind of ending") {
  std::atomic<int> opened{0};
  std::atomic<int> late{0};
  WsEvents events;
  TestServer server([&](App& app) {
    app.on_error([](const HandlerFailure&) {});
    WsHandlers handlers = events.handlers();
    handlers.message = obey;
    handlers.close = [&](WebSocket ws, const CloseInfo& why) {
      events.add_close(ws, why);
      ws.on_message([&](WebSocket, const Message&) { late++; });
      ws.close();
      ws.abort();
    };
    handlers.open = [&](WebSocket, Request&) { opened++; };
    app.ws("/", std::move(handlers));
  });
  std::mt19937 random(3);
  for (int round = 0; round < 6; round++) {
    std::vector<WsClient> clients;
    for (int i = 0; i < 40; i++) clients.emplace_back(server.port());
    for (WsClient& client : clients) end_somehow(client, static_cast<uint32_t>(random()));
    for (WsClient& client : clients) {
      if (random() % 2) end_somehow(client, static_cast<uint32_t>(random()));
    }
  }
  CHECK(server.wait_for_connections(0));
  std::set<WebSocket> different;
  for (const auto& closed : events.closes()) different.insert(closed.socket);
  CHECK(events.closes().size() == static_cast<size_t>(opened.load()));
  CHECK(different.size() == static_cast<size_t>(opened.load()));
  CHECK(opened.load() == 240);
  CHECK(late.load() == 0);
  CHECK(server.stats().open_websockets == 0);
}

// Rooms with memory at their edges: where there is no place for one more, what is not remembered, order across kinds of sending,
// age, and work that is done in pieces.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Routes "/<name>", whose connections join "lobby", and obey "leave", "join" and "echo".
void add_lobby(App& app) {
  WsHandlers handlers;
  handlers.open = [](WebSocket ws, Request& req) {
    ws.metadata()["name"] = req.param("name");
    ws.join("lobby");
  };
  handlers.message = [](WebSocket ws, const Message& m) {
    if (m.text() == "leave") ws.leave("lobby");
    else if (m.text() == "join") ws.join("lobby");
    else ws.send(m.text());
  };
  app.ws("/:name", std::move(handlers));
}

std::string name_of(WebSocket ws) { return std::string(ws.metadata()["name"].text_or("")); }

// Reads until this has come; what came before it.
std::vector<std::string> read_until(WsClient& client, std::string_view last) {
  std::vector<std::string> all;
  for (WsFrame frame = client.read_message(); frame.ok() && frame.payload != last; frame = client.read_message()) all.push_back(frame.payload);
  return all;
}

}  // namespace

// Presence ------------------------------------------------------------------------------------------------------------

TEST_CASE("presence: who comes when there is no place is counted and told of, and shown when somebody has gone, on all workers") {
  Presence presence;
  std::atomic<int> said = 0;
  set_log_sink([&](LogLevel level, std::string_view line) {
    said += level == LogLevel::warn && line == "presence: a member is not shown, as there is no place for one more: lobby";
  });
  MultiServer server(3, [&](App& app, uint32_t worker) {
    app.history("lobby", {.keys = 2});
    const Presence made = app.presence("lobby", [](WebSocket ws) { return Json{{"is", name_of(ws)}}; },
                                       {.grace = milliseconds(0), .identify = [](WebSocket ws) { return name_of(ws); }});
    if (worker == 0) presence = made;
    add_lobby(app);
  });
  const auto state = [&] {
    return server.on_worker(0, [&](App&) { return std::to_string(presence.size()) + " " + std::to_string(presence.hidden()) + " " + presence.list().dump(); });
  };
  std::vector<WsClient> clients;
  for (uint32_t i = 0; i < 4; i++) {
    const std::string shown = std::to_string(i < 2 ? i + 1 : 2) + " " + std::to_string(i < 2 ? 0 : i - 1) + " ";
    clients.push_back(WsClient(server.port(), "/" + std::string(1, static_cast<char>('a' + i))));
    REQUIRE(clients.back().open());
    CHECK(eventually([&] { return state().starts_with(shown); }));
  }
  CHECK(state() == R"(2 2 {"a":{"is":"a"},"b":{"is":"b"}})");
  CHECK(said >= 1);
  for (int i = 0; i < 100; i++) {
    REQUIRE(clients[3].send_text("leave"));
    REQUIRE(clients[3].send_text("join"));
  }
  REQUIRE(clients[3].send_text("echo"));
  (void)read_until(clients[3], "echo");
  CHECK(eventually([&] { return state().starts_with("2 2 "); }));  // it is asked at the end of a turn
  CHECK(said < 30);  // of a hundred
  REQUIRE(clients[0].send_text("leave"));
  CHECK(eventually([&] { return state().starts_with("2 1 "); }));
  REQUIRE(clients[1].send_text("leave"));
  CHECK(eventually([&] { return state().starts_with("2 0 "); }));
  CHECK(eventually([&] { return state() == R"(2 0 {"c":{"is":"c"},"d":{"is":"d"}})" || state() == R"(2 0 {"d":{"is":"d"},"c":{"is":"c"}})"; }));
  REQUIRE(clients[0].send_text("join"));
  CHECK(eventually([&] { return state().starts_with("2 1 "); }));
  REQUIRE(clients[0].close_nicely());  // one that was not shown goes without a trace
  CHECK(eventually([&] { return state().starts_with("2 0 "); }));
  set_log_sink({});
}

// Age, and the look at all rooms ------------------------------------------------------------------------------------------

namespace {

struct Stepped : SteppedServer {
  WebSocket socket;
  explicit Stepped(const HistoryOptions& options)
      : SteppedServer([this, options](App& app) {
          app.history("*", options);
          app.ws("/", {.open = [this](WebSocket ws, Request&) { socket = ws; }});
        }) {}
  template <typename F>
  void in_a_turn(F act) {
    app().post([&] { act(); });
    turn();
  }
  std::vector<std::string> told(WsClient& client) {
    turn();
    read_what_is_there(client.tcp);
    std::vector<std::string> all;
    for (WsFrame frame = client.read_frame(milliseconds(0)); frame.ok(); frame = client.read_frame(milliseconds(0))) all.push_back(frame.payload);
    return all;
  }
};

}  // namespace

TEST_CASE("history: what is too old is not read any more, by the program or by a member that asks again") {
  Stepped server({.age = 1s});
  WsClient client = server.open_websocket("/");
  Shared room = server.app().shared("den");
  server.in_a_turn([&] { server.socket.join("den"); });
  server.in_a_turn([&] { room.send("say", "old"); });
  CHECK(server.told(client).size() == 1);
  CHECK(room.messages(10).size() == 1);
  SteppedServer::advance(milliseconds(1'100));  // and no look at it
  server.in_a_turn([&] { server.socket.join("den", {.last = 5}); });
  const std::vector<std::string> told = server.told(client);
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with(R"({"event":"room:joined")"));
  server.in_a_turn([&] { room.send("say", "older"); });
  SteppedServer::advance(milliseconds(1'100));
  CHECK(room.messages(10).empty());
}

TEST_CASE("history: however many rooms there are, they are looked at in pieces, and all within some seconds") {
  constexpr int kRooms = 2'000;
  Stepped server({.age = 1s});
  WsClient client = server.open_websocket("/");
  const size_t before = history_bytes_used();
  server.in_a_turn([&] {
    const std::string text(3'000, 'x');
    for (int i = 0; i < kRooms; i++) {
      server.socket.join(std::to_string(i));
      server.socket.to(std::to_string(i)).send(text);
    }
  });
  const size_t all = history_bytes_used() - before;
  REQUIRE(all > kRooms * 3'000u);
  SteppedServer::advance(milliseconds(5'001));
  server.turn();
  CHECK(history_bytes_used() - before > all / 2);  // of two thousand some hundred
  server.live(milliseconds(5'000));
  CHECK(history_bytes_used() - before < all / 100);
}

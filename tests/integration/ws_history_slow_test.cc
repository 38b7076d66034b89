// Rooms with memory on bad days: members that read slowly or not at all, bursts above the unsent limit, joins at odd moments, rooms
// that get their memory late.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/history_member.h"
#include "support/history_rooms.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/server_process.h"
#include "support/small_buffers.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::test;

namespace {

std::string set_text(std::string_view key, std::string_view value, std::string_view room, uint64_t offset) {
  return R"({"event":"room:set","args":[")" + std::string(key) + "\"," + std::string(value) + R"(],"room":")" + std::string(room) +
         R"(","offset":)" + std::to_string(offset) + "}";
}

const ConnectOptions kNarrow{.receive_buffer_bytes = 4096};

// Its connection takes no more: it has been sent this much and does not read.
constexpr size_t kFlood = 512 << 10;
void serve_flood(App& app, WsOptions options = {}) {
  app.ws("/", {.message = [](WebSocket ws, const Message& m) { m.text() == "flood" ? void(ws.send(pattern(kFlood))) : obey_history(ws, m.text()); },
               .options = std::move(options)});
}
bool flood(WsClient& client, TestServer& server) {
  if (!client.send_text("flood")) return false;
  wait_a_turn(server);
  return true;
}
bool reads_flood(WsClient& client) { return client.reads(pattern(kFlood)); }

size_t resident_bytes() {
  size_t pages = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * 4096;
}

}  // namespace

// Slow members -----------------------------------------------------------------------------------------------------------

TEST_CASE("history: a member that does not read is told the newest of each key, one that reads all of them") {
  SmallSendBuffers buffers(8 << 10);
  Shared prices;
  TestServer server([&](App& app) {
    prices = app.shared("prices");
    serve_flood(app);
  });
  WsClient slow(server.port(), "/", "", kNarrow), fast(server.port());
  CHECK(slow.send_text("join prices"));
  CHECK(fast.send_text("join prices"));
  CHECK(slow.echoes("echo 1"));
  CHECK(fast.echoes("echo 1"));
  CHECK(flood(slow, server));
  for (int i = 1; i <= 100; i++) {
    CHECK(prices.set("a", i) == SendStatus::ok);
    CHECK(prices.set("b", i) == SendStatus::ok);
    if (i == 50) CHECK(prices.send("told", "half") == SendStatus::ok);
    const auto offset = static_cast<uint64_t>(2 * i - 1 + (i > 50));
    CHECK(fast.reads(set_text("a", std::to_string(i), "prices", offset)));
    CHECK(fast.reads(set_text("b", std::to_string(i), "prices", offset + 1)));
    if (i == 50) CHECK(fast.reads(told("half", "prices", 101)));
  }
  CHECK(prices.set("c", 1) == SendStatus::ok);
  CHECK(prices.remove("c") == SendStatus::ok);
  CHECK(prices.set("a", 101) == SendStatus::ok);
  CHECK(reads_flood(slow));
  CHECK(slow.reads(told("half", "prices", 101)));
  CHECK(slow.reads(set_text("b", "100", "prices", 201)));
  CHECK(slow.reads(R"({"event":"room:remove","args":["c"],"room":"prices","offset":203})"));
  CHECK(slow.reads(set_text("a", "101", "prices", 204)));
  CHECK(prices.set("a", 102) == SendStatus::ok);
  CHECK(slow.reads(set_text("a", "102", "prices", 205)));
}

TEST_CASE("history: who joins while its connection takes no more is a slow member from the beginning") {
  SmallSendBuffers buffers(8 << 10);
  Shared room;
  WebSocket joiner;
  TestServer server([&](App& app) {
    app.history("room", {.messages = 1000});
    room = app.shared("room");
    app.ws("/", {.open = [&](WebSocket ws, Request&) { joiner = ws; },
                 .message = [](WebSocket ws, const Message&) { ws.send(pattern(kFlood)); },
                 .options = {.max_unsent_bytes = kFlood + (16 << 10)}});
  });
  WsClient slow(server.port(), "/", "", kNarrow);
  CHECK(flood(slow, server));
  server.on_thread([&](App&) { joiner.join("room"); });
  const std::string text(1000, 'x');
  for (int i = 0; i < 600; i++) CHECK(room.send("told", text) == SendStatus::ok);
  CHECK(reads_flood(slow));
  for (uint64_t i = 1; i <= 600; i++) CHECK(slow.reads(told(text, "room", i)));
}

TEST_CASE("history: 100 MB go to a room whose member does not read, and the process does not grow") {
  SmallSendBuffers buffers(8 << 10);
  Shared room;
  TestServer server([&](App& app) {
    app.history("room", {.bytes = size_t{1} << 20});
    room = app.shared("room");
    serve_flood(app);
  });
  WsClient slow(server.port(), "/", "", kNarrow);
  CHECK(slow.send_text("join room"));
  CHECK(slow.echoes("echo 1"));
  CHECK(flood(slow, server));
  const std::string large(64 << 10, 'x');
  const size_t used_before = history_bytes_used();
  const size_t before = resident_bytes();
  size_t most = 0;
  for (int i = 0; i < 1600; i++) {
    CHECK(room.send("told", large) == SendStatus::ok);
    most = std::max(most, history_bytes_used() - used_before);
  }
  CHECK(most <= (size_t{1} << 20) + large.size() + 4096);
  if (kFiguresTell) CHECK(resident_bytes() < before + (size_t{24} << 20));
  CHECK(room.send("told", "last") == SendStatus::ok);
  CHECK(reads_flood(slow));
  const WsFrame gap = slow.read_frame();
  const HistoryEvent event = HistoryEvent::parse(gap.payload);
  CHECK(event.name == "room:gap");
  CHECK(event.args == R"({"reason":"behind"})");
  CHECK(event.offset == 1601);
  CHECK(room.send("told", "again") == SendStatus::ok);
  CHECK(slow.reads(told("again", "room", 1602)));
}

TEST_CASE("history: a member that never reads while it is told the past holds up nobody, and goes without a trace") {
  SmallSendBuffers buffers(8 << 10);
  Shared room;
  TestServer server([&](App& app) {
    app.history("room", {.bytes = size_t{1} << 20, .messages = 1000});
    room = app.shared("room");
    app.ws("/", history_handlers());
  });
  const std::string text(1000, 'x');
  for (int i = 0; i < 900; i++) CHECK(room.send("told", text) == SendStatus::ok);
  WsClient never(server.port(), "/", "", kNarrow), again(server.port(), "/", "", kNarrow), fast(server.port());
  for (WsClient* client : {&never, &again}) CHECK(client->send_text("come room - - 1000"));
  CHECK(fast.send_text("join room"));
  CHECK(fast.echoes("echo 1"));
  for (int i = 900; i < 2000; i++) {
    CHECK(room.send("told", text) == SendStatus::ok);
    CHECK(fast.reads(told(text, "room", static_cast<uint64_t>(i) + 1)));
  }
  never.tcp.close();
  // The other one reads after all: first what it was told in time, then the gap, then the rest, without a hole.
  uint64_t offset = 0;
  int gaps = 0;
  while (offset < 2000) {
    const WsFrame frame = again.read_frame();
    const HistoryEvent event = HistoryEvent::parse(frame.payload);
    REQUIRE(event);
    CHECK(event.offset > offset);
    if (event.name == "room:gap") gaps++;
    if (event.name == "told" && offset) CHECK(event.offset == offset + 1);
    offset = event.offset;
  }
  CHECK(gaps == 1);
  CHECK(server.wait_for_connections(2));
}

TEST_CASE("history: a burst above the unsent limit closes no member and drops nothing without a word") {
  for (const SlowConsumerPolicy policy : {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
    CAPTURE(static_cast<int>(policy));
    SmallSendBuffers buffers(8 << 10);
    Shared room;
    TestServer server([&](App& app) {
      app.history("room", {.messages = 1000});
      room = app.shared("room");
      app.ws("/", history_handlers({.max_unsent_bytes = 16 << 10, .slow_consumer = policy}));
    });
    WsClient member(server.port(), "/", "", kNarrow);
    CHECK(member.send_text("join room"));
    CHECK(member.echoes("echo 1"));
    const std::string text(1000, 'x');
    server.on_thread([&](App&) {
      for (int i = 0; i < 500; i++) room.send("told", text);
    });
    uint64_t offset = 0;
    for (bool good = true; good && offset < 500; offset++) {
      good = member.reads(told(text, "room", offset + 1));
      CHECK(good);
    }
    CHECK(member.echoes("echo 2"));
  }
}

TEST_CASE("history: where other messages make those of a room drop out, its member is told of a gap") {
  for (const SlowConsumerPolicy policy : {SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
    CAPTURE(static_cast<int>(policy));
    SmallSendBuffers buffers(8 << 10);
    Shared room;
    WebSocket socket;
    TestServer server([&](App& app) {
      app.history("room", {.messages = 1000});
      room = app.shared("room");
      WsHandlers handlers = history_handlers({.max_unsent_bytes = 16 << 10, .slow_consumer = policy});
      handlers.open = [&](WebSocket ws, Request&) { socket = ws; };
      app.ws("/", std::move(handlers));
    });
    WsClient member(server.port(), "/", "", kNarrow);
    CHECK(member.send_text("join room"));
    CHECK(member.echoes("echo 1"));
    const std::string text(1000, 'x');
    std::string kinds = " ";  // by offset: t, or s for a key's, of which the newest is enough
    for (int burst = 0; burst < 5; burst++) {
      server.on_thread([&](App&) {
        for (int i = 0; i < 60; i++) {
          socket.send(text);
          room.send("told", text);
          kinds += 't';
          if (i % 7 == 0) room.set("key" + std::to_string(i), burst), kinds += 's';
        }
      });
    }
    CHECK(room.send("end") == SendStatus::ok);
    uint64_t offset = 0;
    for (bool over = false; !over;) {
      const WsFrame frame = member.read_frame();
      REQUIRE(frame.opcode == kText);
      const HistoryEvent event = HistoryEvent::parse(frame.payload);
      if (!event) continue;  // one of the others
      if (event.name == "room:state") continue;
      CHECK(event.offset > offset);
      if (event.name != "room:gap") CHECK(kinds.substr(offset + 1, event.offset - offset - 1).find('t') == std::string::npos);
      offset = event.offset;
      over = event.name == "end" || offset == room.position().offset;
    }
    CHECK(member.echoes("echo 2"));
  }
}

// Odd moments ------------------------------------------------------------------------------------------------------------

TEST_CASE("history: what is published inside open and close handlers is told in its place") {
  TestServer server([](App& app) {
    app.history("room", {});
    app.ws("/", {.open =
                     [](WebSocket ws, Request&) {
                       const Room room = ws.join("room", {.last = 10});
                       room.emit("told", "before");
                       ws.join("room");
                       room.emit("told", "after");
                     },
                 .message = [](WebSocket ws, const Message& m) { obey_history(ws, m.text()); },
                 .close = [](WebSocket ws, const CloseInfo&) { ws.to("room").emit("told", "bye"); }});
  });
  WsClient a(server.port());
  CHECK(HistoryEvent::parse(a.read_frame().payload).name == "room:joined");
  CHECK(a.reads(told("before", "room", 1)));
  CHECK(a.reads(told("after", "room", 2)));
  {
    WsClient b(server.port());
    CHECK(b.reads(told("before", "room", 1)));
    CHECK(b.reads(told("after", "room", 2)));
    CHECK(HistoryEvent::parse(b.read_frame().payload).offset == 2);
    CHECK(b.reads(told("before", "room", 3)));
    CHECK(b.reads(told("after", "room", 4)));
    CHECK(b.close_nicely());
  }
  CHECK(a.reads(told("before", "room", 3)));
  CHECK(a.reads(told("after", "room", 4)));
  CHECK(a.reads(told("bye", "room", 5)));
}

TEST_CASE("history: a member may ask to be told again, and goes on from there") {
  TestServer server([](App& app) {
    app.history("room", {});
    app.ws("/", history_handlers());
  });
  WsClient a(server.port()), b(server.port());
  CHECK(a.send_text("come room - - 0"));
  const std::string joined = a.read_frame().payload;
  const std::string epoch(HistoryEvent::parse(joined).epoch);
  for (const char* text : {"one", "two", "three"}) CHECK(b.send_text(std::string("tell room ") + text));
  for (int i = 0; i < 3; i++) CHECK(a.read_frame().opcode == kText);
  CHECK(a.send_text("come room 1 " + epoch + " 0"));
  CHECK(a.reads(told("two", "room", 2)));
  CHECK(a.reads(told("three", "room", 3)));
  CHECK(HistoryEvent::parse(a.read_frame().payload).name == "room:joined");
  CHECK(b.send_text("tell room four"));
  CHECK(a.reads(told("four", "room", 4)));
}

TEST_CASE("history: who has joined in a step that has not let it in yet is told all that comes meanwhile, once it is in") {
  Shared room;
  std::optional<Next> next;
  TestServer server([&](App& app) {
    room = app.shared("room");
    app.ws_use([&](WebSocket ws, Request&, Next n) {
      ws.join("room");
      next = n;
    });
    app.ws("/", history_handlers());
  });
  WsClient a(server.port());
  CHECK(a.open());
  CHECK(room.send("told", "meanwhile") == SendStatus::ok);
  CHECK(room.set("key", 1) == SendStatus::ok);
  wait_a_turn(server);
  server.on_thread([&](App&) { (*next)(); });
  CHECK(a.reads(told("meanwhile", "room", 1)));
  CHECK(a.reads(set_text("key", "1", "room", 2)));
  CHECK(a.echoes("echo 1"));
  server.on_thread([&](App&) { next.reset(); });
}

TEST_CASE("history: a room that gets its memory when it has members tells them all from its first change on, on all workers") {
  Shared room;
  MultiServer server(3, [&](App& app, uint32_t worker) {
    app.ws("/", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                 .message = [](WebSocket ws, const Message& m) { obey_history(ws, m.text()); }});
  });
  std::vector<WsClient> members;
  for (uint32_t worker = 0; worker < 3; worker++) {
    members.push_back(server.client_of(worker, "/"));
    CHECK(members.back().send_text("join room"));
    CHECK(members.back().echoes("echo 1"));
  }
  for (const uint32_t other : {0u, 2u}) server.server().post(other, [](App&) { std::this_thread::sleep_for(milliseconds(50)); });
  server.on_worker(1, [&](App& app) {
    room = app.shared("room");
    room.set("key", 1);
    room.send("told", "first");
  });
  for (WsClient& member : members) {
    CHECK(member.reads(set_text("key", "1", "room", 1)));
    CHECK(member.reads(told("first", "room", 2)));
  }
  CHECK(members[2].send_text("tell room hello"));
  CHECK(members[0].reads(told("hello", "room", 3)));
  CHECK(members[1].reads(told("hello", "room", 3)));
  CHECK(members[2].echoes("echo 2"));
}

TEST_CASE("history: a room that one worker asks for before listen() has its memory on all of them") {
  Shared room;
  for (const uint32_t asks : {0u, 1u, 2u}) {
    CAPTURE(asks);
    MultiServer server(3, [&](App& app, uint32_t worker) {
      if (worker == asks) room = app.shared("room");
      app.ws("/", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                   .message = [](WebSocket ws, const Message& m) { obey_history(ws, m.text()); }});
    });
    std::vector<WsClient> members;
    for (uint32_t worker = 0; worker < 3; worker++) {
      members.push_back(server.client_of(worker, "/"));
      CHECK(members.back().send_text("join room"));
      CHECK(members.back().echoes("echo 1"));
    }
    CHECK(room.set("key", 1) == SendStatus::ok);
    for (WsClient& member : members) CHECK(member.reads(set_text("key", "1", "room", 1)));
    room = Shared();
  }
}

TEST_CASE("history: a Shared outlives its Server, and goes on without members") {
  Shared room;
  {
    MultiServer server(2, [&](App& app, uint32_t) {
      room = app.shared("room");
      app.ws("/", history_handlers());
    });
    WsClient a(server.port()), b(server.port());
    CHECK(a.send_text("join room"));
    CHECK(a.echoes("echo 1"));
    CHECK(b.send_text("join room"));
    CHECK(b.echoes("echo 1"));
    CHECK(room.set("key", 1) == SendStatus::ok);
    CHECK(a.reads(set_text("key", "1", "room", 1)));
  }
  CHECK(room.set("key", 2) == SendStatus::ok);
  CHECK(room.send("told", "nobody") == SendStatus::ok);
  CHECK(room.get("key") == 2);
  CHECK(room.name() == "room");
  CHECK(room.messages(1).size() == 1);
  CHECK(room.position().offset == 3);
}

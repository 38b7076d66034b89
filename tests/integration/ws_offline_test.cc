// What waits for clients that are away (App::send_to_client): its order, its bounds, its end. Who clients are and what else they get
// back is in ws_sessions_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/gate.h"
#include "support/known_clients.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/stepped_server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Without a store, so that nothing but what waits comes before the handler's word.
struct Post : TestServer {
  explicit Post(SessionOptions options = {}, WsOptions ws = {})
      : TestServer([&](App& app) {
          options.store = {};
          app.sessions(std::move(options));
          app.ws("/w", known_handlers(std::move(ws)));
        }) {}
  WsClient client(std::string_view identity) { return known_client(port(), identity); }
  uint64_t waiting() { return stats().queued_messages; }
  SendStatus put(std::string_view identity, std::string_view text) { return app().send_to_client(identity, text); }
};

// What a client gets before the handler's word.
std::vector<std::string> read_waiting(WsClient& client) {
  std::vector<std::string> all;
  for (;;) {
    const WsFrame message = client.read_message();
    if (!message.ok() || message.payload.starts_with("open ")) return all;
    all.push_back(message.payload);
  }
}

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; i++) all.push_back(std::to_string(i));
  return all;
}

}  // namespace

TEST_CASE("offline: what is sent to a client that is away waits, and comes in order before anything newer") {
  Post server;
  {
    WsClient ann = server.client("ann");
    REQUIRE(ann.open());
    REQUIRE(ann.close_nicely());
  }
  REQUIRE(server.wait_for_connections(0));
  const std::byte bytes[] = {std::byte{1}, std::byte{2}};
  CHECK(server.put("ann", "a text") == SendStatus::posted);
  CHECK(server.app().send_to_client("ann", std::span<const std::byte>(bytes)) == SendStatus::posted);
  CHECK(server.app().send_to_client("ann", {{"type", "notification"}}) == SendStatus::posted);
  CHECK(server.app().send_to_client("ann", SharedFrame::text("a frame")) == SendStatus::posted);
  CHECK(server.app().send_to_client("ann", SharedFrame()) == SendStatus::dropped);
  CHECK(server.waiting() == 4);
  WsClient ann = server.client("ann");
  CHECK(ann.reads("a text"));
  CHECK(ann.reads(std::string("\x01\x02", 2), kBinary));
  CHECK(ann.reads(R"({"type":"notification"})"));
  CHECK(ann.reads("a frame"));
  CHECK(ann.reads("open ann {} "));
  CHECK(server.waiting() == 0);
  CHECK(server.put("ann", "from a thread") == SendStatus::posted);
  CHECK(ann.reads("from a thread"));
  CHECK(server.on_thread([](App& app) { return app.send_to_client("ann", "from its worker"); }) == SendStatus::ok);
  CHECK(server.on_thread([](App& app) { return app.send_to_client("ann", {{"n", 1}}); }) == SendStatus::ok);
  CHECK(server.on_thread([&](App& app) { return app.send_to_client("ann", std::span<const std::byte>(bytes)); }) == SendStatus::ok);
  CHECK(ann.reads("from its worker"));
  CHECK(ann.reads(R"({"n":1})"));
  CHECK(ann.reads(std::string("\x01\x02", 2), kBinary));
}

TEST_CASE("offline: so many messages wait, the newest ones; what was dropped is counted") {
  Post server({.queue = 100});
  for (int i = 0; i < 100; i++) CHECK(server.put("ann", std::to_string(i)) == SendStatus::posted);
  CHECK(server.stats().queue_dropped == 0);
  CHECK(server.put("ann", "100") == SendStatus::posted);
  CHECK(server.stats().queue_dropped == 1);
  CHECK(server.waiting() == 100);
  WsClient ann = server.client("ann");
  CHECK(read_waiting(ann) == numbers(1, 101));
  CHECK(server.waiting() == 0);
}

TEST_CASE("offline: so many bytes wait for a client; what is larger on its own is not taken") {
  Post server({.queue_bytes = 1'000});
  CHECK(server.put("ann", std::string(1'001, 'x')) == SendStatus::dropped);
  CHECK(server.put("ann", std::string(600, 'a')) == SendStatus::posted);
  CHECK(server.put("ann", std::string(400, 'b')) == SendStatus::posted);
  CHECK(server.waiting() == 2);
  CHECK(server.put("ann", "c") == SendStatus::posted);
  CHECK(server.waiting() == 2);
  CHECK(server.put("bob", std::string(1'000, 'd')) == SendStatus::posted);
  CHECK(server.stats().queue_dropped == 2);
  WsClient ann = server.client("ann");
  CHECK(read_waiting(ann) == std::vector<std::string>{std::string(400, 'b'), "c"});
}

TEST_CASE("offline: so many bytes wait for all; the oldest of all goes first") {
  Post server({.max_queue_bytes = 3 * (160 + 40)});
  for (const char* name : {"a", "b", "c"}) CHECK(server.put(name, std::string(40, *name)) == SendStatus::posted);
  CHECK(server.waiting() == 3);
  CHECK(server.put("d", std::string(40, 'd')) == SendStatus::posted);
  CHECK(server.waiting() == 3);
  CHECK(server.put("e", std::string(500, 'e')) == SendStatus::dropped);
  CHECK(server.stats().queue_dropped == 2);
  WsClient a = server.client("a");
  CHECK(read_waiting(a).empty());
  WsClient d = server.client("d");
  CHECK(read_waiting(d) == std::vector<std::string>{std::string(40, 'd')});
}

TEST_CASE("offline: nothing waits where the queue is 0, for strangers where the options say so, and without sessions") {
  Post none({.queue = 0});
  CHECK(none.put("ann", "x") == SendStatus::closed);
  WsClient there = none.client("ann");
  REQUIRE(there.reads("open ann {} "));
  CHECK(none.put("ann", "y") == SendStatus::posted);
  CHECK(there.reads("y"));

  Post known({.queue_unknown = false});
  CHECK(known.put("ann", "x") == SendStatus::closed);
  {
    WsClient ann = known.client("ann");
    REQUIRE(ann.reads("open ann {} "));
    REQUIRE(ann.close_nicely());
  }
  REQUIRE(known.wait_for_connections(0));
  CHECK(known.put("ann", "y") == SendStatus::posted);
  WsClient ann = known.client("ann");
  CHECK(read_waiting(ann) == std::vector<std::string>{"y"});

  TestServer plain([](App& app) { app.ws("/w", known_handlers()); });
  CHECK(plain.app().send_to_client("ann", "x") == SendStatus::closed);
  plain.app().forget_client("ann");
}

TEST_CASE("offline: a flood of unknown identities is bounded, and the ones that were longest untouched go") {
  Post server({.max_clients = 1'000});
  server.put("first", "x");
  for (int i = 0; i < 100'000; i++) server.put("client " + std::to_string(i), "x");
  CHECK(server.waiting() == 1'000);
  CHECK(server.stats().queue_dropped == 99'001);
  WsClient last = server.client("client 99999");
  CHECK(read_waiting(last) == std::vector<std::string>{"x"});
  WsClient first = server.client("first");
  CHECK(read_waiting(first).empty());
  WsClient boundary = server.client("client 99000");
  CHECK(read_waiting(boundary).size() == 1);
  WsClient beyond = server.client("client 98999");
  CHECK(read_waiting(beyond).empty());
}

TEST_CASE("offline: who comes and goes, or is sent what is too large, is nobody to make room for") {
  Post server({.max_clients = 1, .queue_bytes = 1'000});
  CHECK(server.put("ann", "x") == SendStatus::posted);
  REQUIRE(server.client("bob").open());
  REQUIRE(server.wait_for_connections(0));
  CHECK(server.put("cat", std::string(1'001, 'x')) == SendStatus::dropped);
  CHECK(server.waiting() == 1);
  CHECK(server.stats().queue_dropped == 1);
  WsClient ann = server.client("ann");
  CHECK(read_waiting(ann) == std::vector<std::string>{"x"});
}

TEST_CASE("offline: a flood of clients that come and go under new names leaves nothing") {
  Post server;
  for (int i = 0; i < 300; i++) REQUIRE(server.client("client " + std::to_string(i)).open());
  REQUIRE(server.wait_for_connections(0));
  CHECK(server.waiting() == 0);
}

TEST_CASE("offline: where strangers are nobody, a flood of them that come and go drives out none but themselves") {
  Post server({.max_clients = 20, .queue_unknown = false});
  const auto visit = [&](const std::string& name) {
    WsClient client = server.client(name);
    REQUIRE(client.open());
    REQUIRE(client.close_nicely());
    REQUIRE(server.wait_for_connections(0));
  };
  visit("ann");
  CHECK(server.put("ann", "for ann") == SendStatus::posted);
  visit("bob");
  visit("bob");
  for (int i = 0; i < 60; i++) visit("stranger " + std::to_string(i));
  CHECK(server.put("bob", "for bob") == SendStatus::posted);
  CHECK(server.put("stranger 0", "x") == SendStatus::closed);
  CHECK(server.put("stranger 59", "x") == SendStatus::posted);
  WsClient ann = server.client("ann");
  CHECK(read_waiting(ann) == std::vector<std::string>{"for ann"});
  WsClient bob = server.client("bob");
  CHECK(read_waiting(bob) == std::vector<std::string>{"for bob"});
}

TEST_CASE("offline: where strangers are nobody, who does not come back is one after its time, however often it is sent something") {
  SteppedServer server([](App& app) {
    app.sessions({.message_ttl = 20s, .queue_unknown = false, .store = {}, .ttl = 10s});
    app.ws("/w", known_handlers());
  });
  App& app = server.app();
  {
    Client tcp = server.connect();
    REQUIRE(tcp.send(ws_request("/w", client_field("ann"))));
    REQUIRE(server.turn_until([&] { return app.stats().open_websockets == 1; }));
  }
  REQUIRE(server.turn_until([&] { return app.stats().open_websockets == 0; }));
  for (int second = 3; second < 10; second += 3) {
    server.live(milliseconds(3'000));
    CHECK(app.send_to_client("ann", std::to_string(second)) == SendStatus::posted);
  }
  server.live(milliseconds(1'100));
  for (int i = 0; i < 4; i++) {
    CHECK(app.send_to_client("ann", "too late") == SendStatus::closed);
    CHECK(app.stats().queued_messages == 3);  // they wait for as long as was said
    server.live(milliseconds(3'000));
  }
  server.live(milliseconds(8'000));
  CHECK(app.stats().queued_messages == 0);
  CHECK(app.stats().queue_expired == 3);
}

TEST_CASE("offline: a message that has waited too long is dropped and counted, whether anybody comes or not") {
  SteppedServer server([](App& app) {
    app.sessions({.message_ttl = 10s, .store = {}, .ttl = 60s});
    app.ws("/w", known_handlers());
  });
  App& app = server.app();
  app.send_to_client("ann", "old");
  app.send_to_client("bob", "old");
  server.live(milliseconds(5'000));
  app.send_to_client("ann", "younger");
  server.live(milliseconds(4'900));
  CHECK(app.stats().queued_messages == 3);
  server.live(milliseconds(1'200));
  CHECK(app.stats().queued_messages == 1);
  CHECK(app.stats().queue_expired == 2);
  Client tcp = server.connect();
  REQUIRE(tcp.send(ws_request("/w", client_field("ann"))));
  WsClient ann(std::move(tcp));
  REQUIRE(server.turn_until([&] { return app.stats().open_websockets == 1; }));
  REQUIRE(ann.read_handshake());
  CHECK(ann.reads("younger"));
  CHECK(app.stats().queued_messages == 0);
  app.send_to_client("cid", "nobody comes");
  SteppedServer::advance(milliseconds(10'001));  // the loop stood still: it is looked at all the same
  Client late = server.connect();
  REQUIRE(late.send(ws_request("/w", client_field("cid"))));
  WsClient cid(std::move(late));
  REQUIRE(server.turn_until([&] { return app.stats().open_websockets == 2; }));
  REQUIRE(cid.read_handshake());
  CHECK(cid.reads("open cid {} "));
  CHECK(app.stats().queue_expired == 3);
}

// Four threads send while the client comes and goes, here and there. It closes as one ought to, so that nothing is on its way when the
// connection ends: then it gets every message, once, and each thread's in their order.
TEST_CASE("offline: with many senders a client that comes and goes misses nothing and sees nothing overtaken") {
  constexpr int kSenders = 4;
  constexpr int kEach = 3'000;
  for (const uint32_t workers : {1u, 3u}) {
    std::atomic<App*> face = nullptr;
    MultiServer server(workers, [&](App& app, uint32_t) {
      app.sessions({.queue = 1'000'000, .queue_bytes = 64_MiB, .store = {}});
      app.ws("/w", known_handlers({.max_unsent_bytes = 64_MiB}));
      face = &app;
    });
    std::vector<Thread> senders;
    std::atomic<int> dropped = 0;
    for (int s = 0; s < kSenders; s++) {
      senders.emplace_back([&, s] {
        for (int i = 0; i < kEach; i++) {
          const std::string text = std::to_string(s) + " " + std::to_string(i);
          const SendStatus status = s == 0 ? server.on_worker(0, [&](App& app) { return app.send_to_client("ann", text); })
                                           : face.load()->send_to_client("ann", text);
          dropped += status == SendStatus::dropped || status == SendStatus::closed;
          if (i % 64 == 0) std::this_thread::yield();
        }
      });
    }
    int next[kSenders] = {};
    int total = 0;
    int wrong = 0;
    const auto count = [&](const WsFrame& message) {
      if (message.payload.starts_with("open ")) return;
      const int s = message.payload[0] - '0';
      wrong += std::stoi(message.payload.substr(2)) != next[s]++;
      total++;
    };
    const auto deadline = Clock::now() + milliseconds(60'000);
    while (total < kSenders * kEach && wrong == 0 && Clock::now() < deadline) {
      WsClient ann = known_client(server.port(), "ann");
      REQUIRE(ann.open());
      for (int i = 0; i < 150 && total < kSenders * kEach; i++) count(ann.read_message());
      REQUIRE(ann.send_close(1000));
      for (WsFrame frame = ann.read_message(); frame.ok() && frame.opcode != kClose; frame = ann.read_message()) count(frame);
      CHECK(ann.ended());
    }
    senders.clear();
    CHECK(wrong == 0);
    CHECK(total == kSenders * kEach);
    CHECK(dropped == 0);
    CHECK(eventually([&] { return server.stats().queued_messages == 0; }));
  }
}

TEST_CASE("offline: a message on its way to a connection that ends is the next one's, before what came later") {
  Gate gate;
  Post server;
  std::optional<WsClient> ann(server.client("ann"));
  REQUIRE(ann->reads("open ann {} "));
  server.app().post([&] { gate.wait(); });
  REQUIRE(gate.wait_for_one());
  REQUIRE(ann->send_close(1000));
  for (int i = 0; i < 3; i++) CHECK(server.put("ann", std::to_string(i)) == SendStatus::posted);
  gate.open();
  // The Close was read first, or what was posted was run first: then the old one got them.
  const WsFrame first = ann->read_message();
  if (first.opcode == kClose) {
    REQUIRE(ann->ended());
    WsClient newer = server.client("ann");
    CHECK(read_waiting(newer) == numbers(0, 3));
  } else {
    CHECK(first.payload == "0");
  }
}

TEST_CASE("offline: for a client whose worker stands still so much waits and no more, and it comes in order") {
  Gate gate;
  Post server({.queue = 10, .queue_bytes = 10'000});
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  server.app().post([&] { gate.wait(); });
  REQUIRE(gate.wait_for_one());
  const std::string large(1'000, 'x');
  for (int i = 0; i < 10; i++) CHECK(server.put("ann", large + std::to_string(i)) == SendStatus::posted);
  CHECK(server.put("ann", "one too many") == SendStatus::dropped);
  gate.open();
  for (int i = 0; i < 10; i++) CHECK(ann.reads(large + std::to_string(i)));
  CHECK(server.stats().queue_dropped == 1);
  CHECK(server.put("ann", "and on") == SendStatus::posted);
  CHECK(ann.reads("and on"));
}

TEST_CASE("offline: on the way to a client whose worker stands still small messages are bounded, too") {
  Gate gate;
  Post server({.queue_bytes = 1'600});
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  server.app().post([&] { gate.wait(); });
  REQUIRE(gate.wait_for_one());
  for (int i = 0; i < 10; i++) CHECK(server.put("ann", std::to_string(i)) == SendStatus::posted);
  for (int i = 0; i < 1'000; i++) CHECK(server.put("ann", "") == SendStatus::dropped);
  gate.open();
  for (int i = 0; i < 10; i++) CHECK(ann.reads(std::to_string(i)));
  CHECK(server.put("ann", "and on") == SendStatus::posted);
  CHECK(ann.reads("and on"));
}

TEST_CASE("offline: without memory one message is refused, and the next one is not") {
  FailingAlloc failing;  // before threads start
  Post server;
  const long held = FailingAlloc::held;
  for (size_t n = 0; n < 6; n++) {
    std::thread([&, n] {
      for (size_t i = 0; i < 2; i++) {
        FailingAlloc::left = n;
        const SendStatus status = server.put("client " + std::to_string(n), "x");
        FailingAlloc::left = SIZE_MAX;
        if (n == 0) CHECK(status == SendStatus::dropped);
      }
    }).join();
  }
  CHECK(server.put("ann", "x") == SendStatus::posted);
  for (const char* name : {"ann", "client 0", "client 1", "client 2", "client 3", "client 4", "client 5"}) server.app().forget_client(name);
  CHECK(server.waiting() == 0);
  CHECK(FailingAlloc::held - held < 8);  // the table
  WsClient ann = server.client("ann");
  REQUIRE(ann.reads("open ann {} "));
  // On the way to a worker: what it is not told of now it finds.
  for (size_t n = 0; n < 4; n++) {
    FailingAlloc::left = n;
    const SendStatus status = server.put("ann", "x");
    FailingAlloc::left = SIZE_MAX;
    if (status == SendStatus::posted) CHECK(ann.reads("x"));
  }
  CHECK(server.put("ann", "y") == SendStatus::posted);
  CHECK(ann.reads("y"));
}

TEST_CASE("offline: sending to clients in open, message and close handlers") {
  TestServer server([](App& app) {
    app.sessions({.store = {}});
    app.ws("/w", {.open = [&app](WebSocket ws, Request&) { app.send_to_client(ws.client_id(), "hello"); },
                  .message = [&app](WebSocket ws, const Message& m) {
                    app.send_to_client(ws.client_id(), m.text());
                    app.send_to_client("other", m.text());
                  },
                  .close = [&app](WebSocket ws, const CloseInfo&) { app.send_to_client(ws.client_id(), "for the next time"); }});
  });
  {
    WsClient ann = known_client(server.port(), "ann");
    CHECK(ann.reads("hello"));
    CHECK(ann.echoes("x"));
    CHECK(ann.close_nicely());
  }
  REQUIRE(server.wait_for_connections(0));
  WsClient ann = known_client(server.port(), "ann");
  CHECK(ann.reads("for the next time"));
  CHECK(ann.reads("hello"));
  WsClient other = known_client(server.port(), "other");
  CHECK(other.reads("x"));
}

TEST_CASE("offline: a client that is away longer than a Server lives costs nothing at its end") {
  MultiServer server(2, [](App& app, uint32_t) {
    app.sessions({});
    app.ws("/w", known_handlers());
  });
  for (int i = 0; i < 50; i++) {
    server.on_worker(i % 2, [&](App& app) { return app.send_to_client("client " + std::to_string(i), "x"); });
  }
  CHECK(server.stats().queued_messages == 50);
  CHECK(server.on_worker(1, [](App& app) { return app.stats().queued_messages; }) == 50);
}

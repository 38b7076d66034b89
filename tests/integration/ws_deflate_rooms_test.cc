// Compressed messages to many (src/app/packed_log.h): receivers that agreed on nothing, on several windows, on contexts of
// their own, read the same messages in the same order, and each message is compressed once for each class of them. On one
// worker and on two. And messages that are sent on as they came.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "support/failing_alloc.h"
#include "support/multi_server.h"
#include "support/server.h"
#include "support/stepped_deflate.h"
#include "support/ws_deflate_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// By one worker: 15 fast, 10 fast, 15 better; on "/plain" and without an offer there is none.
struct Kind {
  std::string_view target;
  std::string_view offer;
};
constexpr Kind kKinds[] = {
    {"/shared", ""},
    {"/shared", "permessage-deflate"},
    {"/shared", "permessage-deflate; server_max_window_bits=10"},
    {"/shared", "permessage-deflate; client_max_window_bits"},
    {"/dedicated", "permessage-deflate"},
    {"/dedicated", "permessage-deflate; server_max_window_bits=10; client_max_window_bits=8"},
    {"/dedicated", "permessage-deflate; server_no_context_takeover"},
    {"/late", "permessage-deflate"},       // of one class with its neighbours, but for another threshold
    {"/dedicated", "permessage-deflate"},
    {"/dedicated", "permessage-deflate"},  // like its neighbour in all
    {"/better", "permessage-deflate"},
    {"/plain", "permessage-deflate"},
};
constexpr uint64_t kClasses = 3;
size_t threshold_of(const Kind& kind) { return kind.target == "/better" ? 600 : kind.target == "/late" ? 5000 : 200; }

WsOptions with(Compression compression) {
  return {.compression = compression, .max_message_bytes = 8_MiB, .max_unsent_bytes = 64_MiB};
}

// All routes enter "room" and tell `opened`.
template <typename Opened>
void room_routes(App& app, Opened opened) {
  const auto route = [&](const char* target, Compression compression) {
    WsHandlers handlers;
    handlers.open = [opened](WebSocket ws, Request&) {
      ws.join("room");
      opened(ws);
    };
    handlers.message = [](WebSocket ws, const Message& m) { ws.to("room").send(m); };
    handlers.options = with(compression);
    app.ws(target, std::move(handlers));
  };
  route("/shared", Deflate{.threshold = 200});
  route("/dedicated", Deflate{.mode = CompressionMode::dedicated, .threshold = 200});
  route("/better", Deflate{.level = CompressionLevel::better, .threshold = 600});
  route("/late", Deflate{.threshold = 5000});
  route("/plain", false);
}

std::string words(size_t size, uint32_t seed) {
  static constexpr std::string_view kWords[] = {"alpha ", "beta ", "gamma ", "delta ", "epsilon ", "zeta ", "eta "};
  std::mt19937 random(seed);
  std::string text = std::to_string(seed) + " ";
  while (text.size() < size) text += kWords[random() % std::size(kWords)];
  return text;
}

std::string noise(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes;
  for (size_t i = 0; i < size; i++) bytes.push_back(static_cast<char>(random() >> 13));
  return bytes;
}

// A room of one worker with a client of each kind, and their sockets in the same order.
struct RoomServer {
  RoomServer()
      : server([this](App& app) { room_routes(app, [this](WebSocket ws) { sockets.push_back(ws); }); }) {
    for (const Kind& kind : kKinds) {
      clients.emplace_back(server.port(), kind.target, kind.offer);
      REQUIRE(clients.back().open());
      server.turn();
    }
    REQUIRE(server.on_thread([&](App&) { return sockets.size(); }) == std::size(kKinds));
  }
  void all_read(uint8_t opcode, const std::string& text) {
    for (size_t i = 0; i < clients.size(); i++) {
      CAPTURE(i);
      const WsMessage message = clients[i].read();
      REQUIRE(message.wrong == "");
      REQUIRE(message.is(opcode, text));
    }
  }
  std::vector<WebSocket> sockets;
  TestServer server;
  std::vector<DeflateClient> clients;
};

}  // namespace

TEST_CASE("ws deflate rooms: each receiver reads it, compressed where it pays, once for each class") {
  RoomServer s;
  for (const size_t size : {size_t{0}, size_t{50}, size_t{250}, size_t{700}, size_t{20'000}, size_t{200'000}, size_t{2'000'000}}) {
    for (const Compress compress : {Compress::automatic, Compress::no, Compress::yes}) {
      CAPTURE(size);
      CAPTURE(static_cast<int>(compress));
      const std::string text = size ? words(size, static_cast<uint32_t>(size)) : "";
      const uint64_t before = s.server.stats().messages_deflated;
      s.server.on_thread([&](App& app) { app.to("room").send(text, compress); });
      for (size_t i = 0; i < s.clients.size(); i++) {
        CAPTURE(i);
        const WsMessage message = s.clients[i].read();
        REQUIRE(message.is(kText, text));
        const bool reaches = compress == Compress::automatic && size >= threshold_of(kKinds[i]);
        const bool wanted = s.clients[i].agreed && size > 0 && (compress == Compress::yes || reaches);
        if (size != 50) CHECK(message.compressed == wanted);
      }
      const uint64_t deflated = s.server.stats().messages_deflated - before;
      if (size >= 700) CHECK(deflated == (compress == Compress::no ? 0 : kClasses));
      if (size == 250 && compress == Compress::automatic) CHECK(deflated == kClasses - 1);
    }
  }
}

TEST_CASE("ws deflate rooms: a frame that is sent to each by itself is compressed once for each class, too") {
  RoomServer s;
  for (const size_t size : {size_t{5000}, size_t{300'000}}) {
    for (int round = 0; round < 3; round++) {
      const std::string text = words(size, static_cast<uint32_t>(round));
      const uint64_t before = s.server.stats().messages_deflated;
      s.server.on_thread([&](App&) {
        const SharedFrame frame = SharedFrame::text(text);
        for (const WebSocket& ws : s.sockets) ws.send(frame);
      });
      s.all_read(kText, text);
      CHECK(s.server.stats().messages_deflated - before == kClasses);
    }
  }
  // Two frames of one size, one behind the other in the memory of the first: they are not taken for each other.
  for (int i = 0; i < 50; i++) {
    const std::string text = words(3000, static_cast<uint32_t>(i)).substr(0, 3000);
    s.server.on_thread([&](App&) {
      for (const WebSocket& ws : s.sockets) ws.send(SharedFrame::text(text));
    });
    s.all_read(kText, text);
  }
}

TEST_CASE("ws deflate rooms: what many are sent ends the context of who has one, what goes plain does not") {
  RoomServer s;
  // Messages that refer to each other when they may.
  const auto text_number = [](uint32_t i) { return std::to_string(i) + words(400, 3) + std::to_string(i); };
  for (const size_t i : {size_t{4}, size_t{5}, size_t{8}, size_t{9}}) {
    CAPTURE(i);
    uint32_t number = 0;
    const auto direct = [&] {
      const std::string text = text_number(number++);
      s.server.on_thread([&](App&) { s.sockets[i].send(text, Compress::yes); });
      const WsMessage message = s.clients[i].read();
      REQUIRE(message.wrong == "");
      REQUIRE(message.is(kText, text));
      return message.payload_bytes;
    };
    const size_t alone = direct();
    CHECK(direct() < alone / 2);
    const std::string other = noise(50, 1) + words(900, 8);
    const auto bytes = std::as_bytes(std::span(other));
    for (const Compress compress : {Compress::yes, Compress::no}) {
      const bool goes_on = compress == Compress::no;
      s.server.on_thread([&](App& app) { app.to("room").send(bytes, compress); });
      s.all_read(kBinary, other);
      CHECK((direct() < alone / 2) == goes_on);
      s.server.on_thread([&](App& app) { app.to_route("/dedicated").send(SharedFrame::binary(bytes), compress); });
      for (const size_t c : {4u, 5u, 6u, 8u, 9u}) CHECK(s.clients[c].reads(kBinary, other));
      CHECK((direct() < alone / 2) == goes_on);
      s.server.on_thread([&](App&) {
        const SharedFrame frame = SharedFrame::binary(bytes);
        for (const WebSocket& ws : s.sockets) ws.send(frame, compress);
      });
      s.all_read(kBinary, other);
      CHECK((direct() < alone / 2) == goes_on);
    }
  }
}

TEST_CASE("ws deflate rooms: mixed with what is sent to one, with excepts, all in order") {
  RoomServer s;
  std::mt19937 random(11);
  for (int turn = 0; turn < 60; turn++) {
    std::vector<std::vector<std::string>> wanted(s.clients.size());
    s.server.on_thread([&](App& app) {
      const int messages = 1 + static_cast<int>(random() % 12);
      for (int i = 0; i < messages; i++) {
        const size_t size = random() % 8 == 0 ? random() % 100'000 : random() % 1200;
        const auto seed = static_cast<uint32_t>(turn * 100 + i);
        const std::string text = random() % 6 == 0 ? noise(size, seed) : words(size, seed);
        const auto bytes = std::as_bytes(std::span(text));
        const Compress compress = static_cast<Compress>(random() % 3);
        const size_t one = random() % s.clients.size();
        const size_t other = random() % s.clients.size();
        const auto to_all = [&](auto&& left_out) {
          for (size_t c = 0; c < s.clients.size(); c++) {
            if (!left_out(c)) wanted[c].push_back(text);
          }
        };
        switch (random() % 8) {
          case 0: s.sockets[one].send(bytes, compress); wanted[one].push_back(text); break;
          case 1: s.sockets[one].send(SharedFrame::binary(bytes), compress); wanted[one].push_back(text); break;
          case 2:
            s.sockets[one].to("room").send(bytes, compress);
            to_all([&](size_t c) { return c == one; });
            break;
          case 3:
            app.to("room").except(s.sockets[one]).except(s.sockets[other]).send(bytes, compress);
            to_all([&](size_t c) { return c == one || c == other; });
            break;
          case 4:
            s.sockets[one].broadcast(bytes, compress);
            to_all([&](size_t c) { return c == one; });
            break;
          case 5:
            app.to_route(kKinds[one].target).send(bytes, compress);
            to_all([&](size_t c) { return kKinds[c].target != kKinds[one].target; });
            break;
          case 6:
            app.everybody().send(bytes, compress);
            to_all([](size_t) { return false; });
            break;
          default:
            app.to("room").send(SharedFrame::binary(bytes), compress);
            to_all([](size_t) { return false; });
        }
      }
    });
    for (size_t c = 0; c < s.clients.size(); c++) {
      CAPTURE(turn);
      CAPTURE(c);
      for (const std::string& text : wanted[c]) {
        const WsMessage message = s.clients[c].read();
        REQUIRE(message.wrong == "");
        REQUIRE(message.is(kBinary, text));
      }
    }
  }
  // What they say to each other, compressed with contexts where they have some.
  for (int i = 0; i < 40; i++) {
    const size_t from = static_cast<size_t>(i) % s.clients.size();
    const std::string text = words(400, static_cast<uint32_t>(i));
    DeflateClient& sender = s.clients[from];
    REQUIRE((sender.agreed ? sender.send_packed(kText, text) : sender.send(ws_frame(kText, text))));
    for (size_t c = 0; c < s.clients.size(); c++) {
      CAPTURE(c);
      if (c != from) REQUIRE(s.clients[c].reads(kText, text));
    }
  }
  for (DeflateClient& client : s.clients) CHECK(client.closes_nicely());
}

TEST_CASE("ws deflate rooms: noise that does not shrink is not tried for a while, for this room alone") {
  RoomServer s;
  const auto send = [&](const std::string& text) {
    s.server.on_thread([&](App& app) { app.to("room").send(std::as_bytes(std::span(text))); });
    bool compressed = false;
    for (size_t i = 0; i < s.clients.size(); i++) {
      const WsMessage message = s.clients[i].read();
      REQUIRE(message.is(kBinary, text));
      if (i == 1) compressed = message.compressed;
    }
    return compressed;
  };
  const std::string text = words(1000, 1);
  const std::string good = noise(500, 1) + noise(500, 1);  // looks like noise, too
  CHECK(send(good));
  CHECK(!send(noise(1000, 2)));
  CHECK(!send(good));
  // A message to one, and one to the route, are tried all the same.
  s.server.on_thread([&](App& app) {
    s.sockets[1].send(std::as_bytes(std::span(good)));
    app.to_route("/shared").send(std::as_bytes(std::span(good)));
  });
  for (int i = 0; i < 2; i++) {
    const WsMessage message = s.clients[1].read();
    CHECK(message.is(kBinary, good));
    CHECK(message.compressed);
  }
  for (const size_t i : {size_t{0}, size_t{2}, size_t{3}}) CHECK(s.clients[i].reads(kBinary, good));
  // So is what does not look like noise: one member that sends some is nobody else's loss.
  for (uint32_t i = 0; i < 40; i++) {
    CHECK(!send(noise(1000, i)));
    CHECK(send(text));
  }
  int plain = 0;
  while (plain < 2000 && !send(good)) plain++;
  CHECK(plain < 200);
  CHECK(send(good));
}

TEST_CASE("ws deflate rooms: members that leave, and rooms that end, in the turn they were sent to") {
  RoomServer s;
  for (int i = 0; i < 30; i++) {
    const std::string text = words(2000, static_cast<uint32_t>(i));
    s.server.on_thread([&](App& app) {
      for (const WebSocket& ws : s.sockets) ws.join("brief");
      app.to("brief").send(text);
      for (const WebSocket& ws : s.sockets) ws.leave("brief");
      app.to("brief").send("to nobody");
      s.sockets[1].join("brief");
      app.to("room").send(text + "again");
    });
    s.all_read(kText, text);
    s.all_read(kText, text + "again");
  }
  // One that is gone when its turn comes.
  const std::string text = words(3000, 77);
  s.server.on_thread([&](App& app) {
    app.to("room").send(text);
    s.sockets[4].abort();
    app.to("room").send(text + "2");
  });
  for (size_t i = 0; i < s.clients.size(); i++) {
    if (i == 4) continue;
    CHECK(s.clients[i].reads(kText, text));
    CHECK(s.clients[i].reads(kText, text + "2"));
  }
}

TEST_CASE("ws deflate rooms: without memory a message is lost to some or goes plain, and the next ones are understood") {
  size_t failures = 0;
  for (size_t n = 0;; n++) {
    CAPTURE(n);
    REQUIRE(n < 500);
    FailingAlloc memory;
    size_t used = 0;
    {
      SteppedServer server([](App& app) { room_routes(app, [](WebSocket) {}); });
      std::vector<DeflateClient> clients;
      for (const Kind& kind : kKinds) clients.push_back(open_deflate(server, kind.target, kind.offer));
      FailingAlloc::only_once = n % 2 == 0;
      FailingAlloc::left = n / 2;
      for (uint32_t i = 0; i < 4; i++) {
        server.app().to("room").send(words(i % 2 ? 90'000 : 900, i));
        server.app().to_route("/dedicated").send(words(500, i));
        server.turn();
      }
      used = FailingAlloc::failures;
      failures += used;
      FailingAlloc::left = SIZE_MAX;
      server.app().to("room").send("last", Compress::no);
      for (DeflateClient& client : clients) {
        WsMessage message;
        while (message.text != "last" && client.tcp.end() == Client::End::open) {
          message = next_message(server, client);
          REQUIRE(message.wrong == "");
        }
        CHECK(message.text == "last");
      }
      for (const char* text : {"one and the same", "one and the same and more", "one"}) {
        server.app().to("room").send(text, Compress::yes);
        for (DeflateClient& client : clients) REQUIRE(next_message(server, client).is(kText, text));
      }
      clients.clear();
    }
    CHECK(FailingAlloc::held == 0);
    if (used == 0 && n % 2) break;
  }
  CHECK(failures > 20);
}

// Several workers --------------------------------------------------------------------------------------------------------

TEST_CASE("server_deflate: each of two workers compresses for its own") {
  MultiServer server(2, [](App& app, uint32_t worker) {
    room_routes(app, [worker](WebSocket ws) { MultiServer::tell(ws, worker); });
  });
  // A client of each kind on each worker, whichever way the kernel sends them.
  struct Member {
    uint32_t worker;
    const Kind* kind;
    DeflateClient client;
  };
  std::vector<Member> members;
  for (const Kind& kind : kKinds) {
    for (uint32_t worker = 0; worker < 2; worker++) {
      for (int tries = 0; tries < 1000; tries++) {
        DeflateClient client(server.port(), kind.target, kind.offer);
        REQUIRE(client.open());
        const WsMessage told = client.read();
        if (!told.is(kText, "worker " + std::to_string(worker))) continue;
        members.push_back({worker, &kind, std::move(client)});
        break;
      }
    }
  }
  REQUIRE(members.size() == 2 * std::size(kKinds));
  REQUIRE(eventually([&] {
    return server.on_worker(0, [](App& app) { return app.room("room").size(); }) == members.size();
  }));
  const Room room = server.on_worker(0, [](App& app) { return app.room("room"); });
  uint64_t compressed = 0;
  for (uint32_t i = 0; i < 60; i++) {
    CAPTURE(i);
    const uint32_t from = i % 2;
    const Compress compress = i % 5 == 4 ? Compress::no : i % 5 == 3 ? Compress::yes : Compress::automatic;
    const std::string text = words(i % 7 == 6 ? 150'000 : 1000 + i, i);
    switch (i % 3) {
      case 0: server.on_worker(from, [&](App& app) { app.to("room").send(text, compress); }); break;
      case 1: server.on_worker(from, [&](App& app) { app.to("room").send(SharedFrame::text(text), compress); }); break;
      default: room.send(text, compress);  // from this thread
    }
    for (Member& member : members) {
      CAPTURE(member.worker);
      CAPTURE(std::string(member.kind->offer));
      const WsMessage message = member.client.read();
      REQUIRE(message.wrong == "");
      REQUIRE(message.is(kText, text));
      const bool reaches = compress == Compress::automatic && text.size() >= threshold_of(*member.kind);
      CHECK(message.compressed == (member.client.agreed && (compress == Compress::yes || reaches)));
    }
    compressed += compress != Compress::no;
  }
  // A worker tells its figures once in a while.
  for (const uint32_t worker : {0u, 1u}) {
    const auto deflated = [&] { return server.server().stats(worker).messages_deflated; };
    CHECK(eventually([&] { return deflated() == compressed * kClasses; }, milliseconds(2000)));
    CHECK(deflated() == compressed * kClasses);
  }
  // Many in a turn: a parcel of several, of which some are compressed.
  for (uint32_t round = 0; round < 20; round++) {
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < 20; i++) texts.push_back(words((i * 137 + round * 31) % 1500, round * 100 + i));
    server.on_worker(round % 2, [&](App& app) {
      for (uint32_t i = 0; i < 20; i++) app.to("room").send(texts[i], i % 6 == 5 ? Compress::yes : Compress::automatic);
    });
    for (Member& member : members) {
      for (const std::string& text : texts) REQUIRE(member.client.reads(kText, text));
    }
  }
}

// Sent on as it came ----------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate rooms: a message that was inflated is sent on, shared and kept, and stays what it was") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    std::vector<WebSocket> sockets;
    std::vector<SharedFrame> kept;
    TestServer server([&](App& app) {
      WsHandlers handlers;
      handlers.open = [&](WebSocket ws, Request&) { sockets.push_back(ws), ws.join("room"); };
      handlers.message = [&](WebSocket ws, const Message& m) {
        ws.send(m, Compress::no);
        ws.send("between");
        kept.push_back(m.share());
        for (const WebSocket& each : sockets) each.send(m, Compress::no);
        ws.send(m, Compress::yes);
        ws.send(m.share(), Compress::no);
        ws.send(m.share(), Compress::yes);
        ws.to("room").send(m);
        ws.send(m, Compress::no);
      };
      handlers.options = with(keeps ? Deflate{.mode = CompressionMode::dedicated, .threshold = 1} : Deflate{.threshold = 1});
      app.ws("/", std::move(handlers));
    });
    std::vector<DeflateClient> clients;
    for (const char* offer : {"permessage-deflate", "", "permessage-deflate; server_max_window_bits=9"}) {
      clients.emplace_back(server.port(), "/", offer);
      server.turn();
    }
    std::vector<std::string> all;
    for (const size_t size : {size_t{0}, size_t{3}, size_t{126}, size_t{5000}, size_t{16'384}, size_t{32'768}, size_t{40'000},
                              size_t{65'535}, size_t{65'536}, size_t{70'000}, size_t{131'073}, size_t{1'000'000}, size_t{5'000'000}}) {
      for (const bool pieces : {false, true}) {
        CAPTURE(size);
        CAPTURE(pieces);
        const std::string text = size > 1'000'000 ? words(size, 5) : pattern(size, static_cast<uint32_t>(size));
        all.push_back(text);
        const std::string payload = clients[0].pack(text);
        REQUIRE(clients[0].send(pieces ? packed_fragments(kText, payload, {payload.size() / 2, 1})
                                       : ws_frame(kText, payload, {.rsv = kRsv1})));
        REQUIRE(clients[0].reads(kText, text));
        REQUIRE(clients[0].reads(kText, "between"));
        for (int i = 0; i < 5; i++) REQUIRE(clients[0].reads(kText, text));
        for (size_t c = 1; c < clients.size(); c++) {
          for (int i = 0; i < 2; i++) REQUIRE(clients[c].reads(kText, text));
        }
      }
    }
    server.on_thread([&](App&) {
      REQUIRE(kept.size() == all.size());
      for (size_t i = 0; i < all.size(); i++) CHECK((std::string_view(reinterpret_cast<const char*>(kept[i].payload().data()), kept[i].payload().size()) == all[i]));
      kept.clear();
    });
  }
}

TEST_CASE("ws_deflate_rooms: to several rooms, each reads it once, and it is compressed once for each class") {
  RoomServer rooms;
  const uint64_t before = rooms.server.stats().messages_deflated;
  const std::string large = words(20'000, 1);
  rooms.server.on_thread([&](App& app) {
    for (size_t i = 0; i < rooms.sockets.size(); i += 2) rooms.sockets[i].join({"another", "third"});
    app.to({"another", "room", "third"}).send(large);
    app.to("room").send("small");
    app.to({"third", "room"}).send(words(8'000, 2));
  });
  rooms.all_read(kText, large);
  rooms.all_read(kText, "small");
  rooms.all_read(kText, words(8'000, 2));
  CHECK(rooms.server.stats().messages_deflated - before == 2 * kClasses);
}

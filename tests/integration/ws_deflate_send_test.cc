// Compressed messages that a server sends to one connection: what is compressed and what is not, contexts and windows,
// the budget for them, slow receivers. Rooms are in ws_deflate_rooms_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "support/deflate_writer.h"
#include "support/failing_alloc.h"
#include "support/server.h"
#include "support/stepped_deflate.h"
#include "support/ws_deflate_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr std::string_view kPlainOffer = "permessage-deflate; client_max_window_bits";

std::string whole(std::string_view payload, uint8_t opcode = kText) { return ws_frame(opcode, payload, {.rsv = kRsv1}); }
std::string text_of(const DeflateWriter& writer) { return {writer.bytes.begin(), writer.bytes.end()}; }

std::string noise(size_t size, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::string bytes;
  for (size_t i = 0; i < size; i++) bytes.push_back(static_cast<char>(random() >> 13));
  return bytes;
}

// One WebSocket and its client; what is sent is sent by the test.
struct Pair {
  explicit Pair(WsOptions options, std::string_view offer = kPlainOffer, TestServerOptions server_options = {},
                const ConnectOptions& connect = {})
      : server([this, options](App& app) {
                 app.ws("/", {.open = [this](WebSocket ws, Request&) { socket = ws, ws.join("room"); }, .options = options});
               }, std::move(server_options)),
        client(server.port(), "/", offer, {}, connect) {
    REQUIRE(client.open());
    server.turn();
  }
  SendStatus send(std::string_view text, Compress compress = Compress::automatic) {
    return server.on_thread([&](App&) { return socket.send(text, compress); });
  }
  WebSocket socket;
  TestServer server;
  DeflateClient client;
};

Deflate dedicated(Deflate deflate = {}) {
  deflate.mode = CompressionMode::dedicated;
  deflate.threshold = 1;
  return deflate;
}

}  // namespace

// What is compressed ----------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate send: by threshold, by Compress, by every way to send") {
  Pair p({.compression = Deflate{.threshold = 1000}});
  using Way = std::function<SendStatus(const std::string&, Compress)>;
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  App& app = p.server.app();
  const WebSocket& ws = p.socket;
  const std::vector<Way> ways = {
      [&](const std::string& t, Compress c) { return ws.send(t, c); },
      [&](const std::string& t, Compress c) { return ws.send(bytes(t), c); },
      [&](const std::string& t, Compress c) { return ws.send(SharedFrame::text(t), c); },
      [&](const std::string& t, Compress c) { return app.to("room").send(t, c); },
      [&](const std::string& t, Compress c) { return app.to("room").send(bytes(t), c); },
      [&](const std::string& t, Compress c) { return app.to("room").send(SharedFrame::text(t), c); },
      [&](const std::string& t, Compress c) { return app.to_route("/").send(t, c); },
      [&](const std::string& t, Compress c) { return app.everybody().send(SharedFrame::binary(bytes(t)), c); },
  };
  for (const bool from_elsewhere : {false, true}) {
    for (size_t way = 0; way < ways.size(); way++) {
      for (const size_t size : {size_t{0}, size_t{1}, size_t{30}, size_t{125}, size_t{126}, size_t{999}, size_t{1000},
                                size_t{5000}, size_t{70'000}}) {
        for (const Compress compress : {Compress::automatic, Compress::no, Compress::yes}) {
          CAPTURE(from_elsewhere);
          CAPTURE(way);
          CAPTURE(size);
          CAPTURE(static_cast<int>(compress));
          const std::string text(size, 'x');
          if (from_elsewhere) {
            REQUIRE(ways[way](text, compress) == SendStatus::posted);
          } else {
            const SendStatus status = p.server.on_thread([&](App&) { return ways[way](text, compress); });
            REQUIRE((status == SendStatus::ok || status == SendStatus::backpressure));
          }
          const WsMessage message = p.client.read();
          REQUIRE(message.ok());
          REQUIRE(message.text == text);
          const bool wanted = compress == Compress::yes ? size >= 30 : compress == Compress::automatic && size >= 1000;
          if (size != 1) CHECK(message.compressed == wanted);
        }
      }
    }
  }
}

TEST_CASE("ws deflate send: what does not shrink goes plain, of whatever size") {
  for (const bool keeps : {false, true}) {
    Pair p({.compression = keeps ? dedicated() : Deflate{.threshold = 1}, .max_unsent_bytes = 64_MiB});
    for (const size_t size : {1u, 125u, 126u, 65'535u, 65'536u, 1'000'000u}) {
      CAPTURE(size);
      const std::string bytes = noise(size, size);
      for (const Compress compress : {Compress::yes, Compress::automatic}) {
        p.server.on_thread([&](App&) { return p.socket.send(std::as_bytes(std::span(bytes)), compress); });
        const WsMessage message = p.client.read();
        CHECK(message.is(kBinary, bytes));
        CHECK(!message.compressed);
      }
      // And what comes behind it is understood.
      const std::string text = "behind " + std::string(40, 'x') + std::to_string(size);
      p.send(text, Compress::yes);
      CHECK(p.client.reads(kText, text));
    }
  }
}

TEST_CASE("ws deflate send: noise that does not shrink is not tried for a while, then again") {
  Pair p({.compression = Deflate{.threshold = 100}});
  const std::string bad = noise(1000);
  const std::string good = noise(500) + noise(500);  // looks like noise, too
  const std::string text(1000, 'x');
  const auto compressed = [&](const std::string& text, Compress compress) {
    p.server.on_thread([&](App&) { return p.socket.send(std::as_bytes(std::span(text)), compress); });
    const WsMessage message = p.client.read();
    REQUIRE(message.is(kBinary, text));
    return message.compressed;
  };
  CHECK(compressed(good, Compress::automatic));
  // How many good ones go plain before one is tried.
  const auto pause = [&] {
    int plain = 0;
    while (plain < 5000 && !compressed(good, Compress::automatic)) plain++;
    return plain;
  };
  CHECK(!compressed(bad, Compress::automatic));
  CHECK(compressed(text, Compress::automatic));  // no noise, no pause, and it does not end that of noise
  CHECK(!compressed(good, Compress::automatic));
  const int first = pause() + 1;
  CHECK(first > 4);
  CHECK(first < 64);
  CHECK(pause() == 0);  // it pays again
  CHECK(pause() == 0);
  // For longer each time, but not for ever.
  int last = 0;
  for (int i = 0; i < 3000; i++) CHECK(!compressed(bad, Compress::automatic));
  last = pause();
  CHECK(last > first);
  CHECK(last <= 1024);
  CHECK(pause() == 0);
  CHECK(!compressed(bad, Compress::automatic));
  CHECK(pause() == first);
  // It is asked of nobody who says yes.
  CHECK(!compressed(bad, Compress::automatic));
  CHECK(compressed(good, Compress::yes));
}

TEST_CASE("ws deflate send: who sends noise switches compression off for nobody else, nor for text") {
  std::vector<WebSocket> sockets;
  TestServer server([&](App& app) {
    // To its sender, and to all by a frame of its own.
    const auto echo_to_all = [&](WebSocket ws, const Message& m) {
      ws.send(m);
      const SharedFrame frame = m.share();
      for (const WebSocket& one : sockets) one.send(frame);
      for (const WebSocket& one : sockets) one.send(m);
    };
    app.ws("/", {.open = [&](WebSocket ws, Request&) { sockets.push_back(ws); }, .message = echo_to_all,
                 .options = {.compression = Deflate{.threshold = 100}}});
    app.ws("/echo", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
                     .options = {.compression = Deflate{.threshold = 100}}});
  });
  DeflateClient noisy(server.port());
  DeflateClient other(server.port());
  REQUIRE(noisy.open());
  REQUIRE(other.open());
  const std::string text(1000, 'x');
  for (uint32_t i = 0; i < 50; i++) {
    REQUIRE(noisy.send(ws_frame(kBinary, noise(1000, i))));
    for (int n = 0; n < 3; n++) REQUIRE(!noisy.read().compressed);
    for (int n = 0; n < 2; n++) REQUIRE(!other.read().compressed);
    REQUIRE(other.send(ws_frame(kText, text)));
    for (int n = 0; n < 3; n++) REQUIRE(other.read().compressed);
    for (int n = 0; n < 2; n++) REQUIRE(noisy.read().compressed);
  }
  // What looks like noise and shrinks, too, where everybody is answered alone.
  DeflateClient first(server.port(), "/echo");
  DeflateClient second(server.port(), "/echo");
  for (uint32_t i = 0; i < 20; i++) {
    REQUIRE(first.send(ws_frame(kBinary, noise(1000, i))));
    CHECK(!first.read().compressed);
    REQUIRE(second.send(ws_frame(kBinary, noise(500) + noise(500))));
    CHECK(second.read().compressed);
  }
}

TEST_CASE("ws deflate send: options of App and route, and agents that are left out") {
  TestServerOptions options;
  options.app.compression = Deflate{.threshold = 1};
  std::vector<std::string> own = broken_deflate_agents();
  own.push_back("Teapot");
  TestServer server([&](App& app) {
    const auto echo = [](WebSocket ws, const Message& m) { ws.send(m); };
    app.ws("/as-app", {.message = echo});
    app.ws("/off", {.message = echo, .options = {.compression = false}});
    app.ws("/own", {.message = echo, .options = {.compression = Deflate{.broken_agents = {"", "Teapot"}, .threshold = 1000}}});
    app.ws("/added", {.message = echo, .options = {.compression = Deflate{.broken_agents = own}}});
    app.ws("/nobody", {.message = echo, .options = {.compression = Deflate{.broken_agents = {}}}});
  }, options);
  const std::string safari = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.2 Safari/605";
  const auto agreed = [&](std::string_view target, const std::string& agent) {
    const DeflateClient client(server.port(), target, kPlainOffer, agent.empty() ? "" : "User-Agent: " + agent + "\r\n");
    REQUIRE(client.open());
    REQUIRE(client.agreed == !client.answer.empty());
    return client.agreed;
  };
  for (const std::string target : {"/as-app", "/off", "/own", "/added", "/nobody"}) {
    CAPTURE(target);
    CHECK(agreed(target, "") == (target != "/off"));
    CHECK(agreed(target, "Version/15.4") == (target != "/off"));
    CHECK(agreed(target, "Version/115.0") == (target != "/off"));
    CHECK(agreed(target, safari) == (target == "/own" || target == "/nobody"));
    CHECK(agreed(target, "Trader/4 CFNetwork/1325.0.1 Darwin/21.1.0") == (target == "/own" || target == "/nobody"));
    CHECK(agreed(target, "a Teapot/1.0") == (target == "/as-app" || target == "/nobody"));
  }
  const std::string text(500, 'x');
  for (const auto& [target, compressed] : {std::pair("/as-app", true), {"/off", false}, {"/own", false}}) {
    DeflateClient client(server.port(), target);
    REQUIRE(client.send(ws_frame(kText, text)));
    const WsMessage message = client.read();
    CHECK(message.is(kText, text));
    CHECK(message.compressed == compressed);
  }
  // The other way round: nothing said at the App is off.
  TestServer other([](App& app) {
    app.ws("/as-app", {});
    app.ws("/on", {.options = {.compression = true}});
  });
  CHECK(!DeflateClient(other.port(), "/as-app").agreed);
  CHECK(DeflateClient(other.port(), "/on").agreed);
}

// Contexts and windows --------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate send: contexts both ways, in every agreement and with every window") {
  for (const int server_bits : {0, 8, 9, 11, 15}) {
    for (const int client_bits : {0, 8, 9, 12, 15}) {
      for (int none = 0; none < 4; none++) {
        std::string offer = "permessage-deflate";
        if (none & 1) offer += "; server_no_context_takeover";
        if (none & 2) offer += "; client_no_context_takeover";
        if (server_bits) offer += "; server_max_window_bits=" + std::to_string(server_bits);
        if (client_bits) offer += "; client_max_window_bits=" + std::to_string(client_bits);
        CAPTURE(offer);
        TestServer server([](App& app) {
          app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m); },
                       .options = {.compression = dedicated(), .max_unsent_bytes = 64_MiB}});
        });
        DeflateClient client(server.port(), "/", offer);
        REQUIRE(client.agreed);
        CHECK(client.client_keeps == !(none & 2));
        std::string block = noise(200, 7);  // comes again in every message
        for (char& c : block) c = static_cast<char>('a' + (c & 15));
        size_t first = 0;
        size_t second = 0;
        for (int i = 0; i < 12; i++) {
          std::string text = block + std::to_string(i);
          if (i % 3 == 2) text += pattern(size_t{100} << i, static_cast<uint32_t>(i)) + block;
          const std::string payload = client.pack(text);
          const bool pieces = i % 2 == 1;
          REQUIRE(client.send(pieces ? packed_fragments(kBinary, payload, {payload.size() / 2}) : whole(payload, kBinary)));
          const WsMessage message = client.read();
          REQUIRE(message.wrong == "");
          REQUIRE(message.is(kBinary, text));
          if (i == 0) first = message.payload_bytes;
          if (i == 1) second = message.payload_bytes;
        }
        // The second resembles the first. With 8 bits the window is just large enough.
        CHECK(first > 100);
        CHECK((second < 40) == !(none & 1));
        CHECK(client.closes_nicely());
      }
    }
  }
}

TEST_CASE("ws deflate send: distances beyond the agreed window, or into what is no context, are 1007") {
  for (int bits = 8; bits <= 15; bits++) {
    const std::string offer = "permessage-deflate; client_max_window_bits=" + std::to_string(bits);
    const auto window = static_cast<unsigned>(1 << bits);
    CAPTURE(bits);
    const std::string content = pattern(window + 100);
    for (const bool keeps : {false, true}) {
      CAPTURE(keeps);
      TestServer server([keeps](App& app) {
        app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m, Compress::no); },
                     .options = {.compression = keeps ? dedicated() : Deflate{}}});
      });
      for (const bool pieces : {false, true}) {
        for (const unsigned distance : {1u, window - 1, window, window + 1, window + 50}) {
          if (distance > 32768) continue;
          CAPTURE(distance);
          const bool good = distance <= window;
          const auto frames = [&](const DeflateWriter& writer) {
            const std::string payload = text_of(writer);
            return pieces ? packed_fragments(kBinary, payload, {payload.size() / 2}) : whole(payload, kBinary);
          };
          // Within a message.
          DeflateWriter one;
          one.stored(content).fixed().match(3, distance).end().stored("!");
          one.bytes.push_back(0);
          DeflateClient client(server.port(), "/", offer);
          REQUIRE(client.client_bits == bits);
          REQUIRE(client.send(frames(one)));
          if (good) CHECK(client.reads(kBinary, one.output));
          if (!good) CHECK(client.read_close() == 1007);
          // Into the message before.
          DeflateWriter before;
          before.stored(content).bytes.push_back(0);
          DeflateWriter next;
          next.fixed().bad_match(3, distance).end().stored("!");
          next.bytes.push_back(0);
          DeflateClient again(server.port(), "/", offer);
          REQUIRE(again.send(frames(before) + frames(next)));
          CHECK(again.reads(kBinary, content));
          if (good && keeps) {
            std::string wanted = content;
            for (int i = 0; i < 3; i++) wanted += wanted[wanted.size() - distance];
            CHECK(again.reads(kBinary, wanted.substr(content.size()) + "!"));
          } else {
            CHECK(again.read_close() == 1007);
          }
        }
      }
    }
  }
}

TEST_CASE("ws deflate send: a window that the server asks for") {
  for (int bits = 8; bits <= 15; bits++) {
    CAPTURE(bits);
    Deflate deflate = dedicated();
    deflate.client_max_window_bits = bits;
    deflate.server_max_window_bits = bits;
    TestServer server([&](App& app) {
      app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }, .options = {.compression = deflate}});
    });
    DeflateClient can(server.port(), "/", "permessage-deflate; client_max_window_bits");
    CHECK(can.client_bits == bits);
    DeflateClient cannot(server.port(), "/", "permessage-deflate; server_max_window_bits=15");
    CHECK(cannot.client_bits == 15);
    CHECK((cannot.answer.find("server_max_window_bits=" + std::to_string(bits)) != std::string::npos));
    const std::string block = noise(100, 3);
    for (DeflateClient* client : {&can, &cannot}) {
      for (int i = 0; i < 6; i++) CHECK(client->echoes("a" + pattern(size_t{3000} * static_cast<size_t>(i)) + "b"));
    }
  }
}

TEST_CASE("ws deflate send: where the budget is spent there is no context, and it is given back") {
  TestServerOptions options;
  options.app.compression_budget_bytes = 400'000;  // for two of about 150 KB, and not for three
  TestServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }, .options = {.compression = dedicated()}});
  }, options);
  const auto keeps = [](const DeflateClient& c) { return c.agreed && c.client_keeps; };
  for (int round = 0; round < 3; round++) {
    const Stats before = server.stats();
    CHECK(before.compression_bytes == 0);
    {
      DeflateClient first(server.port()), second(server.port()), third(server.port()), fourth(server.port());
      CHECK(keeps(first));
      CHECK(keeps(second));
      for (DeflateClient* c : {&third, &fourth}) {
        CHECK(c->agreed);
        CHECK((c->answer.find("client_no_context_takeover") != std::string::npos));
        CHECK((c->answer.find("server_no_context_takeover") != std::string::npos));
      }
      const Stats stats = server.stats();
      CHECK(stats.compression_fallbacks - before.compression_fallbacks == 2);
      CHECK(stats.compression_bytes > 200'000);
      CHECK(stats.compression_bytes <= 400'000);
      // Small windows cost little, and there is room for them still.
      DeflateClient small(server.port(), "/", "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9");
      CHECK(keeps(small));
      for (int i = 0; i < 5; i++) {
        for (DeflateClient* c : {&first, &second, &third, &fourth, &small}) CHECK(c->echoes("resembling " + std::to_string(i)));
      }
      first.tcp.close();
      CHECK(server.wait_for_connections(4));
      DeflateClient fifth(server.port());
      CHECK(keeps(fifth));
    }
    CHECK(server.wait_for_connections(0));
  }
}

// Slow receivers --------------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate send: messages that are dropped leave those that come understood") {
  for (const SlowConsumerPolicy policy : {SlowConsumerPolicy::drop_oldest, SlowConsumerPolicy::drop_newest}) {
    for (const bool keeps : {false, true}) {
      CAPTURE(static_cast<int>(policy));
      CAPTURE(keeps);
      Pair p({.compression = keeps ? dedicated() : Deflate{.threshold = 1}, .max_unsent_bytes = 100'000, .slow_consumer = policy},
             kPlainOffer, {}, {.receive_buffer_bytes = 4096});
      const bool server_keeps = p.client.answer.find("server_no_context_takeover") == std::string::npos;
      CHECK(server_keeps == (keeps && policy == SlowConsumerPolicy::drop_newest));
      // Half of each shrinks, and resembles what the others have there.
      const std::string same = noise(1000, 5);
      const auto text_number = [&](int i) { return std::to_string(i) + " " + same + noise(2000, static_cast<uint32_t>(i)); };
      const int count = 3000;
      int told_dropped = 0;
      for (int i = 0; i < count; i++) {
        const std::string text = text_number(i);
        const SendStatus status = p.server.on_thread([&](App& app) {
          if (i % 7 == 3) return app.to("room").send(std::as_bytes(std::span(text)), Compress::yes);
          return p.socket.send(std::as_bytes(std::span(text)), Compress::yes);
        });
        told_dropped += status == SendStatus::dropped;
      }
      int last = -1;
      int read = 0;
      std::string end;
      p.server.on_thread([&](App&) { p.socket.close(CloseCode::normal, "end"); });
      for (;;) {
        const WsMessage message = p.client.read();
        REQUIRE(message.wrong == "");
        if (message.opcode == kClose) break;
        REQUIRE(message.ok());
        const int number = std::atoi(message.text.c_str());
        REQUIRE(message.text == text_number(number));
        CHECK(number > last);
        last = number;
        read++;
      }
      CHECK(read < count);
      CHECK(read > 30);
      if (policy == SlowConsumerPolicy::drop_oldest) CHECK(last == count - 1);
      if (policy == SlowConsumerPolicy::drop_newest) CHECK(told_dropped > 0);
      CHECK(p.server.stats().messages_dropped == static_cast<uint64_t>(count - read));
    }
  }
}

// Memory ----------------------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate send: when it is warm, no message takes memory") {
  for (const bool keeps : {false, true}) {
    CAPTURE(keeps);
    FailingAlloc memory;
    {
      SteppedServer server([keeps](App& app) {
        app.ws("/", {.open = [](WebSocket ws, Request&) { ws.join("room"); },
                     .message = [](WebSocket ws, const Message& m) {
                       ws.send(m);
                       ws.send(m, Compress::no);
                       ws.to("room").send(m);
                     },
                     .options = {.compression = keeps ? dedicated() : Deflate{.threshold = 1},
                                 .max_message_bytes = 4_MiB, .max_unsent_bytes = 64_MiB}});
      });
      std::vector<DeflateClient> clients;
      for (int i = 0; i < 3; i++) clients.push_back(open_deflate(server, "/", kPlainOffer));
      const auto gets = [&](DeflateClient& client, std::string_view text) {
        REQUIRE(next_message(server, client).is(kText, text));
      };
      for (const size_t size : {20u, 2000u, 60'000u, 300'000u}) {
        const std::string text = pattern(size);
        const std::string payload = packed(text);
        for (const std::string& bytes : {whole(payload), packed_fragments(kText, payload, {payload.size() / 3, 0})}) {
          CAPTURE(size);
          const auto round = [&] {
            REQUIRE(clients[0].tcp.send_some(bytes, milliseconds(1000)) == bytes.size());
            for (int i = 0; i < 2; i++) gets(clients[0], text);
            for (size_t i = 1; i < 3; i++) gets(clients[i], text);
          };
          for (int i = 0; i < 10; i++) round();
          FailingAlloc::failures = 0;
          FailingAlloc::left = 0;
          for (int i = 0; i < 20; i++) round();
          FailingAlloc::left = SIZE_MAX;
          CHECK(FailingAlloc::failures == 0);
        }
      }
      clients.clear();
    }
    CHECK(FailingAlloc::held == 0);
  }
}

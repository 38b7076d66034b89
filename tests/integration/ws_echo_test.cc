// Messages in and back over a real socket: every form of the length, every place where a packet may end, fragments with
// control frames between them, many frames in one packet, and long random conversations.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

void echo_routes(App& app) {
  app.ws("/", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); },
               .options = {.max_message_bytes = 4_MiB, .max_unsent_bytes = 64_MiB}});
}

struct Expected {
  uint8_t opcode;
  std::string payload;
};

// One byte of every value, so that binary messages cannot be mistaken for text.
std::string all_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<char>(i * 7 + i / 256);
  return bytes;
}

bool reads_all(WsClient& client, const std::vector<Expected>& expected) {
  for (const Expected& e : expected) {
    const WsFrame frame = client.read_frame();
    if (!frame.is(e.opcode, e.payload)) {
      MESSAGE("got opcode " << int{frame.opcode} << " of " << frame.payload.size() << " bytes, wanted "
                            << int{e.opcode} << " of " << e.payload.size() << "; " << frame.wrong);
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("ws echo: every form of the length, text and binary") {
  TestServer server(echo_routes);
  WsClient client(server.port());
  REQUIRE(client.open());
  for (const size_t size : {0u, 1u, 2u, 124u, 125u, 126u, 127u, 511u, 512u, 513u, 65534u, 65535u, 65536u, 65537u,
                            524288u, 1048576u, 1048577u, 4194304u}) {
    CAPTURE(size);
    REQUIRE(client.send_text(pattern(size)));
    CHECK(client.read_frame().is(kText, pattern(size)));
    REQUIRE(client.send_binary(all_bytes(size)));
    CHECK(client.read_frame().is(kBinary, all_bytes(size)));
  }
  CHECK(client.close_nicely());
}

TEST_CASE("ws echo: every masking key unmasks, zero too") {
  TestServer server(echo_routes);
  WsClient client(server.port());
  REQUIRE(client.open());
  for (const uint32_t key : {0u, 1u, 0xFFu, 0xFF000000u, 0xFFFFFFFFu, 0x80000001u}) {
    for (const size_t size : {1u, 3u, 7u, 64u, 200u, 5000u}) {
      REQUIRE(client.send(ws_frame(kText, pattern(size, key), {.key = key})));
      CHECK(client.read_frame().is(kText, pattern(size, key)));
    }
  }
}

namespace {

// Everything that a frame can be, short: a packet may end at each of its bytes.
std::string small_sequence(std::vector<Expected>& expected) {
  std::string bytes;
  auto message = [&](uint8_t opcode, const std::string& payload) {
    bytes += ws_frame(opcode, payload);
    expected.push_back({opcode, payload});
  };
  message(kText, "a");
  message(kText, "");
  message(kBinary, all_bytes(130));
  bytes += ws_frame(kPing, "are you there?");
  expected.push_back({kPong, "are you there?"});
  bytes += ws_frame(kText, "caf\xC3", {.fin = false});  // é in two frames
  bytes += ws_frame(kPing, "");
  expected.push_back({kPong, ""});
  bytes += ws_frame(kContinuation, "", {.fin = false});
  bytes += ws_frame(kPong, "nobody asked");
  bytes += ws_frame(kContinuation, "\xA9 au lait");
  expected.push_back({kText, "caf\xC3\xA9 au lait"});
  bytes += ws_frame(kBinary, "", {.fin = false});
  bytes += ws_frame(kContinuation, "");
  expected.push_back({kBinary, ""});
  message(kText, "\xF0\x9F\x90\xA6");
  message(kText, std::string(125, 'z'));
  return bytes;
}

}  // namespace

TEST_CASE("ws echo: a sequence of frames in two packets, cut at every byte") {
  TestServer server(echo_routes);
  std::vector<Expected> expected;
  const std::string bytes = small_sequence(expected);
  WsClient client(server.port());
  REQUIRE(client.open());
  for (size_t cut = 1; cut < bytes.size(); cut++) {
    CAPTURE(cut);
    REQUIRE(client.send(std::string_view(bytes).substr(0, cut)));
    wait_a_turn(server);
    REQUIRE(client.send(std::string_view(bytes).substr(cut)));
    REQUIRE(reads_all(client, expected));
  }
  CHECK(client.close_nicely());
}

TEST_CASE("ws echo: a sequence of frames byte by byte, and all in one packet") {
  TestServer server(echo_routes);
  std::vector<Expected> expected;
  const std::string bytes = small_sequence(expected);
  WsClient client(server.port());
  REQUIRE(client.open());
  for (const char byte : bytes) {
    REQUIRE(client.send({&byte, 1}));
    wait_a_turn(server);
  }
  CHECK(reads_all(client, expected));
  REQUIRE(client.send(bytes));
  CHECK(reads_all(client, expected));
  CHECK(client.close_nicely());
}

namespace {

// A long conversation by chance: messages of many sizes, some of them in fragments with pings between.
struct Conversation {
  std::mt19937 source;
  size_t largest = SIZE_MAX;
  std::string bytes = {};
  std::vector<Expected> expected = {};

  uint32_t random() { return static_cast<uint32_t>(source()); }
  size_t below(size_t n) { return random() % n; }
  size_t size() {
    const size_t sizes[] = {below(8), below(130), below(1000), below(5000), 65500 + below(100), below(200000)};
    const size_t kind = below(40);
    const size_t wanted = sizes[kind < 20 ? 0 : kind < 30 ? 1 : kind < 35 ? 2 : kind < 38 ? 3 : kind < 39 ? 4 : 5];
    return wanted <= largest ? wanted : below(largest + 1);
  }
  void add_fragments(uint8_t opcode, std::string_view payload) {
    const uint32_t key = random();
    for (uint8_t op = opcode;; op = kContinuation) {
      const size_t size = below(payload.size() / 2 + 2);
      const bool last = size >= payload.size() || below(6) == 0;
      const std::string_view piece = last ? payload : payload.substr(0, size);
      bytes += ws_frame(op, piece, {.fin = last, .key = key});
      if (last) return;
      payload.remove_prefix(piece.size());
      if (below(3) == 0) add_ping();
    }
  }
  void add_ping() {
    const std::string payload = pattern(below(126), random());
    bytes += ws_frame(kPing, payload, {.key = random()});
    expected.push_back({kPong, payload});
  }
  void add_message() {
    const uint8_t opcode = below(2) ? kText : kBinary;
    const std::string payload = pattern(size(), random());
    if (below(4) == 0) {
      add_fragments(opcode, payload);
    } else {
      bytes += ws_frame(opcode, payload, {.key = random()});
    }
    expected.push_back({opcode, payload});
    if (below(10) == 0) add_ping();
  }
};

// Sends in pieces of random sizes from a thread of its own, as the answers have to be read meanwhile.
bool survives(uint16_t port, Conversation& talk, size_t largest_piece) {
  WsClient client(port);
  if (!client.open()) return false;
  Thread sender([&client, bytes = std::string_view(talk.bytes), largest_piece] {
    std::mt19937 random(7);
    for (size_t at = 0; at < bytes.size();) {
      const size_t piece = 1 + random() % largest_piece;
      if (!client.tcp.send(bytes.substr(at, piece))) return;
      at += piece;
    }
  });
  const bool good = reads_all(client, talk.expected);
  if (!good) client.tcp.shutdown_sending();
  sender.join();
  return good && client.close_nicely();
}

}  // namespace

TEST_CASE("ws echo: thousands of random messages in packets of random sizes") {
  TestServer server(echo_routes);
  for (const size_t largest_piece : {200u, 3000u, 70000u, 2000000u}) {
    CAPTURE(largest_piece);
    Conversation talk{std::mt19937(static_cast<uint32_t>(largest_piece))};
    const int messages = largest_piece == 200 ? 400 : 1500;
    for (int i = 0; i < messages; i++) talk.add_message();
    CHECK(survives(server.port(), talk, largest_piece));
  }
}

TEST_CASE("ws echo: tens of thousands of small random frames, many times more in one read than one turn takes") {
  TestServer server(echo_routes);
  Conversation talk{std::mt19937(99), 60};
  for (int i = 0; i < 20'000; i++) talk.add_message();
  CHECK(survives(server.port(), talk, 2'000'000));
}

TEST_CASE("ws echo: a large message in two packets, cut at its edges and anywhere") {
  TestServer server(echo_routes);
  WsClient client(server.port());
  REQUIRE(client.open());
  std::mt19937 random(5);
  for (const size_t size : {size_t{65535}, size_t{65536}, size_t{200'000}, size_t{524'288}, size_t{1'200'000}}) {
    CAPTURE(size);
    const std::string payload = pattern(size);
    const std::string bytes = ws_frame(kText, "before") + ws_frame(kText, payload) + ws_frame(kText, "behind");
    const size_t front = ws_frame(kText, "before").size();
    for (size_t cut : {size_t{1}, front, front + 2, front + 9, front + 14, front + 15, random() % bytes.size(),
                       bytes.size() - 13, bytes.size() - 12, bytes.size() - 11, bytes.size() - 1}) {
      CAPTURE(cut);
      REQUIRE(client.send(std::string_view(bytes).substr(0, cut)));
      wait_a_turn(server);
      REQUIRE(client.send(std::string_view(bytes).substr(cut)));
      REQUIRE(reads_all(client, {{kText, "before"}, {kText, payload}, {kText, "behind"}}));
    }
  }
}

TEST_CASE("ws echo: thousands of frames in one packet keep their order") {
  TestServer server(echo_routes);
  WsClient client(server.port());
  REQUIRE(client.open());
  std::string bytes;
  std::vector<Expected> expected;
  for (int i = 0; i < 5000; i++) {
    expected.push_back({i % 3 ? kText : kBinary, std::to_string(i)});
    bytes += ws_frame(expected.back().opcode, expected.back().payload);
  }
  REQUIRE(client.send(bytes));
  CHECK(reads_all(client, expected));
  const Stats stats = server.stats();
  CHECK(stats.messages_received == 5000);
  CHECK(stats.messages_sent == 5000);
  CHECK(client.close_nicely());
}

TEST_CASE("ws echo: a message of 60,000 fragments") {
  TestServer server(echo_routes);
  WsClient client(server.port());
  REQUIRE(client.open());
  const std::string payload = pattern(60000);
  std::string bytes;
  for (size_t i = 0; i < payload.size(); i++) {
    bytes += ws_frame(i ? kContinuation : kText, std::string_view(payload).substr(i, 1),
                      {.fin = i + 1 == payload.size()});
  }
  REQUIRE(client.send(bytes));
  CHECK(client.read_frame().is(kText, payload));
  CHECK(client.close_nicely());
}

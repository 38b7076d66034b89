// What compressed messages may cost a server: the limits of a message, inflated and on the wire, the receive budget, the
// turn of others, memory that is given back and memory that is out.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/alloc.h"
#include "support/failing_alloc.h"
#include "support/server.h"
#include "support/stepped_deflate.h"
#include "support/ws_deflate_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

constexpr int64_t kMiB = 1 << 20;

// Counts the bytes that the library holds on the connection path, and the most that it held.
class HeldBytes {
 public:
  HeldBytes() : before_(base::alloc_hooks) {
    held = 0;
    most = 0;
    base::alloc_hooks = {allocate, deallocate};
  }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes() { base::alloc_hooks = before_; }
  static inline std::atomic<int64_t> held = 0;
  static inline std::atomic<int64_t> most = 0;

 private:
  static void* allocate(size_t bytes) {
    void* memory = std::malloc(bytes);
    const int64_t now = held += static_cast<int64_t>(::malloc_usable_size(memory));
    if (now > most) most = now;
    return memory;
  }
  static void deallocate(void* memory) {
    held -= static_cast<int64_t>(::malloc_usable_size(memory));
    std::free(memory);
  }
  base::AllocHooks before_;
};

WsOptions limited(size_t message_bytes, Deflate deflate = {.threshold = 1}) {
  return {.compression = deflate, .max_message_bytes = message_bytes, .max_unsent_bytes = 64_MiB};
}

std::string whole(std::string_view payload, uint8_t opcode = kBinary) { return ws_frame(opcode, payload, {.rsv = kRsv1}); }

// So many zeros, a thousandth of them on the wire.
std::string bomb(size_t size) { return packed(std::string(size, '\0')); }

}  // namespace

// Limits --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate limits: a message inflates to the limit and not to one byte more, whole and in pieces") {
  for (const size_t limit : {size_t{1}, size_t{100}, size_t{8191}, size_t{8192}, size_t{65'535}, size_t{65'536},
                             size_t{65'537}, size_t{1'000'000}}) {
    for (const bool text : {false, true}) {
      CAPTURE(limit);
      CAPTURE(text);
      const uint8_t opcode = text ? kText : kBinary;
      WsEvents events;
      TestServer server([&](App& app) { app.ws("/", events.handlers(limited(limit))); });
      DeflateClient client(server.port());
      for (const std::string& content : {pattern(limit), std::string(limit, 'a')}) {
        const std::string payload = packed(content);
        REQUIRE(client.send(whole(payload, opcode)));
        REQUIRE(client.reads(opcode, content));
        REQUIRE(client.send(packed_fragments(opcode, payload, {1, payload.size() / 2})));
        REQUIRE(client.reads(opcode, content));
        REQUIRE(client.send(packed_fragments(opcode, payload, {payload.size(), 0})));
        REQUIRE(client.reads(opcode, content));
      }
      for (const std::string& content : {pattern(limit + 1), std::string(limit + 1, 'a'), std::string(limit * 20, 'b')}) {
        const std::string payload = packed(content);
        for (const std::string& bytes : {whole(payload, opcode), packed_fragments(opcode, payload, {payload.size() / 2}),
                                         packed_fragments(opcode, payload, {payload.size(), 0})}) {
          DeflateClient over(server.port());
          REQUIRE(over.send(bytes));
          CHECK(over.read_close() == 1009);
        }
      }
      CHECK(events.messages().size() == 6);
      CHECK(events.closes().size() >= 8);
      for (const auto& closed : events.closes()) CHECK(closed.cause == CloseCause::message_too_big);
    }
  }
}

TEST_CASE("ws deflate limits: what is too long on the wire is refused by its header, whatever it inflates to") {
  WsEvents events;
  TestServer server([&](App& app) { app.ws("/", events.handlers(limited(1000))); });
  // Empty blocks: nothing comes of them.
  const size_t most = 1000 + 1000 / 8 + 64;
  std::string blocks;
  while (blocks.size() + 5 < most) blocks += std::string("\0\0\0\xff\xff", 5);
  blocks += std::string("\0", 1);
  const auto closes = [&](std::string_view bytes) {
    DeflateClient client(server.port());
    REQUIRE(client.send(bytes));
    return client.read_close();
  };
  for (const size_t over : {size_t{1}, size_t{2}, size_t{100'000}, size_t{1} << 40}) {
    CHECK(closes(ws_frame(kBinary, "", {.rsv = kRsv1, .announced = static_cast<int64_t>(most + over)})) == 1009);
    CHECK(closes(ws_frame(kBinary, blocks.substr(0, 1000), {.fin = false, .rsv = kRsv1}) +
                 ws_frame(kContinuation, "", {.announced = static_cast<int64_t>(most - 1000 + over)})) == 1009);
  }
  // All that is allowed: empty blocks and a stored one, and its flush. One byte more is too long.
  const std::string empty("\0\0\0\xff\xff", 5);
  for (const size_t size : {most, most + 1}) {
    std::string payload;
    while (payload.size() < 1000) payload += empty;
    const std::string text = pattern(size - payload.size() - 6);
    const auto length = static_cast<char>(text.size());
    REQUIRE(text.size() < 256);
    payload += std::string("\0", 1) + length + '\0' + static_cast<char>(~length) + '\xff' + text + '\0';
    REQUIRE(payload.size() == size);
    for (const std::string& bytes : {whole(payload), packed_fragments(kBinary, payload, {0, 600})}) {
      DeflateClient client(server.port());
      REQUIRE(client.send(bytes));
      if (size == most) CHECK(client.reads(kBinary, text));
      if (size > most) CHECK(client.read_close() == 1009);
    }
  }
  // A message of the limit that does not shrink fits in, with room to spare.
  CHECK(packed(pattern(1000)).size() < most);
}

TEST_CASE("ws deflate limits: empty blocks and tiny fragments up to what is allowed") {
  WsEvents events;
  TestServer server([&](App& app) { app.ws("/", events.handlers(limited(200'000))); });
  DeflateClient client(server.port());
  const std::string empty("\0\0\0\xff\xff", 5);
  std::string blocks;
  while (blocks.size() < 220'000) blocks += empty;
  blocks += packed("the end");
  REQUIRE(client.send(whole(blocks)));
  CHECK(client.reads(kBinary, "the end"));
  REQUIRE(client.send(packed_fragments(kBinary, blocks, {100'000})));
  CHECK(client.reads(kBinary, "the end"));
  // 65536 fragments and a last one are allowed: empty ones, and ones of a byte.
  const std::string payload = packed(pattern(60'000));
  REQUIRE(payload.size() < 65'000);
  REQUIRE(client.send(packed_fragments(kBinary, payload, std::vector<size_t>(payload.size(), 1))));
  CHECK(client.reads(kBinary, pattern(60'000)));
  REQUIRE(client.send(packed_fragments(kBinary, payload, std::vector<size_t>(65'536, 0))));
  CHECK(client.reads(kBinary, pattern(60'000)));
  REQUIRE(client.send(packed_fragments(kBinary, payload, std::vector<size_t>(65'537, 0))));
  CHECK(client.read_close() == 1008);
}

// Memory --------------------------------------------------------------------------------------------------------------

TEST_CASE("ws deflate limits: a bomb costs no more than the limit, however it comes") {
  const std::string payload = bomb(50'000'000);
  REQUIRE(payload.size() < 60'000);
  const std::vector<std::string> ways = {whole(payload), packed_fragments(kBinary, payload, {1000}),
                                         packed_fragments(kBinary, payload, std::vector<size_t>(400, 100)),
                                         ws_frame(kBinary, payload, {.rsv = kRsv1, .announced = 60'000})};
  HeldBytes bytes;
  {
    WsEvents events;
    TestServer server([&](App& app) { app.ws("/", events.handlers(limited(4'000'000))); });
    for (const std::string& way : ways) {
      const int64_t before = HeldBytes::held;
      HeldBytes::most = before;
      {
        DeflateClient client(server.port());
        REQUIRE(client.send(way));
        CHECK(client.read_close() == 1009);
      }
      // The message and, while it grows, its half. The pool keeps them for a while.
      CHECK(HeldBytes::most - before < 2 * 4'000'000 + kMiB);
      CHECK(server.wait_for_connections(0));
    }
  }
  CHECK(HeldBytes::held.load() == 0);
}

TEST_CASE("ws deflate limits: half compressed messages are bounded by the receive budget, and all is given back") {
  // Each inflates to 700 KB, and some is missing.
  const std::string payload = packed(std::string(700'000, 'x'));
  const std::string half = ws_frame(kText, payload, {.fin = false, .rsv = kRsv1});
  const std::string tiny = ws_frame(kText, packed("tiny") + std::string("\0\0\xff\xff", 4), {.fin = false, .rsv = kRsv1});
  const std::string million = whole(packed(pattern(1'000'000)));
  HeldBytes bytes;
  {
    TestServerOptions options;
    options.app.receive_budget_bytes = 20_MiB;
    std::atomic<int> refused = 0;
    WsHandlers echo;
    echo.message = [](WebSocket ws, const Message& msg) { ws.send(msg, Compress::no); };
    echo.close = [&](WebSocket, const CloseInfo& info) { refused += info.cause == CloseCause::out_of_memory; };
    echo.options = limited(1'000'000);
    TestServer server([&](App& app) { app.ws("/", std::move(echo)); }, options);
    for (int round = 0; round < 3; round++) {
      refused = 0;
      std::vector<DeflateClient> clients;
      for (int i = 0; i < 40; i++) {
        clients.emplace_back(server.port());
        REQUIRE(clients.back().send(half));
        server.turn();
      }
      for (size_t i = 30; i < 40; i++) CHECK(clients[i].read_close() == 1013);
      CHECK(HeldBytes::held.load() < 48 * kMiB);
      clients.clear();
      CHECK(server.wait_for_connections(0));
      CHECK(refused >= 40 - 29);  // 29 times 700,000 bytes fit into 20 MiB
      CHECK(refused <= 40 - 29 + 2);
    }
    // Those that have inflated next to nothing hold a decoder each, which counts too.
    {
      refused = 0;
      const int64_t before = HeldBytes::held;
      std::vector<DeflateClient> clients;
      for (int i = 0; i < 200; i++) {
        clients.emplace_back(server.port());
        REQUIRE(clients.back().send(tiny));
      }
      server.turn();
      CHECK(HeldBytes::held - before < 200 * (24 << 10) + kMiB);
      for (DeflateClient& client : clients) REQUIRE(client.send(ws_frame(kContinuation, packed(" end"))));
      for (DeflateClient& client : clients) CHECK(client.reads(kText, "tiny end"));
      CHECK(refused == 0);
    }
    CHECK(server.wait_for_connections(0));
    DeflateClient after(server.port());
    CHECK(after.send(million));
    CHECK(after.reads(kBinary, pattern(1'000'000)));
  }
  CHECK(HeldBytes::held.load() == 0);
}

TEST_CASE("ws deflate limits: memory that runs out at every allocation of a message ends that connection alone") {
  for (const bool dedicated : {false, true}) {
    CAPTURE(dedicated);
    Deflate deflate{.threshold = 1};
    if (dedicated) deflate.mode = CompressionMode::dedicated;
    const std::string text = pattern(30'000) + std::string(100'000, 'x');
    const std::vector<std::string> ways = {whole(packed(text)), packed_fragments(kBinary, packed(text), {100, 20'000})};
    size_t failures = 0;
    for (const std::string& way : ways) {
      bool used = true;
      size_t n = 0;
      for (; used && n < 200; n++) {
        CAPTURE(n);
        FailingAlloc memory;
        {
          SteppedServer server([&](App& app) {
            app.ws("/", {.message = [](WebSocket ws, const Message& m) { ws.send(m); }, .options = limited(1'000'000, deflate)});
          });
          DeflateClient hit = open_deflate(server);
          DeflateClient other = open_deflate(server);
          FailingAlloc::only_once = true;
          FailingAlloc::left = n;
          REQUIRE(hit.send(way));
          WsMessage message = next_message(server, hit);
          used = FailingAlloc::failures > 0;
          failures += used;
          FailingAlloc::left = SIZE_MAX;
          CHECK(message.wrong == "");
          const bool echoed = message.is(kBinary, text);
          CHECK((echoed || message.close_code() == 1013 || hit.tcp.end() != Client::End::open));
          if (!used) CHECK(echoed);
          // Whoever is still there is understood, and the next messages too: contexts are right.
          for (DeflateClient* client : {&other, &hit}) {
            if (client == &hit && !echoed) continue;
            for (int i = 0; i < 3; i++) {
              REQUIRE(client->send(way));
              CHECK(next_message(server, *client).is(kBinary, text));
            }
          }
        }
        CHECK(FailingAlloc::held == 0);
      }
      CHECK(!used);
    }
    CHECK(failures > 8);
  }
}

TEST_CASE("ws deflate limits: a send that fails for want of memory leaves the context right") {
  FailingAlloc memory;
  WebSocket socket;
  SteppedServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) { socket = ws; },
                 .options = limited(1'000'000, {.mode = CompressionMode::dedicated, .threshold = 1})});
  });
  DeflateClient client = open_deflate(server);
  std::vector<std::string> sent;
  size_t dropped = 0;
  const std::string noise = pattern(40'000);
  for (size_t i = 0; i < 60; i++) {
    FailingAlloc::only_once = i % 2 == 0;
    FailingAlloc::left = i % 12 < 8 ? i % 4 : SIZE_MAX;
    // Short and long, shrinking and not, and each resembling the one before.
    const std::string text = "message " + std::to_string(i) + noise.substr(i, i % 3 == 0 ? 30'000 : i % 3 == 1 ? 500 : 20);
    const SendStatus status = socket.send(text, Compress::yes);
    FailingAlloc::left = SIZE_MAX;
    if (status == SendStatus::ok || status == SendStatus::backpressure) {
      sent.push_back(text);
    } else {
      REQUIRE(status == SendStatus::dropped);
      dropped++;
    }
    if (i % 5 == 0) server.turn();
  }
  for (const std::string& text : sent) {
    const WsMessage message = next_message(server, client);
    CHECK(message.wrong == "");
    REQUIRE(message.text == text);
  }
  CHECK(FailingAlloc::failures > 0);
  CHECK(dropped > 0);
  client.tcp.close();
}

// The turn of others ----------------------------------------------------------------------------------------------------

namespace {

// How many bytes the server inflates at most between two looks at others, while one sends nothing but bombs.
size_t most_in_a_turn(std::string_view bytes, size_t messages) {
  size_t in_turn = 0;
  size_t most = 0;
  size_t seen = 0;
  SteppedServer server([&](App& app) {
    app.ws("/", {.message = [&](WebSocket, const Message& m) { in_turn += m.size(), seen++; }, .options = limited(1'000'000)});
  });
  server.before_turn = [&] { in_turn = 0; };
  server.after_turn = [&] { most = std::max(most, in_turn); };
  DeflateClient client = open_deflate(server);
  REQUIRE(client.send(bytes));
  CHECK(server.turn_until([&] { return seen == messages; }));
  client.tcp.close();
  return most;
}

}  // namespace

namespace {

// A client's whole packet is received at once, whatever the kernel's buffers hold.
struct OneReceive {
  static inline std::atomic<size_t> wanted = 0;
  static ssize_t recv(int fd, void* to, size_t size, int flags) {
    size_t have = 0;
    const size_t want = wanted.exchange(0);
    do {
      pollfd wait{fd, POLLIN, 0};
      if (want) ::poll(&wait, 1, static_cast<int>(kPatience.count()));
      const ssize_t got = ::recv(fd, static_cast<char*>(to) + have, size - have, flags);
      if (got <= 0) return have ? static_cast<ssize_t>(have) : got;
      have += static_cast<size_t>(got);
    } while (have < want);
    return static_cast<ssize_t>(have);
  }
};

// In how many turns this is worked through, after it has come in one piece.
int turns_of(const std::string& bytes, std::string_view text) {
  std::string seen = "nothing yet";
  int turns = 0;
  SteppedServer server([&](App& app) {
    app.ws("/", {.message = [&](WebSocket, const Message& m) { seen = m.text(); }, .options = limited(1'000'000)});
  });
  server.before_turn = [&] { turns++; };
  sys::syscalls.recv = OneReceive::recv;
  DeflateClient client = open_deflate(server);
  OneReceive::wanted = bytes.size();
  std::thread sender([&] { CHECK(client.send(bytes)); });
  CHECK(server.turn_until([&] { return OneReceive::wanted == 0; }));
  turns = 1;
  CHECK(server.turn_until([&] { return seen != "nothing yet"; }));
  sender.join();
  CHECK(seen == text);
  client.tcp.close();
  return turns;
}

}  // namespace

TEST_CASE("ws deflate limits: a large frame that makes the decoder work for nothing does not keep others waiting") {
  const std::string empty("\0\0\0\xff\xff", 5);
  std::string blocks;
  while (blocks.size() < 400'000) blocks += empty;
  blocks += packed("the end");
  // A turn may dispatch twice: each time 32 KiB, and a piece more.
  CHECK(turns_of(whole(blocks), "the end") >= 5);
  CHECK(turns_of(packed_fragments(kBinary, blocks, {100'000, 0, 1}), "the end") >= 5);
  CHECK(turns_of(whole(packed("behind") + std::string(4, '\0').replace(2, 2, "\xff\xff")), "behind") == 1);
}

TEST_CASE("ws deflate limits: many bombs in one packet do not keep others waiting") {
  const std::string payload = bomb(900'000);
  std::string messages;
  std::string fragmented;
  for (int i = 0; i < 40; i++) {
    messages += whole(payload);
    fragmented += packed_fragments(kBinary, payload, {payload.size() / 2});
  }
  REQUIRE(fragmented.size() < 60'000);
  // A turn may dispatch twice, and a message is not left in its middle: each time the budget of 1 MiB and one more.
  CHECK(most_in_a_turn(messages, 40) <= 4'000'000);
  CHECK(most_in_a_turn(fragmented, 40) <= 4'000'000);
}

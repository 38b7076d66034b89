// What peers that do not read cost in memory: about what waits for them, not more, whatever else goes on around them; and
// after everybody has gone, nothing. Counted with the allocator's hooks.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/alloc.h"
#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Counts the bytes that the library holds on the connection path.
class HeldBytes {
 public:
  HeldBytes() : before_(base::alloc_hooks) {
    held = 0;
    base::alloc_hooks = {allocate, deallocate};
  }
  ~HeldBytes() { base::alloc_hooks = before_; }
  static inline std::atomic<int64_t> held = 0;

 private:
  static void* allocate(size_t bytes) {
    void* memory = std::malloc(bytes);
    held += static_cast<int64_t>(::malloc_usable_size(memory));
    return memory;
  }
  static void deallocate(void* memory) {
    held -= static_cast<int64_t>(::malloc_usable_size(memory));
    std::free(memory);
  }
  base::AllocHooks before_;
};

constexpr int64_t kMiB = 1 << 20;

}  // namespace

TEST_CASE("ws memory: a slow member of a quiet room holds about what it has not read, though other rooms are loud") {
  HeldBytes bytes;
  std::vector<WebSocket> sockets;
  TestServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) {
                   sockets.push_back(ws);
                   ws.send("ready");
                 },
                 .options = {.slow_consumer = SlowConsumerPolicy::drop_newest}});
  });
  WsClient slow(server.port(), "/", {}, {.receive_buffer_bytes = 4096});
  WsClient fast(server.port());
  REQUIRE(slow.reads("ready"));
  REQUIRE(fast.reads("ready"));
  server.on_thread([&](App&) {
    sockets[0].join("quiet");
    sockets[1].join("loud");
  });
  // The kernel takes no more for the slow one; 300 KiB wait.
  while (server.on_thread([&](App&) { return sockets[0].send(pattern(30'000)), sockets[0].buffered_bytes(); }) < 300'000) {
  }
  const int64_t before = HeldBytes::held;
  const std::string loud = pattern(50'000);
  for (int i = 0; i < 400; i++) {
    server.on_thread([&](App& app) {
      app.to("loud").send(loud);
      app.to("quiet").send("hello");
    });
    REQUIRE(fast.reads(loud));
  }
  wait_a_turn(server);
  CHECK(server.on_thread([&](App&) { return sockets[0].buffered_bytes(); }) < 400'000);
  CHECK(HeldBytes::held - before < 2 * kMiB);
  slow.tcp.close();
}

TEST_CASE("ws memory: many small messages to one that does not read cost a small multiple of their bytes") {
  HeldBytes bytes;
  WebSocket socket;
  TestServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) {
                   socket = ws;
                   ws.join("room");
                   ws.send("ready");
                 },
                 .options = {.slow_consumer = SlowConsumerPolicy::drop_newest}});
  });
  WsClient slow(server.port(), "/", {}, {.receive_buffer_bytes = 4096});
  REQUIRE(slow.reads("ready"));
  const int64_t before = HeldBytes::held;
  const SharedFrame frame = SharedFrame::text(pattern(500));
  auto status = SendStatus::ok;
  for (int i = 0; i < 100'000 && status != SendStatus::dropped; i++) {
    status = server.on_thread([&](App& app) {
      app.to("room").send("room");
      socket.send(frame);
      return socket.send("direct");
    });
  }
  CHECK(status == SendStatus::dropped);
  const int64_t waiting = static_cast<int64_t>(server.on_thread([&](App&) { return socket.buffered_bytes(); }));
  CHECK(waiting < 2 * kMiB);
  CHECK(HeldBytes::held - before < 3 * waiting + kMiB);
  slow.tcp.close();
}

TEST_CASE("ws memory: half-sent messages cost what has arrived, and all is given back") {
  HeldBytes bytes;
  {
    TestServerOptions options;
    options.app.receive_budget_bytes = 20_MiB;
    std::atomic<int> refused = 0;
    WsHandlers echo;
    echo.message = [](WebSocket ws, const Message& msg) { ws.send(msg); };
    echo.close = [&](WebSocket, const CloseInfo& info) { refused += info.cause == CloseCause::out_of_memory; };
    TestServer server([&](App& app) { app.ws("/", std::move(echo)); }, options);
    std::vector<WsClient> clients;
    for (int i = 0; i < 40; i++) {
      clients.emplace_back(server.port());
      clients.back().send(ws_frame(kBinary, pattern(700'000), {.announced = 1'000'000}));
    }
    CHECK(eventually([&] { return refused >= 40 - 29; }));  // 29 times 700,000 bytes fit into 20 MiB
    CHECK(refused <= 40 - 29 + 2);
    CHECK(HeldBytes::held < 45 * kMiB);
    clients.clear();
    CHECK(server.wait_for_connections(0));
    WsClient after(server.port());
    CHECK(after.send(ws_frame(kBinary, pattern(1'000'000))));
    CHECK(after.reads(pattern(1'000'000), kBinary));
  }
  CHECK(HeldBytes::held.load() == 0);
}

// What a receiver that does not read holds on to: about as much as waits for it, which max_unsent_bytes bounds, and not the
// room that its messages took before they were compressed.
#include <doctest/doctest.h>
#include <malloc.h>
#include <martlet/martlet.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <random>
#include <span>
#include <string>

#include "base/alloc.h"
#include "support/stepped_deflate.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

std::atomic<int64_t> held_bytes = 0;

// Counts what the library holds.
class Counting {
 public:
  Counting() : before_(base::alloc_hooks) {
    held_bytes = 0;
    base::alloc_hooks = {
        [](size_t bytes) {
          void* memory = std::malloc(bytes);
          held_bytes += static_cast<int64_t>(::malloc_usable_size(memory));
          return memory;
        },
        [](void* memory) {
          held_bytes -= static_cast<int64_t>(::malloc_usable_size(memory));
          std::free(memory);
        }};
  }
  ~Counting() { base::alloc_hooks = before_; }

 private:
  base::AllocHooks before_;
};

// A megabyte that compresses to some 20 KiB: more than is copied for who waits already.
std::string mostly_nothing() {
  std::mt19937 random(5);
  std::string text(1'000'000, 'x');
  for (size_t i = 0; i < 20'000; i++) text[i] = static_cast<char>(random());
  return text;
}

// Sends 300 of them to a client that does not read, one a turn.
template <typename Send>
int64_t held_for_one_that_does_not_read(Send send) {
  Counting counting;
  std::optional<WebSocket> receiver;
  WsHandlers handlers;
  handlers.open = [&](WebSocket ws, Request&) {
    ws.join("room");
    receiver = ws;
  };
  handlers.options = {.compression = Deflate{}, .max_unsent_bytes = 64_MiB};
  SteppedServer server([&](App& app) { app.ws("/", std::move(handlers)); });
  DeflateClient client = open_deflate(server);
  REQUIRE(receiver);
  const int64_t before = held_bytes;
  const std::string text = mostly_nothing();
  for (int i = 0; i < 300; i++) {
    REQUIRE(send(server.app(), *receiver, text) != SendStatus::dropped);
    server.turn();
  }
  CHECK(receiver->buffered_bytes() < 8_MiB);
  return held_bytes - before;
}

}  // namespace

TEST_CASE("ws deflate pinned: a room's messages hold what they take compressed") {
  const int64_t held = held_for_one_that_does_not_read([](App& app, const WebSocket&, const std::string& text) {
    return app.room("room").send(std::as_bytes(std::span(text)));
  });
  CHECK(held < 16 << 20);
}

TEST_CASE("ws deflate pinned: so do frames that are sent to each by itself") {
  const int64_t held = held_for_one_that_does_not_read([](App&, const WebSocket& ws, const std::string& text) {
    return ws.send(SharedFrame::binary(std::as_bytes(std::span(text))));
  });
  CHECK(held < 16 << 20);
}

// One message on its way to several places, and kept: ws.send(msg), SharedFrame and rooms hand the same bytes on without
// copying them where they can, so here everything that was sent must arrive as it was, whatever its size and wherever
// it lay: in the receive buffer, in a block of its own, put together from fragments, held for a later turn.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
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

constexpr size_t kSizes[] = {0,     1,      125,    126,    500,    511,    512,    513,    4095,   4096,    65535,
                             65536, 131071, 524200, 524273, 524288, 524289, 530000, 700000, 1048576};

WsOptions roomy() { return {.max_message_bytes = 2_MiB, .max_unsent_bytes = 256_MiB}; }

// A message whole, and in fragments, text and binary.
std::vector<std::string> ways_to_send(std::string_view payload) {
  return {ws_frame(kText, payload), ws_frame(kBinary, payload),
          ws_fragments(kText, payload, {payload.size() / 3, payload.size() / 3}),
          ws_fragments(kBinary, payload, {0, payload.size()})};
}

uint8_t opcode_of(const std::string& bytes) { return static_cast<uint8_t>(bytes[0] & 0x0f); }

// Sends `bytes`, by itself or between two small messages, and gives the client back when the server has handled it.
void send_between(WsClient& client, const std::string& bytes) {
  REQUIRE(client.send(ws_frame(kText, "<") + bytes + ws_frame(kText, ">")));
}

}  // namespace

TEST_CASE("ws share: a message sent several times, with other output between") {
  TestServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& msg) {
                   ws.send(msg);
                   ws.send("between");
                   ws.send(msg);
                   ws.send(msg.share());
                   ws.send(msg);
                   if (msg.is_text()) ws.send(msg.text());
                   ws.send(msg.bytes());
                 },
                 .options = roomy()});
  });
  WsClient client(server.port());
  auto check_copies = [&](std::string_view payload, uint8_t opcode) {
    CHECK(client.reads(payload, opcode));
    CHECK(client.reads("between"));
    for (int i = 0; i < 3; i++) CHECK(client.reads(payload, opcode));
    if (opcode == kText) CHECK(client.reads(payload));
    CHECK(client.reads(payload, kBinary));
  };
  for (const size_t size : kSizes) {
    const std::string payload = pattern(size);
    for (const std::string& bytes : ways_to_send(payload)) {
      CAPTURE(size);
      send_between(client, bytes);
      check_copies("<", kText);
      check_copies(payload, opcode_of(bytes));
      check_copies(">", kText);
    }
  }
}

TEST_CASE("ws share: a message to others and to oneself, directly and by room") {
  TestServer server([](App& app) {
    app.ws("/", [others = std::vector<WebSocket>()](WebSocket ws, Request&) mutable {
      others.push_back(ws);
      ws.join("room");
      ws.on_message([&others](WebSocket from, const Message& msg) {
        from.send(msg);
        for (const WebSocket& other : others) {
          if (other != from) other.send(msg);
        }
        from.to("room").send(msg);
        from.broadcast(msg);
        from.send(msg);
        from.join("room").send(msg);
        from.to("room").send(msg.share());
      });
      ws.send("ready");
    }, roomy());
  });
  std::vector<WsClient> clients;
  for (int i = 0; i < 3; i++) {
    clients.emplace_back(server.port());
    REQUIRE(clients.back().reads("ready"));
  }
  for (const size_t size : kSizes) {
    const std::string payload = pattern(size, 9);
    for (const std::string& bytes : ways_to_send(payload)) {
      CAPTURE(size);
      send_between(clients[0], bytes);
      for (const std::string& want : {std::string("<"), payload, std::string(">")}) {
        const uint8_t opcode = want == payload ? opcode_of(bytes) : uint8_t{kText};
        for (int i = 0; i < 3; i++) CHECK(clients[0].reads(want, opcode));
        for (int i = 0; i < 5; i++) CHECK(clients[1].reads(want, opcode));
        for (int i = 0; i < 5; i++) CHECK(clients[2].reads(want, opcode));
      }
    }
  }
}

TEST_CASE("ws share: a SharedFrame says what it holds, is copied freely, and outlives its App") {
  CHECK_FALSE(SharedFrame());
  CHECK(SharedFrame().payload().empty());
  for (const size_t size : kSizes) {
    const std::string payload = pattern(size);
    const SharedFrame text = SharedFrame::text(payload);
    SharedFrame copy = text;
    const SharedFrame moved = std::move(copy);
    REQUIRE(moved);
    CHECK(moved.is_text());
    CHECK(std::string_view(reinterpret_cast<const char*>(moved.payload().data()), moved.payload().size()) == payload);
    copy = SharedFrame::binary(std::as_bytes(std::span(payload)));
    CHECK_FALSE(copy.is_text());
    CHECK(copy.payload().size() == size);
  }
  std::vector<SharedFrame> kept;
  {
    TestServer server([&](App& app) {
      app.ws("/", {.message = [&](WebSocket ws, const Message& msg) {
                     kept.push_back(msg.share());
                     ws.send("kept");
                   },
                   .options = roomy()});
    });
    WsClient client(server.port());
    for (const size_t size : kSizes) {
      REQUIRE(client.send_text(pattern(size)));
      REQUIRE(client.reads("kept"));
    }
  }
  REQUIRE(kept.size() == std::size(kSizes));
  for (size_t i = 0; i < kept.size(); i++) {
    const auto payload = kept[i].payload();
    CHECK(std::string_view(reinterpret_cast<const char*>(payload.data()), payload.size()) == pattern(kSizes[i]));
  }
}

namespace {

// A thread that sends frames which handlers gave it, and looks at them while their handlers may still be running.
class Relay {
 public:
  ~Relay() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    signal_.notify_all();
    thread_.join();
  }
  void send_later(WebSocket ws, SharedFrame frame) {
    const std::lock_guard lock(mutex_);
    jobs_.emplace_back(ws, std::move(frame));
    signal_.notify_all();
  }
  size_t total_bytes() const { return total_bytes_; }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      signal_.wait(lock, [this] { return over_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto [ws, frame] = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      total_bytes_ += frame.payload().size() + frame.is_text();
      CHECK(ws.send(frame) == SendStatus::posted);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable signal_;
  std::deque<std::pair<WebSocket, SharedFrame>> jobs_;
  size_t total_bytes_ = 0;
  bool over_ = false;
  std::thread thread_{[this] { run(); }};
};

}  // namespace

TEST_CASE("ws share: frames kept and sent later, from another thread too, while the message goes on being sent") {
  Relay relay;
  TestServer server([&](App& app) {
    app.ws("/", [&](WebSocket ws, Request&) {
      ws.on_message([&, last = SharedFrame()](WebSocket from, const Message& msg) mutable {
        if (last) from.send(last);
        last = msg.share();
        relay.send_later(from, last);
        from.send(msg);
        from.send(last);
      });
    }, roomy());
  });
  WsClient client(server.port());
  REQUIRE(client.send_text("first"));
  CHECK(client.reads("first"));
  CHECK(client.reads("first"));
  CHECK(client.reads("first"));
  std::string previous = "first";
  for (const size_t size : kSizes) {
    for (uint32_t round = 0; round < 3; round++) {
      CAPTURE(size);
      const std::string payload = pattern(size, round);
      REQUIRE(client.send_text(payload));
      CHECK(client.reads(previous));
      for (int i = 0; i < 3; i++) CHECK(client.reads(payload));
      previous = payload;
    }
  }
}

TEST_CASE("ws share: many large echoes that the client reads late are all as they were") {
  TestServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& msg) {
                   ws.send(msg);
                   ws.send(msg);
                 },
                 .options = roomy()});
  });
  WsClient client(server.port(), "/", {}, {.receive_buffer_bytes = 16384});
  std::mt19937 random(11);
  std::vector<std::string> sent;
  std::string bytes;
  for (uint32_t i = 0; i < 150; i++) {
    const size_t size = random() % 5 == 0 ? random() % 200'000 : random() % 4000;
    sent.push_back(pattern(size, i));
    bytes += i % 4 ? ws_frame(kBinary, sent.back()) : ws_fragments(kBinary, sent.back(), {size / 2});
  }
  Thread sender([&] { client.tcp.send(bytes); });
  std::this_thread::sleep_for(50ms);
  size_t good = 0;
  for (const std::string& payload : sent) good += client.reads(payload, kBinary) && client.reads(payload, kBinary);
  sender.join();
  CHECK(good == sent.size());
}

TEST_CASE("ws share: held messages echo right, though the receive buffer has been read into since") {
  TestServer server([](App& app) {
    app.ws("/", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }, .options = roomy()});
  });
  std::vector<WsClient> clients;
  for (int i = 0; i < 3; i++) clients.emplace_back(server.port());
  for (int round = 0; round < 5; round++) {
    for (uint32_t c = 0; c < clients.size(); c++) {
      std::string bytes;  // more frames than one dispatch takes, larger than is worth copying
      for (uint32_t i = 0; i < 300; i++) bytes += ws_frame(kText, pattern(600 + i, c));
      for (uint32_t i = 0; i < 2000; i++) bytes += ws_frame(kBinary, pattern(i % 20, c));
      REQUIRE(clients[c].send(bytes));
    }
    for (uint32_t c = 0; c < clients.size(); c++) {
      size_t good = 0;
      for (uint32_t i = 0; i < 300; i++) good += clients[c].reads(pattern(600 + i, c));
      for (uint32_t i = 0; i < 2000; i++) good += clients[c].reads(pattern(i % 20, c), kBinary);
      CHECK(good == 2300);
    }
  }
}

// Peers that read slowly or not at all: reading from them stops, what waits for them stays within its limit, the policies
// for slow consumers drop whole messages and count them exactly, and on_drain tells when there is room again.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <map>
#include <memory>
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

const ConnectOptions kSlow{.receive_buffer_bytes = 4096};

// One client that a test sends to from outside, and what it was answered.
struct Target {
  WsEvents events = {};
  WebSocket socket = {};
  std::map<SendStatus, uint64_t> statuses = {};
  std::atomic<uint32_t> sends{0};
  std::atomic<uint32_t> last_pressed{0};  // which send answered backpressure or dropped last
  std::atomic<uint32_t> drained_at{0};    // how many sends there had been at the last on_drain
  TestServer server;
  WsClient client;

  explicit Target(WsOptions options, TestServerOptions server_options = {})
      : server([&](App& app) { set_up(app, std::move(options)); }, std::move(server_options)),
        client(server.port(), "/", {}, kSlow) {
    REQUIRE(client.reads("ready"));
  }
  void set_up(App& app, WsOptions options) {
    WsHandlers handlers = events.handlers(std::move(options));
    handlers.open = [this](WebSocket ws, Request&) {
      socket = ws;
      ws.join("room");
      ws.send("ready");
    };
    handlers.drain = [this](WebSocket) { drained_at = sends.load(); };
    app.ws("/", std::move(handlers));
  }

  // Sends messages number [first, first + count), `batch` of them per turn, by `how`.
  template <typename How>
  void send(uint32_t first, uint32_t count, size_t size, uint32_t batch, How how) {
    for (uint32_t i = 0; i < count; i += batch) {
      server.on_thread([&](App&) {
        for (uint32_t j = i; j < std::min(i + batch, count); j++) {
          const SendStatus status = how(numbered(first + j, size));
          statuses[status]++;
          sends++;
          if (status == SendStatus::backpressure || status == SendStatus::dropped) last_pressed = sends.load();
        }
      });
    }
  }
  // When all has been read: on_drain ran after the last send that asked for it.
  bool drains() {
    return last_pressed > 0 && eventually([this] { return drained_at >= last_pressed; }, 2s) && buffered() == 0;
  }
  void send(uint32_t first, uint32_t count, size_t size, uint32_t batch = 7) {
    send(first, count, size, batch, [this](const std::string& text) { return socket.send(text); });
  }
  size_t buffered() {
    return server.on_thread([this](App&) { return socket.buffered_bytes(); });
  }
  uint64_t taken() { return statuses[SendStatus::ok] + statuses[SendStatus::backpressure]; }

  static std::string numbered(uint32_t number, size_t size) {
    std::string text = std::to_string(number) + ":";
    return text + pattern(size - text.size(), number);
  }
  // Reads all there is up to a Close or the end, or message `last`; the numbers, checked to be whole and to rise.
  std::vector<uint32_t> read_numbers(size_t size, uint32_t last = UINT32_MAX) {
    std::vector<uint32_t> numbers;
    for (;;) {
      const WsFrame frame = client.read_message();
      if (frame.opcode != kText) return close = frame, numbers;
      const uint32_t number = static_cast<uint32_t>(std::stoul(frame.payload));
      REQUIRE(frame.payload == numbered(number, size));
      REQUIRE((numbers.empty() || number > numbers.back()));
      numbers.push_back(number);
      if (number == last) return numbers;
    }
  }
  WsFrame close = {};
};

}  // namespace

TEST_CASE("ws backpressure: a client that does not read its echoes is not read any more, and loses nothing") {
  Target target({.max_unsent_bytes = 4_MiB});
  std::string flood;
  std::vector<std::string> sent;
  for (uint32_t i = 0; flood.size() < 24_MiB; i++) {
    sent.push_back(pattern(i % 3 ? 900 : 40'000, i));
    flood += ws_frame(kText, sent.back());
  }
  const size_t taken = target.client.tcp.send_some(flood, 150ms);
  CHECK(taken < flood.size() - 1_MiB);
  const size_t waiting = target.buffered();
  CHECK(waiting > 0);  // 64 KiB when reading stopped; the kernel may have taken a part of it since
  CHECK(waiting < 2_MiB);
  CHECK(target.events.closes().empty());
  Thread rest([&] { target.client.tcp.send(std::string_view(flood).substr(taken), 20s); });
  size_t good = 0;
  for (const std::string& text : sent) {
    if (!target.client.reads(text)) break;
    good++;
  }
  CHECK(good == sent.size());
  if (good != sent.size()) target.client.tcp.shutdown_sending();
  rest.join();
  CHECK(target.buffered() == 0);
  CHECK(target.server.stats().messages_dropped == 0);
  CHECK(target.client.close_nicely());
}

TEST_CASE("ws backpressure: send says ok, then backpressure from 64 KiB that wait, and on_drain tells when they have left") {
  Target target({.max_unsent_bytes = 64_MiB});
  for (uint32_t i = 0; i < 2000 && target.statuses[SendStatus::backpressure] < 20; i++) {
    target.send(i, 1, 32_KiB, 1, [&](const std::string& text) {
      const size_t before = target.socket.buffered_bytes();
      const SendStatus status = target.socket.send(text);
      CHECK(target.socket.buffered_bytes() > before + 32_KiB);
      CHECK(status == (before + 32_KiB >= 64_KiB ? SendStatus::backpressure : SendStatus::ok));
      return status;
    });
  }
  const uint64_t sent = target.taken();
  CHECK(target.statuses[SendStatus::backpressure] == 20);
  CHECK(target.buffered() >= 64_KiB);
  CHECK(target.read_numbers(32_KiB, static_cast<uint32_t>(sent - 1)).size() == sent);
  CHECK(target.drains());
  target.drained_at = 0;
  target.send(0, 1, 100);
  CHECK(target.statuses[SendStatus::ok] == sent - 20 + 1);
  wait_a_turn(target.server);
  CHECK(target.drained_at.load() == 0);  // nobody had asked
}

TEST_CASE("ws backpressure: policy close discards what waits, says 1008, and everything is accounted for") {
  for (const size_t size : {size_t{300}, size_t{5000}, size_t{200'000}}) {
    CAPTURE(size);
    Target target({.max_unsent_bytes = 256_KiB});
    uint32_t sent = 0;
    while (target.statuses[SendStatus::closed] == 0 && sent < 200'000) {
      target.send(sent, 50, size);
      sent += 50;
    }
    CHECK(target.statuses[SendStatus::dropped] == 1);
    const Stats stats = target.server.stats();
    CHECK(stats.slow_consumers == 1);
    CHECK(stats.messages_sent == target.taken() + 1);  // and "ready"
    const std::vector<uint32_t> got = target.read_numbers(size);
    CHECK(target.close.opcode == kClose);
    CHECK(target.close.close_code() == 1008);
    CHECK(target.client.ended());
    CHECK(got.size() + stats.messages_dropped == target.taken() + 1);
    if (!got.empty()) CHECK(got.back() == got.size() - 1);  // the first ones, without a gap
    target.client.tcp.close();
    CHECK(target.events.closed_with(CloseCause::slow_consumer, CloseCode::policy_violation));
    CHECK(target.events.only_close().reason == target.close.close_reason());
  }
}

TEST_CASE("ws backpressure: policy close ends a peer that does not even read the Close after 2 s") {
  Target target({.max_unsent_bytes = 256_KiB});
  const auto start = Clock::now();
  while (target.statuses[SendStatus::closed] == 0) target.send(0, 50, 30'000);
  CHECK(target.events.closed_with(CloseCause::slow_consumer, CloseCode::policy_violation));
  CHECK(Clock::now() - start < 6s);
}

TEST_CASE("ws backpressure: drop_newest keeps what was taken and refuses the rest until there is room") {
  for (const size_t size : {size_t{300}, size_t{5000}, size_t{200'000}}) {
    CAPTURE(size);
    Target target({.max_unsent_bytes = 256_KiB, .slow_consumer = SlowConsumerPolicy::drop_newest});
    uint32_t sent = 0;
    while (target.statuses[SendStatus::dropped] < 100 && sent < 200'000) {
      target.send(sent, 50, size);
      sent += 50;
    }
    const uint64_t taken = target.taken();
    CHECK(target.statuses[SendStatus::closed] == 0);
    CHECK(target.server.stats().messages_dropped == target.statuses[SendStatus::dropped]);
    CHECK(target.server.stats().messages_sent == taken + 1);
    CHECK(target.buffered() < 256_KiB + size + 10);
    size_t got = 0;
    while (got < taken && target.client.read_message(1s).opcode == kText) got++;
    CHECK(got == taken);
    CHECK(target.drains());
    target.send(1'000'000, 1, size);
    CHECK(target.taken() == taken + 1);
    CHECK(target.read_numbers(size, 1'000'000) == std::vector<uint32_t>{1'000'000});
  }
}

TEST_CASE("ws backpressure: drop_oldest takes everything and drops the oldest that has not begun to leave") {
  for (const size_t size : {size_t{300}, size_t{5000}, size_t{200'000}}) {
    CAPTURE(size);
    Target target({.max_unsent_bytes = 256_KiB, .slow_consumer = SlowConsumerPolicy::drop_oldest});
    uint32_t sent = 0;
    while (target.server.stats().messages_dropped < 300 && sent < 200'000) {
      target.send(sent, 50, size);
      sent += 50;
    }
    CHECK(target.taken() == sent);
    const uint64_t dropped = target.server.stats().messages_dropped;
    CHECK(target.server.stats().messages_sent == sent + 1);
    CHECK(target.buffered() < 256_KiB + size + 10);
    const auto got = target.read_numbers(size, sent - 1);
    CHECK(got.size() + dropped == sent);
    CHECK(target.drains());
  }
}

TEST_CASE("ws backpressure: drop_oldest leaves pings and Close in their place") {
  Target target({.max_unsent_bytes = 64_KiB, .slow_consumer = SlowConsumerPolicy::drop_oldest});
  uint32_t sent = 0;
  while (target.buffered() < 20'000) target.send(sent++, 1, 3000);
  target.server.on_thread([&](App&) { CHECK(target.socket.ping("stay") == SendStatus::ok); });
  while (target.server.stats().messages_dropped < 200) {
    target.send(sent, 10, 3000);
    sent += 10;
  }
  target.send(sent, 100, 3000);
  target.server.on_thread([&](App&) { target.socket.close(static_cast<CloseCode>(4000)); });
  const uint64_t dropped = target.server.stats().messages_dropped;
  uint32_t messages = 0;
  uint32_t pings = 0;
  WsFrame frame = target.client.read_frame();
  for (; frame.opcode == kText || frame.opcode == kPing; frame = target.client.read_frame()) {
    messages += frame.opcode == kText;
    pings += frame.opcode == kPing;
  }
  CHECK(pings == 1);
  CHECK(frame.is(kClose, close_payload(4000)));
  CHECK(target.statuses[SendStatus::dropped] == 0);  // the newest is never the one to go
  CHECK(messages + dropped == sent + 100);
}

TEST_CASE("ws backpressure: what a room sends to a slow member is accounted for like what is sent to it alone") {
  for (const SlowConsumerPolicy policy :
       {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
    for (const uint32_t batch : {1u, 60u}) {
      CAPTURE(static_cast<int>(policy));
      CAPTURE(batch);
      Target target({.max_unsent_bytes = 256_KiB, .slow_consumer = policy});
      uint32_t sent = 0;
      auto publish = [&](const std::string& text) { return target.server.app().to("room").send(text); };
      const auto is_slow = [&] { return target.server.stats().messages_dropped >= 100 || target.server.stats().slow_consumers > 0; };
      while (!is_slow() && sent < 5000) {  // one that is closed for it has two seconds for reading why
        target.send(sent, 120, 8000, batch, publish);
        sent += 120;
      }
      wait_a_turn(target.server);
      const Stats stats = target.server.stats();
      const bool closed = policy == SlowConsumerPolicy::close;
      CHECK(stats.slow_consumers == closed);
      if (policy == SlowConsumerPolicy::drop_newest) CHECK(stats.messages_sent + stats.messages_dropped == sent + 1);
      if (policy == SlowConsumerPolicy::drop_oldest) CHECK(stats.messages_sent == sent + 1);
      if (!closed) target.server.on_thread([&](App&) { target.socket.close(static_cast<CloseCode>(4000)); });
      const auto got = target.read_numbers(8000);
      CHECK(target.close.close_code() == (closed ? 1008 : 4000));
      if (!closed) CHECK(got.size() + stats.messages_dropped == sent);
      if (closed) CHECK(got.size() <= stats.messages_sent);
    }
  }
}

TEST_CASE("ws backpressure: one message larger than the limit is taken when nothing waits") {
  Target target({.max_unsent_bytes = 1000});
  const std::string large = pattern(5'000'000);
  target.server.on_thread([&](App&) {
    CHECK(target.socket.send(large) != SendStatus::dropped);
    CHECK(target.socket.buffered_bytes() >= large.size());
  });
  CHECK(target.client.reads(large));
  target.server.on_thread([&](App&) { CHECK(target.socket.send(large) != SendStatus::dropped); });
  CHECK(target.client.reads(large));
}

namespace {

// Sends `requests` pings or messages at once to a server that answers each message with `answer` bytes, and reads
// everything as fast as it comes.
size_t answers_read(size_t answer, const std::string& requests, size_t count, SlowConsumerPolicy policy, bool shared) {
  const std::string text = pattern(answer);
  const SharedFrame frame = SharedFrame::text(text);
  TestServer server([&](App& app) {
    app.ws("/", {.message = [&](WebSocket ws, const Message&) { shared ? ws.send(frame) : ws.send(text); },
                 .options = {.slow_consumer = policy}});
  });
  WsClient client(server.port());
  if (!client.send(requests)) return 0;
  size_t good = 0;
  while (good < count && client.read_message(2s).is(kText, text)) good++;
  return good;
}

}  // namespace

TEST_CASE("ws backpressure: a client that asks for much at once and reads it is not slow") {
  for (const SlowConsumerPolicy policy :
       {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
    for (const bool shared : {false, true}) {
      for (const size_t answer : {size_t{3000}, size_t{64'000}, size_t{300'000}, size_t{1'500'000}}) {
        CAPTURE(static_cast<int>(policy));
        CAPTURE(shared);
        CAPTURE(answer);
        std::string requests;
        for (int i = 0; i < 40; i++) requests += ws_frame(kText, "more");
        CHECK(answers_read(answer, requests, 40, policy, shared) == 40);
      }
    }
  }
}

TEST_CASE("ws backpressure: a small limit is no reason to drop echoes of a client that reads") {
  for (const size_t limit : {size_t{1000}, size_t{10'000}, size_t{70'000}}) {
    CAPTURE(limit);
    TestServer server([&](App& app) {
      app.ws("/", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); },
                   .options = {.max_unsent_bytes = limit}});
    });
    WsClient client(server.port());
    std::string requests;
    for (uint32_t i = 0; i < 300; i++) requests += ws_frame(kText, pattern(900, i));
    REQUIRE(client.send(requests));
    uint32_t good = 0;
    while (good < 300 && client.read_message(2s).is(kText, pattern(900, good))) good++;
    CHECK(good == 300);
  }
}

TEST_CASE("ws backpressure: a ping behind a request with a large answer is no reason to end the connection, or the answer") {
  for (const SlowConsumerPolicy policy :
       {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
    CAPTURE(static_cast<int>(policy));
    const std::string requests = ws_frame(kText, "more") + ws_frame(kPing, "and now?");
    CHECK(answers_read(3'000'000, requests, 1, policy, false) == 1);
    CHECK(answers_read(3'000'000, requests, 1, policy, true) == 1);
  }
}

TEST_CASE("ws backpressure: on_drain follows a dropped message, wherever what was taken waited") {
  for (const size_t limit : {size_t{1000}, size_t{300'000}}) {
    CAPTURE(limit);
    std::atomic<int> drains{0};
    std::atomic<uint32_t> taken{0};
    TestServer server([&](App& app) {
      WsHandlers handlers;
      handlers.message = [&](WebSocket ws, const Message&) {
        while (taken < 100'000 && ws.send(pattern(1000)) != SendStatus::dropped) taken++;
      };
      handlers.drain = [&](WebSocket ws) {
        drains++;
        ws.send("drained");
      };
      handlers.options = {.max_unsent_bytes = limit, .slow_consumer = SlowConsumerPolicy::drop_newest};
      app.ws("/", std::move(handlers));
    });
    WsClient client(server.port(), "/", {}, kSlow);
    REQUIRE(client.send_text("go"));
    wait_a_turn(server);
    CHECK(taken.load() < 100'000);
    uint32_t got = 0;
    WsFrame frame = client.read_frame();
    for (; frame.payload == pattern(1000); frame = client.read_frame(2s)) got++;
    CHECK(frame.is(kText, "drained"));
    CHECK(got == taken.load());
    CHECK(drains.load() == 1);
  }
}

TEST_CASE("ws backpressure: a handler that sends much to a client that reads is not held against the client") {
  for (const SlowConsumerPolicy policy : {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest}) {
    TestServer server([&](App& app) {
      app.ws("/", {.open = [](WebSocket ws, Request&) {
                     for (uint32_t i = 0; i < 60; i++) CHECK(ws.send(pattern(1000, i)) == SendStatus::ok);
                   },
                   .options = {.max_unsent_bytes = 8000, .slow_consumer = policy}});
    });
    WsClient client(server.port());
    for (uint32_t i = 0; i < 60; i++) REQUIRE(client.reads(pattern(1000, i)));
    CHECK(client.close_nicely());
  }
}

TEST_CASE("ws backpressure: close() in on_drain, and more sends in on_drain") {
  std::atomic<int> drains{0};
  TestServer server([&](App& app) {
    WsHandlers handlers;
    const auto fill = [](WebSocket ws) {
      while (ws.send(std::string(100'000, 'x')) != SendStatus::backpressure) {
      }
    };
    handlers.message = [fill](WebSocket ws, const Message&) { fill(ws); };
    handlers.drain = [&, fill](WebSocket ws) {
      if (++drains < 4) return fill(ws);
      ws.close(static_cast<CloseCode>(4040));
    };
    handlers.options = {.max_unsent_bytes = 64_MiB};
    app.ws("/", std::move(handlers));
  });
  WsClient client(server.port(), "/", {}, kSlow);
  REQUIRE(client.send_text("go"));
  CHECK(client.read_close() == 4040);
  CHECK(drains.load() == 4);
}

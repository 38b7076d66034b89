// Messages with keys (PublishOptions::conflate) over a kernel of our own that takes as much of each receiver's output as a test
// says: who keeps up gets all, who does not the newest of each key, in order, and no more is kept than the bounds say.
#include "sys/platform.h"

#if MARTLET_SYS_EPOLL  // the kernel of our own speaks epoll

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/failing_alloc.h"
#include "support/fake_kernel.h"
#include "support/multi_server.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Text messages in what a server has sent; it is cut to what is no whole frame yet.
std::vector<std::string> take_messages(std::string& bytes) {
  std::vector<std::string> all;
  size_t at = 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[at + i]); };
  while (bytes.size() - at >= 2) {
    size_t size = byte(1);
    size_t header = 2;
    if (size == 126) {
      if (bytes.size() - at < 4) break;
      size = static_cast<size_t>(byte(2) << 8 | byte(3));
      header = 4;
    }
    REQUIRE(size < 126u * 1024);
    if (bytes.size() - at < header + size) break;
    all.push_back((byte(0) == 0x81 ? "" : byte(0) == 0x88 ? "close" : "other") + bytes.substr(at + header, byte(0) == 0x81 ? size : 0));
    at += header + size;
  }
  bytes.erase(0, at);
  return all;
}

// Receivers by number, who take what a test lets them.
struct Market {
  FakeKernel kernel;
  std::map<int, WebSocket> sockets;
  App app;

  explicit Market(TopicsOptions topics = {}, WsOptions options = {}) {
    app.topics_options(topics);
    app.ws("/:peer", {.open = [this](WebSocket ws, Request& req) { sockets[std::stoi(std::string(req.param("peer")))] = ws; },
                      .options = std::move(options)});
    REQUIRE(app.listen("127.0.0.1", 9001).ok());
  }
  void come(int number, std::string_view filter) {
    kernel.connect(number).sends = ws_request("/" + std::to_string(number));
    turns();
    kernel.find(number)->got.clear();
    if (!filter.empty()) CHECK(sockets[number].subscribe(filter) == SubscribeStatus::ok);
  }
  // It takes nothing from now on, and the server has noticed.
  void stall(int number) {
    kernel.find(number)->takes = 0;
    sockets[number].send("stalls");
    turns();
  }
  void let(int number, size_t bytes = SIZE_MAX) {
    kernel.find(number)->takes = bytes;
    turns(20);
  }
  SendStatus publish(std::string_view topic, std::string_view key, std::string_view text) {
    const SendStatus status = app.publish(topic, text, {.conflate = key});
    turns(1);
    return status;
  }
  std::vector<std::string> heard(int number) { return take_messages(kernel.find(number)->got); }
  void turns(int times = 3) {
    for (int i = 0; i < times; i++) app.poll_once(milliseconds(0));
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("conflation: who keeps up gets all, who does not the newest of each key, in the order of publishing") {
  Market market;
  market.come(1, "prices/#");
  market.come(2, "prices/#");
  market.publish("prices/eu", "A", "A0");  // from here on it is known who stalls
  market.come(3, "prices/+");
  for (const int slow : {2, 3}) market.stall(slow);
  for (const char* text : {"A1", "B1", "A2", "C1", "A3", "B2"}) CHECK(market.publish("prices/eu", {text, 1}, text) == SendStatus::ok);
  CHECK(market.publish("prices/us", "A", "us A1") == SendStatus::ok);  // another topic's
  CHECK(market.publish("prices/us", "A", "us A2") == SendStatus::ok);
  CHECK(market.heard(1) == Texts{"A0", "A1", "B1", "A2", "C1", "A3", "B2", "us A1", "us A2"});
  CHECK(market.heard(2) == Texts{"A0"});
  for (const int slow : {2, 3}) {
    market.let(slow);
    CHECK(market.heard(slow) == Texts{"stalls", "C1", "A3", "B2", "us A2"});
  }
  CHECK(market.app.stats().messages_conflated == 2 * 4);
  CHECK(market.app.stats().messages_dropped == 0);
  CHECK(market.publish("prices/eu", "A", "A4") == SendStatus::ok);  // it keeps up again
  CHECK(market.publish("prices/eu", "A", "A5") == SendStatus::ok);
  CHECK(market.heard(2) == Texts{"A4", "A5"});
}

TEST_CASE("conflation: what has no key is all sent, and in its order") {
  Market market;
  market.come(1, "t");
  market.publish("t", "k", "0");
  market.stall(1);
  for (int i = 1; i < 6; i++) {
    market.publish("t", "", "plain " + std::to_string(i));
    market.publish("t", "k", "keyed " + std::to_string(i));
  }
  market.sockets[1].send("direct");
  market.let(1);
  CHECK(market.heard(1) == Texts{"0", "stalls", "plain 1", "plain 2", "plain 3", "plain 4", "plain 5", "direct", "keyed 5"});
}

TEST_CASE("conflation: many receivers at every pace, as a model says") {
  for (uint32_t seed = 1; seed <= 5; seed++) {
    CAPTURE(seed);
    constexpr int kReceivers = 6;
    Market market({}, {.max_unsent_bytes = 4096});  // nobody is slow enough to be closed
    for (int i = 0; i < kReceivers; i++) market.come(i, i % 2 ? "#" : "t/+");
    std::mt19937 random(seed);
    struct Sent {
      std::string name;
      int number;
    };
    std::vector<Sent> sent;
    std::vector<Texts> heard(kReceivers);
    for (int step = 0; step < 3000; step++) {
      if (random() % 3) {
        const std::string topic = "t/" + std::to_string(random() % 2);
        const std::string key(1, static_cast<char>('a' + random() % 5));
        sent.push_back({topic + key, step});
        REQUIRE(market.app.publish(topic, topic + key + " " + std::to_string(step) + std::string(random() % 20, '.'), {.conflate = key}) == SendStatus::ok);
        if (random() % 2) market.turns(1);
      } else {
        const int who = static_cast<int>(random() % kReceivers);
        if (who == 0) continue;  // keeps up
        market.kernel.find(who)->takes = random() % 4 ? random() % 200 : 0;
        market.turns(1);
      }
    }
    for (int i = 0; i < kReceivers; i++) {
      market.let(i);
      const Texts got = market.heard(i);
      CAPTURE(i);
      std::map<std::string, int> newest, last;
      for (const Sent& one : sent) last[one.name] = one.number;
      int before = -1;
      for (const std::string& text : got) {
        const auto space = text.find(' ');
        const int number = std::atoi(text.c_str() + space + 1);
        REQUIRE(number > before);  // in order, each once
        before = number;
        newest[text.substr(0, space)] = number;
      }
      CHECK(newest == last);
      if (i == 0) CHECK(got.size() == sent.size());
      if (i != 0) CHECK(got.size() < sent.size());
    }
    CHECK(market.app.stats().slow_consumers == 0);
    CHECK(market.app.stats().messages_dropped == 0);
    CHECK(market.app.stats().messages_conflated > 0);
  }
}

TEST_CASE("conflation: above the number of keys, and the bytes of the route, the oldest go and are counted") {
  Market market({.max_conflated_keys = 3}, {.max_unsent_bytes = 1000});
  market.come(1, "t");
  market.publish("t", "k", "first");
  market.stall(1);
  for (const char* text : {"A", "B", "C"}) market.publish("t", text, text);
  CHECK(market.app.stats().messages_dropped == 0);
  market.publish("t", "D", "D");
  CHECK(market.app.stats().messages_dropped == 1);
  market.let(1);
  CHECK(market.heard(1) == Texts{"first", "stalls", "B", "C", "D"});
  market.stall(1);
  const std::string large(498, 'x');
  for (const char* key : {"A", "B"}) market.publish("t", key, key + large);  // 503 bytes each with its header
  CHECK(market.app.stats().messages_dropped == 2);
  market.publish("t", "C", std::string(5000, 'y'));  // one of any size
  CHECK(market.app.stats().messages_dropped == 3);
  market.let(1);
  CHECK(market.heard(1) == Texts{"stalls", std::string(5000, 'y')});
  CHECK(market.app.stats().slow_consumers == 0);
}

TEST_CASE("conflation: keys of any kind, up to the limit") {
  Market market({.max_name_bytes = 8});
  market.come(1, "t");
  market.publish("t", "k", "0");
  market.stall(1);
  CHECK(market.publish("t", "12345678", "1") == SendStatus::ok);
  CHECK(market.publish("t", "123456789", "2") == SendStatus::dropped);
  CHECK(market.publish("t", std::string_view("\0\0", 2), "3") == SendStatus::ok);
  CHECK(market.publish("t", std::string_view("\0", 1), "4") == SendStatus::ok);
  CHECK(market.publish("t", "\xff/#", "5") == SendStatus::ok);
  market.let(1);
  CHECK(market.heard(1) == Texts{"0", "stalls", "1", "3", "4", "5"});
}

TEST_CASE("conflation: a connection that is closed is sent what is kept for it first; one that ends takes it with it") {
  FailingAlloc memory;
  {
    Market market;
    for (int i = 1; i < 4; i++) market.come(i, "t");
    market.publish("t", "k", "0");
    for (int i = 1; i < 4; i++) market.stall(i);
    market.publish("t", "k", "1");
    market.publish("t", "k", "2");
    market.sockets[1].unsubscribe("t");  // what was published before still comes
    market.publish("t", "k", "3");
    market.sockets[2].close();
    market.kernel.find(3)->reset = true;
    market.turns(5);
    CHECK(market.publish("t", "k", "4") == SendStatus::ok);  // the one that closes is there still
    for (int i = 1; i < 3; i++) market.let(i);
    CHECK(market.heard(1) == Texts{"0", "stalls", "2"});
    CHECK(market.heard(2) == Texts{"0", "stalls", "3", "close"});
  }
  CHECK(FailingAlloc::held == 0);
}

TEST_CASE("conflation: the sender is left out, stalled or not, and the others' answers do not change") {
  Market market;
  for (int i = 1; i < 3; i++) market.come(i, "t");
  market.publish("t", "k", "0");
  for (int i = 1; i < 3; i++) market.stall(i);
  CHECK(market.sockets[1].publish("t", "from 1", {.conflate = "k"}) == SendStatus::ok);
  CHECK(market.sockets[2].publish("t", "from 2", {.conflate = "other"}) == SendStatus::ok);
  for (int i = 1; i < 3; i++) market.let(i);
  CHECK(market.heard(1) == Texts{"0", "stalls", "from 2"});
  CHECK(market.heard(2) == Texts{"0", "stalls", "from 1"});
  CHECK(market.publish("nobody/there", "k", "x") == SendStatus::closed);
}

TEST_CASE("conflation: without memory a message is kept, sent, or counted, and nothing else is lost") {
  for (size_t allowed = 0;; allowed++) {
    REQUIRE(allowed < 100);
    CAPTURE(allowed);
    FailingAlloc memory;
    bool was_short = false;
    {
      Market market;
      market.come(1, "t");
      market.come(2, "t");
      market.stall(2);
      FailingAlloc::left = allowed;
      const SendStatus first = market.publish("t", "a", "a");
      const SendStatus second = market.publish("t", "b", "b");
      was_short = FailingAlloc::left == 0;
      FailingAlloc::left = SIZE_MAX;
      CHECK(market.publish("t", "c", "c") == SendStatus::ok);
      market.let(2);
      Texts wanted;
      if (first == SendStatus::ok) wanted.push_back("a");
      if (second == SendStatus::ok) wanted.push_back("b");
      wanted.push_back("c");
      const uint64_t dropped = market.app.stats().messages_dropped;
      const Texts fast = market.heard(1);
      Texts slow = market.heard(2);
      REQUIRE(!slow.empty());
      CHECK(slow.front() == "stalls");
      slow.erase(slow.begin());
      CHECK(fast.size() + slow.size() + dropped >= 2 * wanted.size());
      CHECK(slow.back() == "c");
      CHECK(fast.back() == "c");
      if (!was_short) CHECK(slow == wanted);
    }
    CHECK(FailingAlloc::held == 0);
    if (!was_short) break;
  }
}

TEST_CASE("conflation: a publish on another worker, and from a thread that is none, is conflated where the receiver is") {
  std::atomic<App*> first{nullptr};
  MultiServer server(2, [&](App& app, uint32_t worker) {
    if (worker == 0) first = &app;
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
                  .message = [](WebSocket ws, const Message& m) { ws.subscribe(m.text()), ws.send("ok"); },
                  .options = {.max_unsent_bytes = 64_MiB}});
  });
  WsClient client = server.client_of(1, "/w");
  REQUIRE(client.send_text("#"));
  REQUIRE(client.reads("ok"));
  const std::string rest(50'000, 'x');
  // Asked there: Server::stats() may be a turn behind.
  const auto conflated = [&] { return server.on_worker(1, [](App& app) { return app.stats().messages_conflated; }); };
  for (const bool from_worker : {true, false}) {
    const uint64_t before = conflated();
    int sent = 0;
    REQUIRE(eventually([&] {
      for (int i = 0; i < 50; i++, sent++) {
        const std::string text = std::to_string(sent) + " " + rest;
        const PublishOptions options{.conflate = sent % 2 ? "odd" : "even"};
        if (from_worker) {
          server.on_worker(0, [&](App& app) { CHECK(app.publish("t", text, options) == SendStatus::ok); });
        } else {
          CHECK(first.load()->publish("t", text, options) == SendStatus::posted);
        }
        server.on_worker(1, [](App&) {});
      }
      return conflated() > before + 20;
    }));
    int heard = 0;
    for (int number = -1; number < sent - 1; heard++) {
      const WsFrame frame = client.read_message();
      REQUIRE(frame.ok());
      REQUIRE(std::stoi(frame.payload) > number);
      number = std::stoi(frame.payload);
    }
    CHECK(heard < sent);
  }
}

#endif

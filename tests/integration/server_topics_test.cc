// Topics over the workers of a Server: who is reached, in which order, exactly once; and a worker that does not turn.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"
#include "support/ws_deflate_client.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

std::string first_word(std::string& text) {
  const auto at = text.find(' ');
  const std::string word = text.substr(0, at);
  text = at == std::string::npos ? "" : text.substr(at + 1);
  return word;
}

// Text commands.
void speak(App& app, uint32_t worker, Register& all) {
  app.ws("/w", {
      .open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); },
      .message = [&app, &all](WebSocket ws, const Message& m) {
        std::string rest(m.text());
        const std::string word = first_word(rest);
        if (word == "me") {
          all.put(std::stoul(rest), ws);
          ws.send("ok");
        } else if (word == "sub") {
          ws.send(ws.subscribe(rest) == SubscribeStatus::ok ? "ok" : "refused");
        } else if (word == "unsub") {
          ws.unsubscribe(rest);
          ws.send("ok");
        } else if (word == "burst") {  // messages to several topics, a room, and a direct one to socket 0
          const std::string from = first_word(rest);
          for (int i = 0, n = std::stoi(rest); i < n; i++) {
            app.publish("burst/" + std::to_string(i % 7), from + " " + std::to_string(3 * i));
            app.to("hall").send(from + " " + std::to_string(3 * i + 1));
            all.get(0).send(from + " " + std::to_string(3 * i + 2));
          }
        } else if (word == "join") {
          ws.join(rest);
          ws.send("ok");
        } else if (word == "fetch") {  // makes another socket subscribe, and publishes
          const WebSocket other = all.get(std::stoul(first_word(rest)));
          other.send("1");
          other.subscribe(rest + "/+");
          app.publish(rest + "/x", "2");
          other.send("3");
          other.unsubscribe(rest + "/+");
          app.publish(rest + "/x", "nobody is left");
          other.send("4");
        } else if (word == "others") {
          ws.publish("t/all", rest);
        } else if (word == "big") {
          app.publish("t/all", pattern(std::stoul(rest)));
        } else {
          app.publish("t/all", rest);
        }
      },
      .options = {.compression = Deflate{.threshold = 200}, .max_message_bytes = 8_MiB, .max_unsent_bytes = 64_MiB},
  });
}

struct Hall {
  Register all = {};
  MultiServer server;
  std::vector<WsClient> clients = {};

  Hall(uint32_t workers, const std::vector<uint32_t>& where)
      : server(workers, [this](App& app, uint32_t worker) { speak(app, worker, all); }) {
    for (const uint32_t worker : where) {
      clients.push_back(server.client_of(worker, "/w"));
      ask(clients.size() - 1, "me " + std::to_string(clients.size() - 1));
    }
  }
  void ask(size_t client, const std::string& what) {
    REQUIRE(clients[client].send_text(what));
    REQUIRE(clients[client].reads("ok"));
  }
  void all_ask(const std::string& what) {
    for (size_t i = 0; i < clients.size(); i++) ask(i, what);
  }
  bool all_read(std::string_view text) {
    bool good = true;
    for (WsClient& client : clients) good = client.reads(text) && good;
    return good;
  }
};

}  // namespace

TEST_CASE("server topics: each receiver hears each sender's messages in order, each once, rooms' and direct ones in between") {
  constexpr int kMessages = 1500;
  Hall hall(3, {0, 0, 1, 1, 2, 2});
  hall.all_ask("sub burst/+");
  hall.all_ask("sub burst/3");
  hall.all_ask("sub burst/#");
  hall.all_ask("join hall");
  for (size_t i = 0; i < hall.clients.size(); i++) {
    REQUIRE(hall.clients[i].send_text("burst " + std::to_string(i) + " " + std::to_string(kMessages)));
  }
  for (size_t i = 0; i < hall.clients.size(); i++) {
    std::map<std::string, int> next;
    const size_t want = hall.clients.size() * kMessages * (i == 0 ? 3 : 2);
    for (size_t n = 0; n < want; n++) {
      std::string text = hall.clients[i].read_message().payload;
      int& expected = next[first_word(text)];
      REQUIRE(text == std::to_string(expected));
      expected += i == 0 || expected % 3 == 0 ? 1 : 2;  // the direct ones are for socket 0
    }
  }
  REQUIRE(hall.clients[1].send_text("pub the end"));
  hall.ask(0, "sub t/all");  // socket 0 alone was not to hear that
  hall.all_ask("sub t/all");
  REQUIRE(hall.clients[1].send_text("pub the end"));
  CHECK(hall.all_read("the end"));  // and nothing more than once
}

TEST_CASE("server topics: a subscription that was acknowledged is seen by a publish on any worker, an unsubscribe as well") {
  Hall hall(3, {0, 1, 2});
  hall.ask(0, "sub t/all");
  for (int i = 0; i < 200; i++) {
    const std::string n = std::to_string(i);
    hall.ask(1, i % 2 ? "sub t/+" : "sub t/all");
    REQUIRE(hall.clients[2].send_text("pub in " + n));
    REQUIRE(hall.clients[1].reads("in " + n));
    REQUIRE(hall.clients[0].reads("in " + n));
    hall.ask(1, i % 2 ? "unsub t/+" : "unsub t/all");
    REQUIRE(hall.clients[2].send_text("pub out " + n));
    REQUIRE(hall.clients[0].reads("out " + n));
  }
}

TEST_CASE("server topics: what a worker makes another one's socket subscribe to reaches it, in its place") {
  Hall hall(2, {0, 1});
  for (int i = 0; i < 200; i++) {
    REQUIRE(hall.clients[0].send_text("fetch 1 den"));
    for (const char* text : {"1", "2", "3", "4"}) REQUIRE(hall.clients[1].reads(text));
  }
}

TEST_CASE("server topics: who publishes itself is left out, and messages of every size cross, small ones around them in order") {
  Hall hall(3, {0, 1, 1, 2});
  hall.all_ask("sub #");
  hall.all_ask("sub t/all");
  for (size_t from = 0; from < 4; from++) {
    REQUIRE(hall.clients[from].send_text("others hello"));
    REQUIRE(hall.clients[from].send_text("pub and all"));
    for (size_t i = 0; i < 4; i++) {
      if (i != from) REQUIRE(hall.clients[i].reads("hello"));
      REQUIRE(hall.clients[i].reads("and all"));
    }
  }
  for (const size_t size : {0u, 125u, 126u, 16u * 1024 - 8, 16u * 1024, 65536u, 1u << 20}) {
    CAPTURE(size);
    REQUIRE(hall.clients[0].send_text("pub before"));
    REQUIRE(hall.clients[0].send_text("big " + std::to_string(size)));
    REQUIRE(hall.clients[0].send_text("pub after"));
    for (WsClient& client : hall.clients) {
      CHECK(client.reads("before"));
      CHECK(client.read_message().payload == pattern(size));
      CHECK(client.reads("after"));
    }
  }
}

TEST_CASE("server topics: each worker compresses for its own") {
  Hall hall(2, {0});
  std::vector<DeflateClient> clients;
  for (int i = 0; i < 8; i++) {
    clients.emplace_back(hall.server.port(), "/w", "permessage-deflate");
    REQUIRE(clients.back().open());
    clients.back().read();  // its worker
    REQUIRE(clients.back().send_packed(kText, "sub t/#"));
    REQUIRE(clients.back().read().text == "ok");
  }
  hall.ask(0, "sub #");
  std::string text = "pub";
  for (int i = 0; i < 100; i++) text += " what can be said again";
  REQUIRE(hall.clients[0].send_text(text));
  text.erase(0, 4);
  CHECK(hall.clients[0].reads(text));
  for (DeflateClient& client : clients) CHECK(client.read().text == text);
  CHECK(eventually([&] { return hall.server.stats().messages_deflated >= 1; }));
  CHECK(hall.server.stats().messages_deflated <= 2);
}

TEST_CASE("server topics: what a thread that is no worker does keeps its order for each receiver") {
  Hall hall(3, {0, 1, 2});
  const WebSocket second = hall.all.get(1);
  std::atomic<App*> app{nullptr};
  hall.server.on_worker(0, [&](App& a) { app = &a; });
  hall.ask(0, "sub t/+");
  hall.ask(2, "sub t/+");
  for (int i = 0; i < 300; i++) {
    const std::string n = std::to_string(i);
    CHECK(second.subscribe("t/+") == SubscribeStatus::posted);
    second.send("direct " + n);
    CHECK(app.load()->publish("t/" + n, "topic " + n) == SendStatus::posted);
    CHECK(second.publish("t/" + n, "others " + n) == SendStatus::posted);
    second.unsubscribe("t/+");
  }
  for (int i = 0; i < 300; i++) {
    const std::string n = std::to_string(i);
    REQUIRE(hall.clients[1].reads("direct " + n));
    for (WsClient& client : hall.clients) REQUIRE(client.reads("topic " + n));
    REQUIRE(hall.clients[0].reads("others " + n));
    REQUIRE(hall.clients[2].reads("others " + n));
  }
}

TEST_CASE("server topics: publish says whether anybody may be reached, on whatever worker") {
  Hall hall(2, {0, 1});
  const auto publish = [&](uint32_t worker, const char* topic) {
    return hall.server.on_worker(worker, [topic](App& app) { return app.publish(topic, "x"); });
  };
  CHECK(publish(0, "a") == SendStatus::closed);
  CHECK(publish(0, "+") == SendStatus::dropped);
  hall.ask(1, "sub b");
  CHECK(publish(1, "a") == SendStatus::closed);
  CHECK(publish(0, "a") == SendStatus::ok);  // the other worker has subscribers, of whatever
  CHECK(publish(0, "b") == SendStatus::ok);
  CHECK(hall.clients[1].reads("x"));
  hall.ask(1, "unsub b");
  CHECK(publish(0, "b") == SendStatus::closed);
  hall.ask(1, "sub b");
  CHECK(hall.clients[1].close_nicely());
  CHECK(eventually([&] { return publish(0, "b") == SendStatus::closed; }));
}

namespace {

// A worker that is held, and a subscriber on it.
struct Held {
  std::promise<void> release, holds;
  MultiServer server;
  WsClient here, there, stopper;
  bool released = false;

  explicit Held(SlowConsumerPolicy policy)
      : server(2, [this, policy](App& app, uint32_t worker) {
          const auto open = [worker](WebSocket ws, Request&) { MultiServer::tell(ws, worker); };
          app.ws("/w", {.open = open,
                        .message = [](WebSocket ws, const Message& m) { ws.subscribe(m.text()), ws.send("ok"); },
                        .options = {.max_unsent_bytes = 1024_MiB, .slow_consumer = policy}});
          app.ws("/stop", {.open = open, .message = [this](WebSocket, const Message&) { holds.set_value(), release.get_future().wait(); }});
        }),
        here(server.client_of(0, "/w")), there(server.client_of(1, "/w")), stopper(server.client_of(1, "/stop")) {
    for (WsClient* client : {&here, &there}) {
      REQUIRE(client->send_text("#"));
      REQUIRE(client->reads("ok"));
    }
    REQUIRE(stopper.send_text("stop"));
    holds.get_future().wait();
  }
  ~Held() { go_on(); }
  void publish(int i) {
    server.on_worker(0, [i](App& app) { CHECK(app.publish("t/" + std::to_string(i % 3), message(i)) == SendStatus::ok); });
  }
  static std::string message(int i) {
    std::string text = std::to_string(i) + " ";
    text.resize(1_MiB, 'x');
    return text;
  }
  void go_on() {
    if (!released) server.on_worker(0, [](App&) {});  // the turn that published last is over
    if (!released) release.set_value();
    released = true;
  }
};

}  // namespace

TEST_CASE("server topics: a publish that a worker has no room for makes its subscribers slow ones") {
  Held held(SlowConsumerPolicy::close);
  for (int i = 0; i < 100; i++) {
    held.publish(i);
    REQUIRE((held.here.read_message().payload == Held::message(i)));  // nobody else waits
  }
  held.go_on();
  int heard = 0;
  WsFrame frame;
  for (frame = held.there.read_frame(); frame.opcode == kText; frame = held.there.read_frame()) REQUIRE((frame.payload == Held::message(heard++)));
  CHECK(heard < 100);
  CHECK(frame.close_code() == 1008);
  CHECK(eventually([&] { return held.server.stats().mail_refused >= 100 - 64; }));
  CHECK(eventually([&] { return held.server.stats().slow_consumers == 1; }));
}

TEST_CASE("server topics: where the policy drops, the subscriber goes on, and what it missed is counted") {
  Held held(SlowConsumerPolicy::drop_newest);
  for (int i = 0; i < 100; i++) held.publish(i);
  held.go_on();
  uint64_t missed = 0;
  CHECK(eventually([&] { return (missed = held.server.stats().messages_dropped) > 0; }));
  for (int i = 0; i < 100 - static_cast<int>(missed); i++) REQUIRE((held.there.read_message().payload == Held::message(i)));
  held.server.on_worker(0, [](App& app) { app.publish("t/0", "the end"); });
  CHECK(held.there.reads("the end"));
}

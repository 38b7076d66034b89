// Topics over real sockets: who gets what is published, once and in order, on one worker; limits on both sides; and what handlers
// do in the middle of it. Several workers are in server_topics_test.cc; the rules of matching in realtime/topics_test.cc.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/failing_alloc.h"
#include "support/hall.h"
#include "support/server.h"
#include "support/ws_client.h"
#include "support/ws_events.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// A hall of so many.
struct Hall : RoomHall {
  explicit Hall(size_t count, TopicsOptions topics = {}, WsOptions options = {})
      : RoomHall({}, [topics](App& app) { app.topics_options(topics); }, std::move(options)) {
    add(count);
  }
};

}  // namespace

TEST_CASE("ws topics: who has matching filters gets what is published, once; the sender may be left out") {
  Hall hall(4);
  hall.act([](App& app, auto& ws) {
    CHECK(app.publish("news/uk/sport", "nobody is there yet") == SendStatus::closed);
    CHECK(ws[0].subscribe("news/+/sport") == SubscribeStatus::ok);
    CHECK(ws[1].subscribe("news/#") == SubscribeStatus::ok);
    CHECK(ws[1].subscribe("news/uk/sport") == SubscribeStatus::ok);
    CHECK(ws[1].subscribe("#") == SubscribeStatus::ok);
    CHECK(ws[1].subscribe("#") == SubscribeStatus::ok);  // again
    CHECK(ws[2].subscribe("news/uk/sport") == SubscribeStatus::ok);
    CHECK(app.publish("news/uk/sport", "1") == SendStatus::ok);
    CHECK(app.publish("news/de/sport", "2") == SendStatus::ok);
    CHECK(app.publish("news", "3") == SendStatus::ok);
    CHECK(ws[1].publish("news/uk/sport", "4") == SendStatus::ok);
    CHECK(ws[3].publish("news/uk/sport", "5") == SendStatus::ok);  // it need not be a subscriber
    CHECK(ws[1].publish("weather", "only the sender would hear it") == SendStatus::closed);
    CHECK(WebSocket().publish("weather", "whose worker is that") == SendStatus::closed);
  });
  CHECK(hall.heard() == Heard{{"1", "2", "4", "5"}, {"1", "2", "3", "5"}, {"1", "4", "5"}, {}});
}

TEST_CASE("ws topics: after unsubscribe nothing comes any more, but what was published before") {
  Hall hall(2);
  hall.act([](App& app, auto& ws) {
    ws[0].subscribe("a/+");
    ws[0].subscribe("b");
    ws[1].subscribe("#");
    app.publish("a/1", "1");
    app.publish("b", "2");
    ws[0].unsubscribe("a/+");
    ws[0].unsubscribe("a/1");  // it has no such filter
    ws[1].unsubscribe("a/+");
    app.publish("a/1", "3");
    app.publish("b", "4");
    ws[0].unsubscribe("b");
    app.publish("b", "5");
    ws[0].subscribe("b");
    app.publish("b", "6");
  });
  CHECK(hall.heard() == Heard{{"1", "2", "4", "6"}, {"1", "2", "3", "4", "5", "6"}});
}

TEST_CASE("ws topics: text, bytes, JSON, prepared frames, messages and events") {
  Hall hall(2);
  hall.act([](App& app, auto& ws) {
    ws[0].subscribe("t");
    const std::byte bytes[] = {std::byte{'b'}, std::byte{'i'}, std::byte{'n'}};
    const SharedFrame frame = SharedFrame::text("frame");
    JsonWriter writer;
    writer.value(7);
    CHECK(app.publish("t", "text") == SendStatus::ok);
    CHECK(app.publish("t", std::string("string")) == SendStatus::ok);
    CHECK(app.publish("t", std::span<const std::byte>(bytes)) == SendStatus::ok);
    CHECK(app.publish("t", {{"type", "tick"}, {"n", 1}}) == SendStatus::ok);
    CHECK(app.publish("t", Json{{"n", 2}}) == SendStatus::ok);
    CHECK(app.publish("t", writer) == SendStatus::ok);
    CHECK(app.publish("t", frame) == SendStatus::ok);
    CHECK(app.publish("t", SharedFrame()) == SendStatus::dropped);
    CHECK(app.publish("t", "plain", {.compress = Compress::no}) == SendStatus::ok);
    CHECK(app.publish_event("t", "tick", 7, "x") == SendStatus::ok);
    CHECK(app.publish_event("t", "", 7) == SendStatus::dropped);
    CHECK(ws[1].publish("t", std::span<const std::byte>(bytes)) == SendStatus::ok);
    CHECK(ws[1].publish("t", {{"type", "tock"}, {"n", 3}}) == SendStatus::ok);
    CHECK(ws[1].publish("t", frame) == SendStatus::ok);
    CHECK(ws[1].publish_event("t", "tock", Json{{"n", 4}}) == SendStatus::ok);
    CHECK(ws[0].publish_event("t", "tock") == SendStatus::closed);
  });
  CHECK(hall.heard() == Heard{{"text", "string", "bin", R"({"type":"tick","n":1})", R"({"n":2})", "7", "frame", "plain",
                               R"({"event":"tick","args":[7,"x"]})", "bin", R"({"type":"tock","n":3})", "frame",
                               R"({"event":"tock","args":[{"n":4}]})"},
                              {}});
}

TEST_CASE("ws topics: events look as the routes say") {
  std::vector<WebSocket> sockets;
  TestServer server([&](App& app) {
    app.ws("/", {.open = [&](WebSocket ws, Request&) { ws.subscribe("t"); },
                 .message = [&app](WebSocket ws, const Message& m) {
                   app.publish("t", m);
                   ws.publish("t", m);
                 },
                 .options = {.envelope = Envelope::type_data}});
  });
  WsClient client(server.port(), "/");
  REQUIRE(client.open());
  server.turn();
  server.on_thread([](App& app) { CHECK(app.publish_event("t", "tick", 7) == SendStatus::ok); });
  CHECK(client.reads(R"({"type":"tick","data":7})"));
  CHECK(server.app().publish_event("t", "tock", 1, 2) == SendStatus::posted);
  CHECK(client.reads(R"({"type":"tock","data":[1,2]})"));
  REQUIRE(client.send_text("a message"));
  CHECK(client.reads("a message"));
  REQUIRE(client.send_binary("bytes"));
  const WsFrame frame = client.read_frame();
  CHECK(frame.is(kBinary, "bytes"));
}

TEST_CASE("ws topics: what is no filter, or no topic, or above a limit, is refused with its reason") {
  Hall hall(2, {.max_filters = 6, .max_filters_per_socket = 4, .max_levels = 3, .max_name_bytes = 8});
  hall.act([](App& app, auto& ws) {
    for (const char* bad : {"", "a+", "#/a", "\xff", "+a/b"}) CHECK(ws[0].subscribe(bad) == SubscribeStatus::bad_filter);
    CHECK(ws[0].subscribe(std::string_view("a\0b", 3)) == SubscribeStatus::bad_filter);
    CHECK(ws[0].subscribe("12345678") == SubscribeStatus::ok);
    CHECK(ws[0].subscribe("123456789") == SubscribeStatus::too_long);
    CHECK(ws[0].subscribe("a/+/#") == SubscribeStatus::ok);
    CHECK(ws[0].subscribe("a/+/+/#") == SubscribeStatus::too_deep);
    CHECK(ws[0].subscribe("b") == SubscribeStatus::ok);
    CHECK(ws[0].subscribe("c") == SubscribeStatus::ok);
    CHECK(ws[0].subscribe("d") == SubscribeStatus::too_many);
    CHECK(ws[0].subscribe("c") == SubscribeStatus::ok);  // which it has
    CHECK(ws[1].subscribe("e") == SubscribeStatus::ok);
    CHECK(ws[1].subscribe("f") == SubscribeStatus::ok);
    CHECK(ws[1].subscribe("g") == SubscribeStatus::worker_full);
    CHECK(ws[1].subscribe("b") == SubscribeStatus::ok);  // which there is
    ws[0].unsubscribe("b");
    CHECK(ws[1].subscribe("g") == SubscribeStatus::worker_full);  // it still is
    ws[1].unsubscribe("b");
    CHECK(ws[1].subscribe("g") == SubscribeStatus::ok);
    for (const char* bad : {"", "a/+", "#", "\xff", "123456789", "a/b/c/d"}) CHECK(app.publish(bad, "no") == SendStatus::dropped);
    CHECK(app.publish(std::string_view("a\0b", 3), "no") == SendStatus::dropped);
    CHECK(app.publish("12345678", "long") == SendStatus::ok);
    CHECK(app.publish("a/b/c", "deep") == SendStatus::ok);
    CHECK(app.publish("a/b", "parent") == SendStatus::ok);
    CHECK(WebSocket().subscribe("a") == SubscribeStatus::closed);
    WebSocket().unsubscribe("a");
  });
  CHECK(hall.heard() == Heard{{"long", "deep", "parent"}, {}});
}

TEST_CASE("ws topics: filters of ten thousand levels and a mebibyte are refused, and names are no longer than MQTT's") {
  Hall hall(1, {.max_levels = 100'000, .max_name_bytes = UINT32_MAX});
  hall.act([](App& app, auto& ws) {
    CHECK(ws[0].subscribe(std::string(65'535, 'x')) == SubscribeStatus::ok);
    CHECK(ws[0].subscribe(std::string(65'536, 'x')) == SubscribeStatus::too_long);
    CHECK(app.publish(std::string(65'536, 'x'), "no") == SendStatus::dropped);
    CHECK(app.publish(std::string(65'535, 'x'), "long") == SendStatus::ok);
    std::string deep = "a";
    for (int i = 1; i < 10'000; i++) deep += "/a";
    CHECK(ws[0].subscribe(deep + "/+") == SubscribeStatus::ok);  // the limit is another here
    CHECK(app.publish(deep + "/b", "deep") == SendStatus::ok);
    CHECK(app.publish(deep, "less deep") == SendStatus::closed);
  });
  CHECK(hall.heard() == Heard{{"long", "deep"}});
  Hall plain(1);
  plain.act([](App& app, auto& ws) {
    std::string deep = "+";
    for (int i = 1; i < 10'000; i++) deep += "/+";
    CHECK(ws[0].subscribe(deep) == SubscribeStatus::too_long);
    CHECK(ws[0].subscribe(std::string(1 << 20, '/')) == SubscribeStatus::too_long);
    CHECK(ws[0].subscribe(std::string(100, '/')) == SubscribeStatus::too_deep);
    CHECK(app.publish(std::string(100, '/'), "no") == SendStatus::dropped);
    CHECK(app.publish("a", "nobody") == SendStatus::closed);
  });
}

TEST_CASE("ws topics: topics, rooms, routes and direct sends arrive in the order in which they were made, as a model says") {
  constexpr size_t kClients = 6;
  Hall hall(kClients);
  static constexpr const char* kFilters[] = {"#", "a/#", "a/+", "+/b", "a/b", "a", "b", "+"};
  static constexpr const char* kTopics[] = {"a", "b", "a/b", "a/c", "c/b", "a/b/c", "$a"};
  const std::map<std::string, std::set<std::string>> matches{
      {"#", {"a", "b", "a/b", "a/c", "c/b", "a/b/c"}}, {"a/#", {"a", "a/b", "a/c", "a/b/c"}}, {"a/+", {"a/b", "a/c"}},
      {"+/b", {"a/b", "c/b"}}, {"a/b", {"a/b"}}, {"a", {"a"}}, {"b", {"b"}}, {"+", {"a", "b"}}};
  std::mt19937 random(5);
  std::vector<std::set<std::string>> has(kClients);
  std::vector<bool> in_room(kClients);
  int number = 0;
  hall.act([](App&, auto& ws) {  // every second one is in many rooms
    for (size_t i = 0; i < kClients; i += 2) {
      for (int many = 0; many < 20; many++) ws[i].join(std::to_string(many));
    }
  });
  for (int round = 0; round < 60; round++) {
    Heard wanted(kClients);
    hall.act([&](App& app, auto& ws) {
      for (int step = 0; step < 60; step++) {
        const size_t who = random() % kClients;
        const std::string text = std::to_string(number++);
        const std::string filter = kFilters[random() % std::size(kFilters)];
        switch (random() % 13) {
          case 0:
            CHECK(ws[who].subscribe(filter) == SubscribeStatus::ok);
            has[who].insert(filter);
            break;
          case 1:
            ws[who].unsubscribe(filter);
            has[who].erase(filter);
            break;
          case 2:
            in_room[who] ? ws[who].leave("room") : (void)ws[who].join("room");
            in_room[who] = !in_room[who];
            break;
          case 3:
            ws[who].send(text);
            wanted[who].push_back(text);
            break;
          case 4:
            app.to("room").send(text);
            for (size_t i = 0; i < kClients; i++) if (in_room[i]) wanted[i].push_back(text);
            break;
          case 5:
            ws[who].broadcast(text);
            for (size_t i = 0; i < kClients; i++) if (i != who) wanted[i].push_back(text);
            break;
          case 6:
            app.to(std::to_string(random() % 20)).send(text);
            for (size_t i = 0; i < kClients; i += 2) wanted[i].push_back(text);
            break;
          default: {
            const bool but_one = random() % 2;
            const std::string topic = kTopics[random() % std::size(kTopics)];
            bool any = false;
            for (size_t i = 0; i < kClients; i++) {
              const bool hears = std::any_of(has[i].begin(), has[i].end(), [&](const auto& f) { return matches.at(f).count(topic) > 0; });
              if (!hears || (but_one && i == who)) continue;
              wanted[i].push_back(text);
              any = true;
            }
            const SendStatus status = but_one ? ws[who].publish(topic, text) : app.publish(topic, text);
            CHECK(status == (any ? SendStatus::ok : SendStatus::closed));
          }
        }
      }
    });
    REQUIRE(hall.heard() == wanted);
  }
}

TEST_CASE("ws topics: who has subscribed to everything gets a thousand topics of a turn in order") {
  Hall hall(12);
  std::vector<std::string> all;
  for (int i = 0; i < 3000; i++) all.push_back(std::to_string(i));
  hall.act([&](App& app, auto& ws) {
    ws[0].subscribe("#");
    ws[1].subscribe("t/+");
    // each topic has receivers of its own: a subset of ten, by the bits of its number
    for (unsigned i = 1; i < 1000; i++) {
      for (unsigned bit = 0; bit < 10; bit++) {
        if (i >> bit & 1) REQUIRE(ws[2 + bit].subscribe("t/" + std::to_string(i)) == SubscribeStatus::ok);
      }
    }
    for (unsigned i = 0; i < 3000; i++) app.publish("t/" + std::to_string(i * 7 % 1000), std::to_string(i));
  });
  const Heard heard = hall.heard();
  CHECK(heard[0] == all);
  CHECK(heard[1] == all);
  for (unsigned bit = 0; bit < 10; bit++) {
    std::vector<std::string> wanted;
    for (unsigned i = 0; i < 3000; i++) {
      if ((i * 7 % 1000) >> bit & 1) wanted.push_back(std::to_string(i));
    }
    CHECK(heard[2 + bit] == wanted);
  }
}

TEST_CASE("ws topics: a connection in many rooms gets of topics what it has subscribed to, in order with its rooms, and nothing else") {
  Hall hall(3);
  hall.act([](App& app, auto& ws) {
    for (int i = 0; i < 30; i++) ws[0].join(std::to_string(i)), ws[1].join(std::to_string(i));
    REQUIRE(ws[1].subscribe("news/+") == SubscribeStatus::ok);
    REQUIRE(ws[2].subscribe("#") == SubscribeStatus::ok);
    CHECK(app.publish("secret", "for one") == SendStatus::ok);
    CHECK(app.publish("news/a", "1") == SendStatus::ok);
    app.room("3").send("2");
    CHECK(app.publish("news/b", "3") == SendStatus::ok);
    CHECK(app.publish("secret", "for one") == SendStatus::ok);
    app.room("7").send("4");
    CHECK(ws[1].publish("news/a", "not for the sender") == SendStatus::ok);
    app.broadcast("5");
  });
  CHECK(hall.heard() == Heard{{"2", "4", "5"}, {"1", "2", "3", "4", "5"}, {"for one", "1", "3", "for one", "not for the sender", "5"}});
}

TEST_CASE("ws topics: handlers subscribe, unsubscribe and publish; a close handler, too, and then the subscriptions are over") {
  std::mutex mutex;
  std::vector<SubscribeStatus> late;
  TestServer server([&](App& app) {
    app.ws("/", {.open = [](WebSocket ws, Request&) { ws.subscribe("all"), ws.subscribe("all/#"); },
                 .message = [&app](WebSocket ws, const Message& m) {
                   const std::string text(m.text());
                   if (text == "once") {  // what is published in the handler before it unsubscribes still comes
                     app.publish("all", "one");
                     ws.unsubscribe("all");
                     ws.unsubscribe("all/#");
                     app.publish("all", "two");
                     return;
                   }
                   ws.publish("all", m);
                 },
                 .close = [&](WebSocket ws, const CloseInfo&) {
                   const std::lock_guard lock(mutex);
                   late.push_back(ws.subscribe("other"));
                   ws.publish("all", "gone");
                   app.publish("all", "gone to all");
                   ws.unsubscribe("all");
                 }});
  });
  WsClient stays(server.port(), "/"), goes(server.port(), "/");
  REQUIRE(stays.open());
  REQUIRE(goes.open());
  server.turn();
  REQUIRE(goes.send_text("hello"));
  CHECK(stays.reads("hello"));
  CHECK(goes.close_nicely());
  CHECK(stays.reads("gone"));
  CHECK(stays.reads("gone to all"));
  {
    const std::lock_guard lock(mutex);
    CHECK(late == std::vector{SubscribeStatus::closed});
  }
  REQUIRE(stays.send_text("once"));
  CHECK(stays.reads("one"));
  CHECK(server.on_thread([](App& app) { return app.publish("all", "nobody"); }) == SendStatus::closed);
}

TEST_CASE("ws topics: all subscribers go at once, each telling the others") {
  TestServer server([](App& app) {
    app.ws("/", {.open = [](WebSocket ws, Request&) { ws.subscribe("+"), ws.send("ready"); },
                 .close = [&app](WebSocket ws, const CloseInfo&) { app.publish("left", ws.id()), ws.publish("left", "again"); }});
  });
  std::vector<WsClient> clients;
  for (int i = 0; i < 50; i++) {
    clients.emplace_back(server.port(), "/");
    REQUIRE(clients.back().reads("ready"));
  }
  server.on_thread([](App& app) { app.close_all(); });
  clients.clear();
  CHECK(server.wait_for_connections(0));
  CHECK(server.on_thread([](App& app) { return app.publish("left", "nobody"); }) == SendStatus::closed);
}

TEST_CASE("ws topics: commands of another thread act in order, and say that they are on their way") {
  Hall hall(2);
  const WebSocket first = hall.act([](App&, auto& ws) { return ws[0]; });
  App& app = hall.server.app();
  std::vector<std::string> wanted;
  for (int i = 0; i < 200; i++) {
    const std::string n = std::to_string(i);
    CHECK(first.subscribe("t/+") == SubscribeStatus::posted);
    CHECK(app.publish("t/" + n, "in " + n) == SendStatus::posted);
    first.send("direct " + n);
    CHECK(first.publish("t/" + n, "not to itself") == SendStatus::posted);
    first.unsubscribe("t/+");
    CHECK(app.publish("t/" + n, "out " + n) == SendStatus::posted);
    wanted.push_back("in " + n);
    wanted.push_back("direct " + n);
  }
  CHECK(hall.heard() == Heard{wanted, {}});
  CHECK(WebSocket().subscribe("a") == SubscribeStatus::closed);
}

TEST_CASE("ws topics: a slow subscriber costs the others nothing, and is treated by its limit alone") {
  Hall hall(2, {}, {.max_unsent_bytes = 256_KiB});
  hall.clients.emplace_back(hall.server.port(), "/hall", "", ConnectOptions{.receive_buffer_bytes = 4096});
  REQUIRE(hall.clients.back().reads("ready"));
  hall.act([](App&, auto& ws) {
    for (const WebSocket& one : ws) one.subscribe("#");
  });
  const std::string piece = pattern(16'000);
  for (int i = 0; i < 600; i++) {
    hall.act([&](App& app, auto&) { CHECK(app.publish("t", piece) == SendStatus::ok); });
    for (size_t c = 0; c < 2; c++) REQUIRE(hall.clients[c].read_message().payload == piece);
  }
  CHECK(hall.server.wait_for_stats([](const Stats& s) { return s.slow_consumers == 1; }));
  CHECK(hall.server.stats().messages_dropped > 0);
}

TEST_CASE("ws topics: the log tells of subscriptions and of how many were published to, where it is to tell all") {
  std::mutex mutex;
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel level, std::string_view line) {
    const std::lock_guard lock(mutex);
    const bool is_of_topics = line.starts_with("Socket subscribed") || line.starts_with("Published to");  // not how many were left out before
    if (level == LogLevel::debug && is_of_topics) lines.emplace_back(line);
  });
  {
    Hall hall(2);
    const auto second = [] { return std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now()); };
    CHECK(eventually([&, begun = second()] { return second() != begun; }));  // others may have had the lines of this one
    set_log_level(LogLevel::debug);
    hall.act([](App& app, auto& ws) {
      ws[0].subscribe("a/#");
      ws[1].subscribe("a/b");
      ws[1].subscribe("a+b");
      app.publish("a/b", "x");
      app.publish("c\n", "x");
    });
    set_log_level(LogLevel::warn);
  }
  set_log_sink({});
  CHECK(lines == std::vector<std::string>{"Socket subscribed to: a/#", "Socket subscribed to: a/b", "Published to: a/b: 2 subscribers",
                                          "Published to: c.: 0 subscribers"});
}

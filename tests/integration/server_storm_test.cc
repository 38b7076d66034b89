// The storm: threads that are no workers use every handle they can get, of connections that come and go, on a Server that
// ends and starts again under them. What it must not do is crash, hang, leave anything behind, or race (make tsan).
//
//   MARTLET_STORM_SECONDS=3   how long; each second has its own seed, which is printed when something fails
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

using Random = std::mt19937;

uint32_t below(Random& random, uint32_t n) { return std::uniform_int_distribution<uint32_t>(0, n - 1)(random); }

// Things that handlers leave for other threads.
template <typename T>
class Bag {
 public:
  void put(T thing, Random* random = nullptr) {
    const std::lock_guard lock(mutex_);
    if (random && things_.size() >= 200) things_[below(*random, 200)] = std::move(thing);
    else things_.push_back(std::move(thing));
  }
  std::optional<T> some(Random& random) {
    const std::lock_guard lock(mutex_);
    if (things_.empty()) return {};
    return things_[below(random, static_cast<uint32_t>(things_.size()))];
  }
  std::vector<T> all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(things_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<T> things_;
};

struct Storm {
  Bag<WebSocket> sockets;
  Bag<Room> rooms;
  Bag<Response> responses;
  Bag<Next> nexts;
  std::atomic<bool> over{false};
  std::atomic<uint16_t> port{0};
  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> hanging{0};  // requests that were neither answered nor cut

  void set_up(App& app, uint32_t seed);
  void act(Random& random, App* app);
  void outside(Server& server, uint32_t seed);
  void browse(uint32_t seed);
  void chat(uint32_t seed);
};

std::string room_name(Random& random) { return "room " + std::to_string(below(random, 5)); }

void Storm::set_up(App& app, uint32_t seed) {
  auto random = std::make_shared<Random>(seed);
  app.use("/next", [this](Request&, Response&, Next next) { nexts.put(next); });
  app.get("/next", [](Request&, Response& res) { res.send("let through"); });
  app.get("/defer", [this](Request&, Response& res) { responses.put(res.defer()); });
  app.get("/", [](Request&, Response& res) { res.send("at once"); });
  app.ws("/w", {
      .close = [this](WebSocket ws, const CloseInfo&) { ws.to("room 0").send("gone"), done++; },
      .message = [this, &app, random](WebSocket ws, const Message& m) {
        ws.send(m);
        act(*random, &app);
      },
      .open = [this, random](WebSocket ws, Request&) {
        sockets.put(ws, random.get());
        rooms.put(ws.join(room_name(*random)), random.get());
      },
      .options = {.max_unsent_bytes = 64 * 1024},
  });
}

// One thing that a handle can do, on whatever thread.
void Storm::act(Random& random, App* app) {
  const auto ws = sockets.some(random);
  const auto room = rooms.some(random);
  if (!ws || !room) return;
  const std::string text(below(random, 300), 'x');
  switch (below(random, 22)) {
    case 0: ws->join(room_name(random)); break;
    case 1: ws->leave(room_name(random)); break;
    case 2: ws->leave(*room); break;
    case 3: ws->to(room_name(random)).send(text); break;
    case 4: ws->to(*room).except(*ws).send(SharedFrame::text(text)); break;
    case 5: room->send(text); break;
    case 6: ws->broadcast(text); break;
    case 7: ws->ping("storm"); break;
    case 8: ws->on_message([](WebSocket self, const Message& m) { self.send(m); }); break;
    case 9: ws->on_close([](WebSocket, const CloseInfo&) {}); break;
    case 10: ws->on_pong([](WebSocket self, std::string_view) { self.send("pong"); }); break;
    case 11: ws->post([](WebSocket self) { self.send("posted"); }); break;
    case 12: if (below(random, 8) == 0) ws->close(CloseCode::normal, "enough"); break;
    case 13: if (below(random, 8) == 0) ws->abort(); break;
    case 14: if (app) app->send_to(ws->id(), "by name"); break;
    case 15: if (app) app->everybody().send(text); break;
    case 16: if (app) app->to(room_name(random)).send(text); break;
    case 17: if (app) app->to_route("/w").send(SharedFrame::binary(std::as_bytes(std::span(text)))); break;
    case 18: if (app && app->room(room_name(random)).size() > 100'000) done = 0; break;
    case 19: if (app && app->rooms().size() > 6) hanging = 1'000'000; break;
    default: ws->send(text); break;
  }
}

void Storm::outside(Server& server, uint32_t seed) {
  Random random(seed);
  while (!over) {
    for (int i = 0; i < 20; i++) act(random, nullptr);
    const uint32_t worker = below(random, 3);
    server.post(worker, [this, seed](App& app) {
      Random own(seed + static_cast<uint32_t>(app.connections()));
      act(own, &app);
    });
    for (Response& response : responses.all()) {
      if (below(random, 2)) response.status(200 + static_cast<int>(below(random, 3))).set("X-Field", "value");
      response.send("later");
    }
    for (const Next& next : nexts.all()) next();
    if (server.stats().open_rooms > 1000 || server.progress().websockets > 100'000) hanging = 2'000'000;
    std::this_thread::yield();
  }
}

void Storm::browse(uint32_t seed) {
  Random random(seed);
  while (!over) {
    Client client(port);
    for (int i = 0; i < 20 && !over; i++) {
      const char* target = below(random, 3) == 0 ? "/" : below(random, 2) ? "/defer" : "/next";
      const auto begin = Clock::now();
      const HttpResponse response = client.get(target);
      done++;
      if (!response && Clock::now() - begin > kPatience / 2) hanging++;
      if (!response || response.closes()) break;
    }
  }
}

void Storm::chat(uint32_t seed) {
  Random random(seed);
  while (!over) {
    WsClient client(port, "/w");
    if (!client.open()) continue;
    for (uint32_t i = 0, n = below(random, 40); i < n && !over; i++) {
      if (!client.send_text(std::string(below(random, 200), 'c'))) break;
      if (below(random, 3) == 0 && !client.read_frame(milliseconds(50)).ok()) break;
      done++;
    }
    if (below(random, 2)) client.send_close(1000);
  }
}

int seconds_wanted() {
  const char* text = std::getenv("MARTLET_STORM_SECONDS");
  const int seconds = text ? std::atoi(text) : 3;
  return seconds < 1 ? 1 : seconds > 3600 ? 3600 : seconds;
}

}  // namespace

TEST_CASE("server_storm: every handle on every thread, while connections and the Server come and go") {
  const int descriptors = open_descriptors();
  set_log_level(LogLevel::off);
  {
    Storm storm;
    Server server({.balance = Balance::even, .host = "127.0.0.1", .workers = 3});
    std::vector<std::thread> threads;
    const auto start = [&](uint32_t seed) {
      uint32_t next = seed;
      REQUIRE(!server.start([&](App& app) { storm.set_up(app, next++); }));
      storm.port = server.port();
    };
    start(1);
    for (uint32_t i = 0; i < 3; i++) threads.emplace_back([&, i] { storm.outside(server, 100 + i); });
    for (uint32_t i = 0; i < 2; i++) threads.emplace_back([&, i] { storm.browse(200 + i); });
    for (uint32_t i = 0; i < 2; i++) threads.emplace_back([&, i] { storm.chat(300 + i); });
    const auto end = Clock::now() + std::chrono::seconds(seconds_wanted());
    for (uint32_t round = 1; Clock::now() < end; round++) {
      CAPTURE(round);
      std::thread ender([&] {
        std::this_thread::sleep_for(milliseconds(300));  // the storm's own time, nothing is waited for
        round % 3 == 0 ? server.close() : server.drain({.deadline = milliseconds(100), .notice = "bye", .spread = milliseconds(50)});
      });
      CHECK(server.wait({.handle_signals = false}) == 0);
      ender.join();
      const Stats stats = server.stats();
      CHECK(stats.open_connections == 0);
      CHECK(stats.open_websockets == 0);
      CHECK(stats.open_rooms == 0);
      start(round * 10);
    }
    storm.over = true;
    server.close();
    for (std::thread& thread : threads) thread.join();
    CHECK(server.wait({.handle_signals = false}) == 0);
    CHECK(storm.hanging == 0);
    CHECK(storm.done > 100);
    MESSAGE(storm.done.load(), " things done");
  }
  set_log_level(LogLevel::warn);
  CHECK(eventually([&] { return open_descriptors() <= descriptors; }));
}

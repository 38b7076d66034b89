// The storm: threads that are no workers use every handle they can get, of connections that come and go, on a Server that
// ends and starts again under them. What it must not do is crash, hang, leave anything behind, or race (make tsan).
//
//   MARTLET_STORM_SECONDS=3   how long; each second has its own seed, which is printed when something fails
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <iterator>
#include <optional>
#include <random>
#include <shared_mutex>
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
  Bag<Admit> admits;
  // The Apps of the workers, for calls that any thread may make. Locked while a Server starts: the former ones go then.
  Bag<App*> apps;
  std::shared_mutex starting;
  std::atomic<bool> over{false};
  std::atomic<uint16_t> ports[2] = {};
  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> hanging{0};  // requests that were neither answered nor cut

  void set_up(App& app, uint32_t seed);
  void act(Random& random, App* app);
  void act_on_app(Random& random, App& app);
  void act_on_rooms(Random& random, WebSocket ws, Room room, App* app);
  void outside(Server& server, uint32_t seed);
  void browse(uint32_t seed);
  void chat(uint32_t seed);
  uint16_t port(Random& random) { return ports[below(random, 2)]; }
};

std::string topic_name(Random& random) { return "t/" + std::to_string(below(random, 3)) + "/" + std::to_string(below(random, 3)); }
std::string filter_name(Random& random) {
  static constexpr const char* kFilters[] = {"#", "t/#", "t/+/1", "t/1/+", "+/0/#", "t/2/2", "t/0/0", "nobody/publishes"};
  return kFilters[below(random, static_cast<uint32_t>(std::size(kFilters)))];
}
std::string room_name(Random& random) { return "room " + std::to_string(below(random, 5)); }

void Storm::set_up(App& app, uint32_t seed) {
  auto random = std::make_shared<Random>(seed);
  apps.put(&app);
  app.use("/next", [this](Request&, Response&, Next next) { nexts.put(next); });
  app.get("/next", [](Request&, Response& res) { res.send("let through"); });
  app.get("/defer", [this](Request&, Response& res) { responses.put(res.defer()); });
  app.get("/", [](Request&, Response& res) { res.send("at once"); });
  app.rooms_options({.history = 4, .keep_empty = milliseconds(20), .max_rooms = 8, .max_rooms_per_socket = 4});
  app.on_join([this, random](WebSocket, std::string_view, Admit admit) {
    const uint32_t chance = below(*random, 8);
    chance == 0 ? admit.no("no") : chance < 6 ? admit.yes() : admits.put(admit);
  });
  app.ws("/w", {
      .open = [this, random](WebSocket ws, Request&) {
        sockets.put(ws, random.get());
        if (const Room room = ws.join(room_name(*random), {.trusted = true})) rooms.put(room, random.get());
      },
      .message = [this, &app, random](WebSocket ws, const Message& m) {
        ws.send(m);
        act(*random, &app);
      },
      .close = [this](WebSocket ws, const CloseInfo&) { ws.to("room 0").send("gone"), done++; },
      .options = {.max_unsent_bytes = 64 * 1024},
  });
}

// One thing that a handle can do, on whatever thread.
void Storm::act(Random& random, App* app) {
  const auto ws = sockets.some(random);
  const auto room = rooms.some(random);
  if (!ws || !room) return;
  const std::string text(below(random, 300), 'x');
  switch (below(random, 34)) {
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
    case 14: if (app && app->room(room_name(random)).size() > 100'000) hanging = 3'000'000; break;
    case 15: if (app && app->rooms().size() > 6) hanging = 1'000'000; break;
    case 16: ws->on_drain([](WebSocket self) { self.send("drained"); }); break;
    case 17: ws->on_error([](WebSocket, const ErrorInfo&) {}); break;
    case 18: ws->on_ping([room](WebSocket, std::string_view) { room->send("ping"); }); break;
    case 19: ws->send(SharedFrame::text(std::string(20'000, 'l'))); break;
    case 20: ws->join(room_name(random)), ws->to(room_name(random)).except(*ws).send(text); break;
    case 21: if (app && below(random, 50) == 0) std::this_thread::sleep_for(milliseconds(5)); break;  // a slow handler
    case 22: ws->post([random = Random(random())](WebSocket self) mutable { self.join(room_name(random)); }); break;
    case 23:
    case 24: if (app) act_on_app(random, *app); break;
    case 25: ws->subscribe(filter_name(random)); break;
    case 26: ws->unsubscribe(filter_name(random)); break;
    case 27: ws->publish(topic_name(random), text); break;
    case 28: ws->publish(topic_name(random), text, {.conflate = std::string_view("abc", below(random, 4))}); break;
    case 29: ws->publish(topic_name(random), SharedFrame::text(std::string(20'000, 't')), {.conflate = "large"}); break;
    case 30: act_on_rooms(random, *ws, *room, app); break;
    default: ws->send(text); break;
  }
}

// What there is to do with rooms besides.
void Storm::act_on_rooms(Random& random, WebSocket ws, Room room, App* app) {
  switch (below(random, 10)) {
    case 0: ws.join({room_name(random), room_name(random)}); break;
    case 1: ws.to({room_name(random), room_name(random), "nowhere"}).send("several"); break;
    case 2: if (app) app->to({room_name(random), room_name(random)}).except(ws).send("several"); break;
    case 3: room.update_metadata({{room_name(random), 1}}); break;
    case 4: if (app && app->room(room_name(random)).info().history.size() > 4) hanging = 4'000'000; break;
    case 5: room.members(10, [this](MemberList list) { done += list.members.size(); }); break;
    case 6: if (app) app->find([](WebSocket one) { return one.is_open(); }, 3).timeout(milliseconds(20)).then([this](MemberList) { done++; }); break;
    case 7: if (below(random, 8) == 0) room.close(); break;
    case 8: if (const auto admit = admits.some(random)) admit->yes(); break;
    default: if (const auto admit = admits.some(random)) admit->no(); break;
  }
}

// What any thread may ask an App for.
void Storm::act_on_app(Random& random, App& app) {
  const auto ws = sockets.some(random);
  const std::string text(below(random, 300), 'x');
  switch (below(random, 10)) {
    case 0: if (ws) app.send_to(ws->id(), "by name"); break;
    case 1: app.everybody().send(text); break;
    case 2: app.to(room_name(random)).send(text); break;
    case 3: app.to_route("/w").send(SharedFrame::binary(std::as_bytes(std::span(text)))); break;
    case 4: if (below(random, 50) == 0) app.close_all(CloseCode::going_away, "all"); break;
    case 5: app.post([this] { done++; }); break;
    case 6: app.broadcast(text); break;
    case 7: app.publish(topic_name(random), text, {.conflate = "k"}); break;
    case 8: app.publish(topic_name(random), text); break;
    default: if (ws) app.find(ws->id()).ping("found"); break;
  }
}

void Storm::outside(Server& server, uint32_t seed) {
  Random random(seed);
  while (!over) {
    for (int i = 0; i < 20; i++) act(random, nullptr);
    {
      const std::shared_lock lock(starting);
      const auto app = apps.some(random);
      for (int i = 0; app && i < 5; i++) act_on_app(random, **app);
    }
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
    if (below(random, 400) == 0) server.drain({.deadline = milliseconds(below(random, 60))});
    if (below(random, 400) == 0) server.close();
    std::this_thread::yield();
  }
}

void Storm::browse(uint32_t seed) {
  Random random(seed);
  while (!over) {
    Client client(port(random));
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
    WsClient client(port(random), "/w");
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

namespace {

// One Server's life, again and again. Its seeds are its own.
void live(Storm& storm, Server& server, size_t number, Clock::time_point end) {
  const auto start = [&](uint32_t seed) {
    const std::unique_lock lock(storm.starting);
    storm.apps.all();
    REQUIRE(!server.start([&](App& app) { storm.set_up(app, seed++); }));
    storm.ports[number] = server.port();
  };
  for (uint32_t round = 1; Clock::now() < end; round++) {
    CAPTURE(number);
    CAPTURE(round);
    start(round * 10);
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
    CHECK(server.progress().over);
  }
}

}  // namespace

TEST_CASE("server_storm: every handle on every thread, while connections and two Servers come and go") {
  const int descriptors = open_descriptors();
  set_log_level(LogLevel::off);
  {
    Storm storm;
    Server one({.balance = Balance::even, .host = "127.0.0.1", .workers = 3});
    Server two({.host = "127.0.0.1", .watchdog = milliseconds(50), .workers = 2});
    const auto end = Clock::now() + std::chrono::seconds(seconds_wanted());
    std::thread lives([&] { live(storm, two, 1, end); });
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < 3; i++) threads.emplace_back([&, i] { storm.outside(i ? one : two, 100 + i); });
    for (uint32_t i = 0; i < 2; i++) threads.emplace_back([&, i] { storm.browse(200 + i); });
    for (uint32_t i = 0; i < 3; i++) threads.emplace_back([&, i] { storm.chat(300 + i); });
    live(storm, one, 0, end);
    lives.join();
    storm.over = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(storm.hanging == 0);
    CHECK(storm.done > 100);
    MESSAGE(storm.done.load(), " things done");
  }
  set_log_level(LogLevel::warn);
  CHECK(eventually([&] { return open_descriptors() <= descriptors; }));
}

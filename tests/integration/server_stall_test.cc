// A worker that does not turn: the others go on, what waits for it is bounded, nothing is lost without a count, commands
// are kept in order.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/alloc.h"
#include "support/gate.h"
#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::literals;
using namespace martlet::test;

namespace {

// Bytes held of base/alloc while it lives.
class MeteredAlloc {
 public:
  MeteredAlloc() : before_(base::alloc_hooks) {
    held = 0;
    base::alloc_hooks = {allocate, deallocate};
  }
  ~MeteredAlloc() { base::alloc_hooks = before_; }
  static inline std::atomic<size_t> held = 0;

 private:
  static constexpr size_t kHeader = 16;
  static void* allocate(size_t bytes) {
    auto* memory = static_cast<char*>(std::malloc(bytes + kHeader));
    if (!memory) return nullptr;
    *reinterpret_cast<size_t*>(memory) = bytes;
    held += bytes;
    return memory + kHeader;
  }
  static void deallocate(void* memory) {
    char* begin = static_cast<char*>(memory) - kHeader;
    held -= *reinterpret_cast<size_t*>(begin);
    std::free(begin);
  }
  base::AllocHooks before_;
};

// Three workers or so with routes of different policies. A client joins the rooms of its target's last segment.
class Town {
  uint64_t clients_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::vector<CloseCause>> causes_;

 public:
  explicit Town(uint32_t workers, const std::string& host = "127.0.0.1")
      : server(workers, [this](App& app, uint32_t worker) { set_up(app, worker); },
               // Patient, as reading what had piled up takes its time.
               {.app = {.close_timeout = 60s, .write_timeout = 120s}, .host = host}) {}
  ~Town() {
    gate.open();
    server.stop();
  }

  // A client of that worker, and its handle.
  WsClient client(uint32_t worker, std::string_view target, WebSocket* handle = nullptr) {
    clients_++;
    WsClient client = server.client_of(worker, target);
    REQUIRE(client.send_text("id"));
    const std::string id = client.read_message().payload;
    if (handle) *handle = server.on_worker(worker, [id](App& app) { return app.find(id); });
    return client;
  }
  // When all clients that came to a wrong worker have gone.
  void stall(uint32_t worker) {
    REQUIRE(eventually([&] { return server.stats().open_websockets == clients_; }));
    server.server().post(worker, [this](App&) { gate.wait(); });
    REQUIRE(gate.wait_for_one());
  }
  // How connections ended that did not just go, by route.
  std::vector<CloseCause> causes(const std::string& route) {
    const std::lock_guard lock(mutex_);
    return causes_[route];
  }

  Gate gate;
  MultiServer server;

 private:
  void set_up(App& app, uint32_t worker) {
    for (const auto policy : {SlowConsumerPolicy::close, SlowConsumerPolicy::drop_newest, SlowConsumerPolicy::drop_oldest}) {
      const std::string route = policy == SlowConsumerPolicy::close         ? "/close/:room"
                                : policy == SlowConsumerPolicy::drop_newest ? "/newest/:room"
                                                                            : "/oldest/:room";
      app.ws(route, {.open =
                         [worker](WebSocket ws, Request& req) {
                           ws.join(req.param("room"));
                           MultiServer::tell(ws, worker);
                         },
                     .message =
                         [](WebSocket ws, const Message& m) {
                           if (m.text() == "id") return (void)ws.send(ws.id());
                           ws.send(m);
                         },
                     .close =
                         [this, route](WebSocket, const CloseInfo& why) {
                           const std::lock_guard lock(mutex_);
                           if (why.cause != CloseCause::peer_eof) causes_[route].push_back(why.cause);
                         },
                     .options = {.max_unsent_bytes = 512_MiB, .slow_consumer = policy}});
    }
    app.get("/alive", [](Request&, Response& res) { res.send("yes"); });
  }
};

constexpr int kMessages = 90;
constexpr int kFit = 64;  // MiB in a lane

std::string large(int number) {
  std::string text = std::to_string(number) + " ";
  text.resize(size_t{1} << 20, 'x');
  return text;
}

// How many large messages come, in order from 0 on, before something else does, which is `next`.
int read_large(WsClient& client, WsFrame& next) {
  for (int number = 0;; number++) {
    next = client.read_message();
    if (!next.ok() || next.payload != large(number)) return number;
  }
}

}  // namespace

TEST_CASE("server_stall: the publisher goes on, memory is bounded, and who missed something is a slow consumer") {
  MeteredAlloc meter;
  Town town(3);
  std::function<SendStatus(App&, std::string_view)> publish;
  bool to_route = false;
  SUBCASE("a room") { publish = [](App& app, std::string_view text) { return app.to("den").send(text); }; }
  SUBCASE("a route") {
    to_route = true;
    publish = [](App& app, std::string_view text) { return app.to_route("/newest/:room").send(text); };
  }
  SUBCASE("everybody") { publish = [](App& app, std::string_view text) { return app.broadcast(text); }; }
  WsClient closes = town.client(1, "/close/den");
  WsClient newest = town.client(1, "/newest/den");
  WsClient oldest = town.client(1, "/oldest/den");
  WsClient elsewhere = town.client(2, "/newest/den");
  const size_t before = MeteredAlloc::held;
  size_t most = 0;
  town.stall(1);
  for (int i = 0; i < kMessages; i++) {
    CHECK(town.server.on_worker(0, [&](App& app) { return publish(app, large(i)); }) == SendStatus::ok);
    CHECK(elsewhere.read_message().payload == large(i));
    most = std::max<size_t>(most, MeteredAlloc::held - before);
  }
  CHECK(most < size_t{kFit + 12} << 20);
  CHECK(most > size_t{kFit - 4} << 20);
  CHECK(town.server.stats().mail_refused >= kMessages - kFit);  // seen while it lasts
  town.gate.open();

  const auto stats = [&](auto condition) { return eventually([&] { return condition(town.server.stats()); }); };
  if (!to_route) {  // first, as it is given two seconds
    CHECK(closes.read_close() == 1008);
    closes.tcp.close();
    CHECK(eventually([&] { return town.causes("/close/:room").size() == 1; }));
    CHECK(town.causes("/close/:room") == std::vector{CloseCause::slow_consumer});
  }
  CHECK(town.server.on_worker(0, [&](App& app) { return publish(app, "after"); }) == SendStatus::ok);
  WsFrame next;
  const int got = read_large(newest, next);
  CHECK(next.payload == "after");
  CHECK(got >= kFit - 2);
  CHECK(got <= kFit);
  const auto missed = static_cast<uint64_t>(kMessages - got);
  CHECK(stats([&](const Stats& s) { return s.mail_refused == missed; }));
  if (to_route) {
    CHECK(stats([&](const Stats& s) { return s.messages_dropped == missed; }));
    CHECK(town.server.stats().slow_consumers == 0);
    CHECK(closes.echoes("still here"));
    CHECK(oldest.echoes("still here"));
  } else {
    CHECK(stats([&](const Stats& s) { return s.slow_consumers == 1 && s.messages_dropped >= 3 * missed; }));
    CHECK(read_large(oldest, next) == got);
    CHECK(next.payload == "after");
  }
  CHECK(town.causes("/newest/:room").empty());
}

TEST_CASE("server_stall: only the members of what was missed are slow consumers, however many rooms it was") {
  Town town(2);
  WsClient sender = town.client(0, "/close/nobody-else");
  std::vector<WsClient> missing, spared;
  for (const char* room : {"one", "two", "three"}) missing.push_back(town.client(1, std::string("/close/") + room));
  spared.push_back(town.client(1, "/close/four"));
  spared.push_back(town.client(1, "/close/elsewhere"));
  WsClient elsewhere = town.client(0, "/close/elsewhere");
  town.stall(1);
  for (int i = 0; i < 70; i++) {
    town.server.on_worker(0, [&](App& app) { return app.to("one").send(large(i)); });
  }
  town.server.on_worker(0, [&](App& app) {
    for (const char* room : {"two", "three", "nobody-else", "gone"}) app.to(room).send(large(0));
  });
  CHECK(sender.read_message().payload == large(0));
  town.gate.open();
  for (WsClient& client : missing) {
    CHECK(client.read_close() == 1008);
    client.tcp.close();
  }
  for (WsClient& client : spared) CHECK(client.echoes("here"));
  CHECK(elsewhere.echoes("here"));
  CHECK(eventually([&] { return town.causes("/close/:room").size() == 3; }));
}

TEST_CASE("server_stall: what was missed is counted also when the worker never turns again") {
  Town town(2);
  WsClient member = town.client(1, "/close/den");
  town.stall(1);
  for (int i = 0; i < kMessages; i++) {
    town.server.on_worker(0, [&](App& app) { return app.to("den").send(large(i)); });
  }
  town.server.server().close();
  town.gate.open();
  CHECK(town.server.wait_until_over() == 0);
  const uint64_t refused = town.server.stats().mail_refused;
  CHECK(refused >= kMessages - kFit);
  CHECK(refused <= kMessages - kFit + 2);
}

TEST_CASE("server_stall: more than a ring holds, in one turn, loses nothing and keeps its order") {
  Town town(2);
  WebSocket handle;
  WsClient member = town.client(1, "/close/den", &handle);
  constexpr int kBurst = 1000;
  int next = 0;
  for (int round = 0; round < 60; round++) {
    const bool stalls = round == 0;
    if (stalls) town.stall(1);
    const int first = next;
    town.server.on_worker(0, [&](App& app) {
      for (int i = 0; i < kBurst; i++) {
        const std::string text = std::to_string(next++);
        // By the room and to the socket itself, in turns: that is one order, too.
        const SendStatus sent = i % 5 == 0 ? app.to("den").send(text) : handle.send(text);
        if (sent != SendStatus::ok && sent != SendStatus::posted) next = -1;
      }
    });
    if (stalls) town.gate.open();
    // Nothing else happens on worker 0 meanwhile: only room in the ring can wake it.
    for (int i = first; i < first + kBurst; i++) REQUIRE(member.reads(std::to_string(i)));
  }
  CHECK(town.server.stats().mail_refused == 0);
}

TEST_CASE("server_stall: commands to a worker that lags are neither lost nor reordered") {
  Town town(2);
  WebSocket handle, other;
  WsClient member = town.client(1, "/newest/den", &handle);
  WsClient second = town.client(1, "/newest/den", &other);
  town.stall(1);
  std::vector<int> ran;  // on worker 1
  int refused = 0;
  town.server.on_worker(0, [&](App&) {
    const SharedFrame frame = SharedFrame::text(large(0));
    for (int i = 0; i < kMessages; i++) refused += handle.send(frame) == SendStatus::dropped;
    for (int i = 0; i < 1000; i++) handle.post([&ran, i](WebSocket) { ran.push_back(i); });
    handle.join("later");
    other.leave("den");
    handle.post([](WebSocket ws) { ws.to("den").send("to nobody"); });
    handle.post([](WebSocket ws) { ws.send(ws.in_room("later") ? "joined" : "not joined"); });
    CHECK(handle.send(large(1)) == SendStatus::dropped);
    handle.close(CloseCode::normal, "that was all");
  });
  CHECK(refused >= kMessages - kFit);
  CHECK(refused <= kMessages - kFit + 2);
  town.gate.open();
  for (int i = 0; i < kMessages - refused; i++) REQUIRE(member.reads(large(0)));
  CHECK(member.reads("joined"));
  const WsFrame close = member.read_frame();
  CHECK(close.close_code() == 1000);
  CHECK(close.close_reason() == "that was all");
  CHECK(second.echoes("here"));
  town.server.on_worker(1, [&](App&) {
    REQUIRE(ran.size() == 1000);
    for (int i = 0; i < 1000; i++) REQUIRE(ran[static_cast<size_t>(i)] == i);
  });
  CHECK(eventually([&] { return town.server.stats().mail_refused == static_cast<uint64_t>(refused) + 1; }));
}

TEST_CASE("server_stall: a plain thread's messages are dropped above the bound, and it is told") {
  Town town(2);
  WebSocket handle;
  WsClient member = town.client(1, "/newest/den", &handle);
  WsClient elsewhere = town.client(0, "/newest/den");
  const Audience den = town.server.on_worker(0, [](App& app) { return app.everybody(); });
  town.stall(1);
  SUBCASE("to the socket") {
    int posted = 0;
    for (int i = 0; i < kMessages; i++) {
      const SendStatus sent = handle.send(large(i));
      CHECK(sent == (i < kFit - 1 ? SendStatus::posted : SendStatus::dropped));
      posted += sent == SendStatus::posted;
    }
    CHECK(elsewhere.echoes("others go on"));
    town.gate.open();
    for (int i = 0; i < posted; i++) REQUIRE(member.reads(large(i)));
    CHECK(handle.send("after") == SendStatus::posted);
    CHECK(member.reads("after"));
    CHECK(eventually([&] { return town.server.stats().mail_refused == static_cast<uint64_t>(kMessages - posted); }));
  }
  SUBCASE("to everybody: who is not on that worker gets it") {
    int posted = 0;
    for (int i = 0; i < kMessages; i++) {
      const SendStatus sent = den.send(large(i));
      posted += sent == SendStatus::posted;
      CHECK(sent == (posted == i + 1 ? SendStatus::posted : SendStatus::dropped));
      CHECK(elsewhere.reads(large(i)));
    }
    CHECK(posted >= kFit - 2);
    CHECK(posted <= kFit);
    town.gate.open();
    for (int i = 0; i < posted; i++) REQUIRE(member.reads(large(i)));
    CHECK(den.send("after") == SendStatus::posted);
    CHECK(member.reads("after"));
  }
}

TEST_CASE("server_stall: a worker that drains waits until another one has taken what it sent") {
  Town town(2);
  WebSocket handle;
  WsClient member = town.client(1, "/close/den", &handle);
  constexpr int kAll = 2000;
  town.stall(1);
  town.server.on_worker(0, [&](App&) {
    for (int i = 0; i < kAll; i++) handle.send(std::to_string(i));
  });
  town.server.server().drain({.deadline = 8s, .spread = 4s});
  CHECK(eventually([&] { return town.server.server().progress().draining; }));
  town.gate.open();
  for (int i = 0; i < kAll; i++) REQUIRE(member.reads(std::to_string(i)));
  CHECK(member.close_nicely());
  CHECK(town.server.wait_until_over() == 0);
}

TEST_CASE("server_stall: a drain ends at its deadline, whatever a worker that lags has not taken") {
  Town town(2);
  WebSocket handle;
  WsClient member = town.client(1, "/close/den", &handle);
  town.stall(1);
  town.server.on_worker(0, [&](App&) {
    for (int i = 0; i < 2000; i++) handle.send(std::to_string(i));
  });
  town.server.server().drain({.deadline = 0ms});
  CHECK(eventually([&] { return town.server.server().progress().draining; }));
  town.gate.open();
  CHECK(town.server.wait_until_over() == 0);
}

TEST_CASE("server_stall: connections on their way to a worker that ends are closed with it") {
  // More waits for worker 1 than it takes in its last turns, and connections behind that.
  const std::string path = "unix:/tmp/martlet-stall-" + std::to_string(::getpid());
  Town town(2, path);  // one socket: worker 0 accepts for both
  town.stall(1);
  town.server.on_worker(0, [&](App&) {
    for (int i = 0; i < 3000; i++) town.server.server().post(1, [](App&) {});
  });
  std::vector<Client> clients;
  for (int i = 0; i < 6; i++) clients.emplace_back(0, ConnectOptions{.host = path});
  for (Client& client : clients) CHECK(client.connected());
  // Those that stay with worker 0 are answered.
  size_t served = 0;
  for (Client& client : clients) client.send("GET /alive HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(eventually([&] { return town.server.server().stats(0).accepted >= 3; }));
  CHECK(town.server.server().stats(1).accepted == 0);
  town.server.server().close();
  town.gate.open();
  CHECK(town.server.wait_until_over() == 0);
  for (Client& client : clients) {
    CHECK(client.read_to_end());
    served += client.in().find("yes") != std::string::npos;
  }
  CHECK(served <= 3);
  ::unlink(path.c_str() + 5);
}

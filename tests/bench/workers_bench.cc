// What several workers cost, beside what one or none would. Each case prints its figures; nothing is judged here.
//
//   workers_bench post        from a worker's post() until the function runs on an idle worker, beside a bare eventfd
//   workers_bench publish     CPU time per delivery to 1,000 members on one worker: published there, and on another one
//   workers_bench balance     how 100 and 9,900 connections spread over 8 workers, for each Balance
//   workers_bench fair        round trips of the clients of each of 8 workers, all busy
//
// Linux only: it compares with an eventfd, and asks for the time of threads.
#if defined(__linux__)
#include <martlet/martlet.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;
using namespace std::chrono_literals;

namespace {

uint64_t ns_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}
uint64_t now_ns() { return ns_of(CLOCK_MONOTONIC); }

double at(std::vector<double>& values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

// Runs on a worker and waits for the answer.
template <typename F>
auto ask(Server& server, uint32_t worker, F fn) {
  using T = decltype(fn(std::declval<App&>()));
  auto answer = std::make_shared<std::promise<T>>();
  auto future = answer->get_future();
  server.post(worker, [fn = std::move(fn), answer](App& app) mutable { answer->set_value(fn(app)); });
  return future.get();
}

struct Running {
  Server server;
  std::thread thread;
  Running(ServerOptions options, std::function<void(App&, uint32_t)> set_up) : server(std::move(options)) {
    uint32_t next = 0;
    if (Error error = server.start([&](App& app) { set_up(app, next++); })) std::exit(report(error));
    thread = std::thread([this] { server.wait({.handle_signals = false}); });
  }
  ~Running() {
    server.close();
    thread.join();
  }
};

ServerOptions local(uint32_t workers, Balance balance = Balance::kernel) {
  return {.balance = balance, .host = "127.0.0.1", .workers = workers};
}

// post ----------------------------------------------------------------------------------------------------------------

double wake_by_eventfd(int fd, std::atomic<uint64_t>& woken) {
  woken = 0;
  const uint64_t begin = now_ns();
  const uint64_t one = 1;
  if (::write(fd, &one, sizeof one) != sizeof one) return 0;
  while (woken.load() == 0) ::sched_yield();
  return static_cast<double>(woken.load() - begin) / 1000;
}

void bench_post() {
  Running running(local(2), [](App&, uint32_t) {});
  const int fd = ::eventfd(0, EFD_CLOEXEC);
  std::atomic<uint64_t> woken{0};
  std::atomic<bool> over{false};
  std::thread bare([&] {
    pollfd waits{fd, POLLIN, 0};
    while (!over) {
      ::poll(&waits, 1, -1);
      woken = now_ns();
      uint64_t taken;
      (void)!::read(fd, &taken, sizeof taken);
    }
  });
  std::vector<double> posted, by_eventfd;
  for (int i = 0; i < 2000; i++) {
    std::this_thread::sleep_for(500us);  // both sides go to sleep
    const double us = ask(running.server, 0, [&](App&) {
      // The function runs on worker 1; worker 0 waits for it as the bare thread's waker does.
      auto ran = std::make_shared<std::atomic<uint64_t>>(0);
      const uint64_t begin = now_ns();
      running.server.post(1, [ran](App&) { *ran = now_ns(); });
      while (ran->load() == 0) ::sched_yield();
      return static_cast<double>(ran->load() - begin) / 1000;
    });
    posted.push_back(us);
    std::this_thread::sleep_for(500us);
    by_eventfd.push_back(wake_by_eventfd(fd, woken));
  }
  over = true;
  wake_by_eventfd(fd, woken);
  bare.join();
  ::close(fd);
  std::printf("post, us: p50 %.2f p99 %.2f; bare eventfd: p50 %.2f p99 %.2f; p50 ratio %.3f\n", at(posted, 0.5), at(posted, 0.99),
              at(by_eventfd, 0.5), at(by_eventfd, 0.99), at(posted, 0.5) / at(by_eventfd, 0.5));
}

// publish -------------------------------------------------------------------------------------------------------------

uint64_t cpu_of_workers(Server& server) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < server.workers(); i++) {
    sum += ask(server, i, [](App&) { return ns_of(CLOCK_THREAD_CPUTIME_ID); });
  }
  return sum;
}

void bench_publish() {
  constexpr int kMembers = 1000;
  constexpr int kRounds = 200;
  const std::string text = pattern(100);
  Running running(local(2), [](App& app, uint32_t worker) {
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) {
             if (worker == 1) ws.join("all");
             ws.send(worker == 1 ? "here" : "elsewhere");
           }});
  });
  std::vector<WsClient> members;
  while (members.size() < kMembers) {
    WsClient client(running.server.port(), "/w");
    if (client.reads("here")) members.push_back(std::move(client));
  }
  std::vector<double> per_delivery[2];
  for (const int burst : {1, 32}) {
    for (auto& list : per_delivery) list.clear();
    for (int round = 0; round < kRounds; round++) {
      const uint32_t from = round % 2 ? 0 : 1;
      const uint64_t before = cpu_of_workers(running.server);
      ask(running.server, from, [&](App& app) {
        for (int i = 0; i < burst; i++) app.to("all").send(text);
        return 0;
      });
      const size_t want = static_cast<size_t>(burst) * (text.size() + 2);
      for (WsClient& client : members) {
        while (client.tcp.in().size() < want) {
          if (!client.tcp.read_more(Clock::now() + kPatience)) std::exit(1);
        }
        client.tcp.in().clear();
      }
      const uint64_t spent = cpu_of_workers(running.server) - before;
      per_delivery[from].push_back(static_cast<double>(spent) / (1000.0 * kMembers * burst));
    }
    const double here = at(per_delivery[1], 0.5), across = at(per_delivery[0], 0.5);
    std::printf("publish, burst of %d, us per delivery: local %.3f across %.3f; ratio %.3f\n", burst, here, across, across / here);
  }
}

// balance -------------------------------------------------------------------------------------------------------------

void bench_balance() {
  // Both ends are ours: 20,000 descriptors are what many systems allow.
  for (const int connections : {100, 9'900}) {
    for (const Balance balance : {Balance::kernel, Balance::even}) {
      Running running(local(8, balance), [](App& app, uint32_t) { app.ws("/w", WsHandlers{}); });
      std::vector<Client> clients;
      for (int i = 0; i < connections; i++) clients.emplace_back(running.server.port());
      std::vector<uint64_t> open(8);
      uint64_t all = 0;
      for (int tries = 0; tries < 1000 && all != static_cast<uint64_t>(connections); tries++) {
        std::this_thread::sleep_for(10ms);
        all = 0;
        for (uint32_t i = 0; i < 8; i++) all += open[i] = running.server.stats(i).open_connections;
      }
      std::printf("balance, %d connections over 8 workers, %s:", connections, balance == Balance::even ? "even" : "kernel");
      for (const uint64_t n : open) std::printf(" %llu", static_cast<unsigned long long>(n));
      const auto [least, most] = std::minmax_element(open.begin(), open.end());
      std::printf("; most/least %.2f\n", static_cast<double>(*most) / static_cast<double>(std::max<uint64_t>(*least, 1)));
    }
  }
}

// fair ----------------------------------------------------------------------------------------------------------------

void bench_fair() {
  constexpr uint32_t kWorkers = 8;
  constexpr int kEach = 8;
  Running running(local(kWorkers), [](App& app, uint32_t worker) {
    app.ws("/w", {.open = [worker](WebSocket ws, Request&) { ws.send(std::to_string(worker)); },
                  .message = [](WebSocket ws, const Message& m) { ws.send(m); }});
  });
  struct One {
    WsClient client;
    uint32_t worker;
    uint64_t sent;
  };
  std::vector<One> all;
  uint32_t have[kWorkers] = {};
  while (all.size() < kWorkers * kEach) {
    WsClient client(running.server.port(), "/w");
    const auto worker = static_cast<uint32_t>(std::stoul(client.read_message().payload));
    if (have[worker] == kEach) continue;
    have[worker]++;
    all.push_back({std::move(client), worker, 0});
  }
  std::vector<double> times[kWorkers];
  std::vector<pollfd> waits;
  for (One& one : all) {
    waits.push_back({one.client.tcp.fd(), POLLIN, 0});
    one.sent = now_ns();
    one.client.send_text("a message of some length");
  }
  for (const uint64_t end = now_ns() + 5'000'000'000; now_ns() < end;) {
    ::poll(waits.data(), waits.size(), 100);
    for (size_t i = 0; i < all.size(); i++) {
      if (!(waits[i].revents & POLLIN)) continue;
      One& one = all[i];
      if (!one.client.read_message().ok()) std::exit(1);
      times[one.worker].push_back(static_cast<double>(now_ns() - one.sent) / 1000);
      one.sent = now_ns();
      one.client.send_text("a message of some length");
    }
  }
  double best = 1e9, worst = 0;
  for (uint32_t i = 0; i < kWorkers; i++) {
    const double p99 = at(times[i], 0.99);
    best = std::min(best, p99);
    worst = std::max(worst, p99);
    std::printf("fair, worker %u: %zu round trips, us: p50 %.0f p99 %.0f\n", i, times[i].size(), at(times[i], 0.5), p99);
  }
  std::printf("fair, worst p99 / best p99: %.2f\n", worst / best);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "post") return bench_post(), 0;
  if (what == "publish") return bench_publish(), 0;
  if (what == "balance") return bench_balance(), 0;
  if (what == "fair") return bench_fair(), 0;
  std::fputs("usage: workers_bench post|publish|balance|fair\n", stderr);
  return 2;
}

#else

int main() { return 2; }

#endif

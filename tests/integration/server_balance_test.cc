// Who gets a connection: the kernel's choice, evened out, by processor, and through one worker that accepts for all.
#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "support/multi_server.h"

using namespace martlet;
using namespace martlet::test;

namespace {

void who(App& app, uint32_t worker) {
  app.get("/", [worker](Request&, Response& res) { res.send(std::to_string(worker)); });
}

// So many clients, each of which has been answered, and how many of them each worker has.
std::vector<uint64_t> spread(MultiServer& server, std::vector<Client>& clients, int count, uint32_t workers,
                             const ConnectOptions& options = {}) {
  std::vector<uint64_t> answers(workers);
  for (int i = 0; i < count; i++) {
    clients.emplace_back(server.port(), options);
    const std::string body = clients.back().get("/").body;
    REQUIRE(!body.empty());
    answers[std::stoul(body)]++;
  }
  CHECK(eventually([&] { return server.stats().open_connections == static_cast<uint64_t>(count); }));
  for (uint32_t i = 0; i < workers; i++) CHECK(server.server().stats(i).open_connections == answers[i]);
  return answers;
}

}  // namespace

TEST_CASE("server_balance: even means that no worker has many more than another, also after many have gone") {
  MultiServer server(8, who, {.balance = Balance::even});
  std::vector<Client> clients;
  for (int round = 0; round < 3; round++) {
    const auto counts = spread(server, clients, 100, 8);
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    CHECK(*most - *least <= 4);
    clients.clear();
    CHECK(eventually([&] { return server.stats().open_connections == 0; }));
  }
}

TEST_CASE("server_balance: left to the kernel, every worker gets some, and each keeps what it accepted") {
  MultiServer server(4, who);
  std::vector<Client> clients;
  const auto counts = spread(server, clients, 200, 4);
  for (const uint64_t n : counts) CHECK(n > 10);
  MESSAGE("200 over 4 workers: ", counts[0], " ", counts[1], " ", counts[2], " ", counts[3]);
  clients.clear();
  for (uint32_t i = 0; i < 4; i++) CHECK(eventually([&] { return server.server().stats(i).open_connections == 0; }));
}

TEST_CASE("server_balance: on a Unix socket worker 0 accepts, and all have the same number") {
  const std::string path = "/tmp/martlet_balance_" + std::to_string(::getpid());
  {
    MultiServer server(4, who, {.host = "unix:" + path});
    std::vector<Client> clients;
    const auto counts = spread(server, clients, 40, 4, {.host = "unix:" + path});
    for (const uint64_t n : counts) CHECK(n == 10);
  }
  ::unlink(path.c_str());
}

#if defined(__linux__)
TEST_CASE("server_balance: by processor, each worker on its own") {
  const auto processors = std::thread::hardware_concurrency();
  if (processors < 2) return;
  MultiServer server(2, who, {.balance = Balance::by_processor});
  std::vector<Client> clients;
  const auto counts = spread(server, clients, 50, 2);
  CHECK(counts[0] + counts[1] == 50);
  Server too_many({.balance = Balance::by_processor, .host = "127.0.0.1", .workers = 256});
  if (processors < 256) CHECK(too_many.start([](App& app) { who(app, 0); }));
}
#endif

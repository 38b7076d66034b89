// Memory after a burst: what nobody uses goes back to the system within seconds, and then the server sleeps again.
#if defined(__linux__)

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "support/server.h"
#include "support/server_process.h"
#include "support/ws_client.h"

using namespace martlet;
using namespace martlet::test;
using namespace martlet::literals;

namespace {

constexpr int kReaders = 50;
constexpr long kMiB = 1 << 20;
constexpr milliseconds kSoon(8000);

// A number after `name` in a file of /proc; -1 when there is none.
long figure(const std::string& path, const char* name) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (!file) return -1;
  long value = -1;
  char line[256];
  while (value < 0 && std::fgets(line, sizeof line, file)) {
    if (std::string_view(line).starts_with(name)) std::sscanf(line + std::string_view(name).size(), "%ld", &value);
  }
  std::fclose(file);
  return value;
}

long resident(const std::string& process) { return figure("/proc/" + process + "/smaps_rollup", "Rss:") * 1024; }

// Sends 5 MB to whoever comes, in messages large and small: more than the kernel takes.
void flood(App& app) {
  app.ws("/flood", {.open = [](WebSocket ws, Request&) {
    const std::string large(40'000, 'x'), small(100, 'y');
    for (int i = 0; i < 2000; i++) ws.send(small);
    for (int i = 0; i < 120; i++) ws.send(large);
    for (int i = 0; i < 2000; i++) ws.send(small);
  }, .options = {.max_unsent_bytes = 16_MiB}});
  app.ws("/large", {.message = [](WebSocket, const Message&) {}, .options = {.max_message_bytes = 32_MiB}});
  app.get("/", [](Request&, Response& res) { res.send("here"); });
}

// Readers that have stopped, and somebody who has sent half of something large.
std::vector<WsClient> burst(uint16_t port, int readers = kReaders) {
  std::vector<WsClient> clients;
  for (int i = 0; i < readers; i++) {
    clients.emplace_back(port, "/flood", "", ConnectOptions{.receive_buffer_bytes = 8192});
    REQUIRE(clients.back().open());
  }
  clients.emplace_back(port, "/large");
  const std::string frame = ws_frame(kBinary, std::string(8'000'000, 'z'));
  REQUIRE(clients.back().send(std::string_view(frame).substr(0, 6'000'000)));
  return clients;
}

// A worker's thread has a heap of its own, the end of which glibc keeps once the program has freed something large. What
// the workers may keep by themselves is 2 MiB each; each round is compared with the very beginning.
void check_two_workers(int readers) {
  trim_heap();
  ServerProcess server(flood, {.workers = 2, .before_listen = [] { (void)std::vector<char>(30 * kMiB, 'x'); }});
  REQUIRE(server.port() != 0);
  const std::string process = std::to_string(server.pid());
  for (int i = 0; i < 50; i++) REQUIRE(Client(server.port()).get("/").status == 200);
  const long before = resident(process);
  for (int round = 0; round < 2; round++) {
    long during = 0;
    {
      const std::vector<WsClient> clients = burst(server.port(), readers);
      during = resident(process);
      if (kFiguresTell) CHECK(during > before + 40 * kMiB);
    }
    const bool back = eventually([&] { return resident(process) < before + 12 * kMiB; }, kSoon);
    MESSAGE("two workers: before " << before / 1024 << ", in the burst " << during / 1024 << ", after it "
                                   << resident(process) / 1024 << " KiB");
    if (kFiguresTell) CHECK(back);
  }
}

}  // namespace

TEST_CASE("idle memory: after a burst the system has it back within seconds, and the server sleeps") {
  trim_heap();
  ServerProcess server(flood);
  REQUIRE(server.port() != 0);
  Client other(server.port());
  const std::string process = std::to_string(server.pid());
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 50; i++) REQUIRE(other.get("/").status == 200);
    const long before = resident(process);
    long during = 0;
    {
      const std::vector<WsClient> clients = burst(server.port());
      REQUIRE(other.get("/").status == 200);
      during = resident(process);
      if (kFiguresTell) CHECK(during > before + 40 * kMiB);
    }
    const auto end = Clock::now();
    const bool back = eventually([&] { return resident(process) < before + 4 * kMiB; }, kSoon);
    MESSAGE("before " << before / 1024 << ", in the burst " << during / 1024 << ", after it " << resident(process) / 1024
                      << " KiB, " << std::chrono::duration_cast<milliseconds>(Clock::now() - end).count() << " ms later");
    if (kFiguresTell) CHECK(back);
  }
  const auto switches = [&] { return figure("/proc/" + process + "/status", "voluntary_ctxt_switches:"); };
  REQUIRE(other.get("/").status == 200);
  long last = -1;
  // What is due still (a second at most) comes, and then nothing.
  CHECK(eventually([&] {
    const long now = switches();
    const bool rests = now == last;
    last = now;
    std::this_thread::sleep_for(milliseconds(2500));
    return rests && switches() == now;
  }, milliseconds(12'000)));
  CHECK(other.get("/").status == 200);
}

TEST_CASE("idle memory: what an option says is kept") {
  trim_heap();
  ServerProcess server(flood, {.app = {.idle_memory_bytes = 256_MiB}});
  REQUIRE(server.port() != 0);
  const std::string process = std::to_string(server.pid());
  Client other(server.port());
  for (int i = 0; i < 50; i++) REQUIRE(other.get("/").status == 200);
  const long before = resident(process);
  burst(server.port()).clear();
  for (int i = 0; i < 35; i++) {
    REQUIRE(other.get("/").status == 200);
    std::this_thread::sleep_for(milliseconds(100));
  }
  if (kFiguresTell) CHECK(resident(process) > before + 40 * kMiB);
}

TEST_CASE("idle memory: of the workers of a Server, too") { check_two_workers(kReaders); }

// Then a worker has more buffers than it ever keeps for reuse.
TEST_CASE("idle memory: of the workers of a Server, after a burst that no pool holds") { check_two_workers(3 * kReaders); }

#endif  // __linux__

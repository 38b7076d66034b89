// monitoring.cc: what a monitor asks for: whether the server is well, how much is going on, and what it takes. GET /ws/health:
//
//   {"status": "healthy", "websocket": {"activeConnections": 2, "totalRooms": 1, "uptime": 12.5, "memoryUsage": {"rss": 9000000, …}}}
//
// The figures are those of the whole App: uptime in seconds, memory in bytes. Whoever can reach the path may read them, as load
// balancers have no token; where the outside can, too, a guard stands before it, as in rbac.cc.
#include "gallery.h"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>

#include <unistd.h>

using namespace martlet;
using namespace martlet::literals;
using Clock = std::chrono::steady_clock;

namespace {

// Of this process, by the names that Node.js has for it. Linux tells, in pages (man 5 proc); elsewhere all are 0.
Json memory_usage() {
  int64_t all = 0, resident = 0, shared = 0, code = 0, unused = 0, data = 0;
  std::ifstream("/proc/self/statm") >> all >> resident >> shared >> code >> unused >> data;
  const int64_t page = sysconf(_SC_PAGESIZE);
  return {
      {"rss", resident * page},
      {"heapTotal", data * page},                // what it may write to: heap and stacks
      {"heapUsed", (resident - shared) * page},  // what of its own it has in memory
      {"external", shared * page},               // and of files: the program, its libraries
  };
}

}  // namespace

void gallery::monitoring(App& app, Router& routes) {
  routes.get("/ws/health", [&app, begin = Clock::now()](Request&) {
    const Stats stats = app.stats();
    const std::chrono::duration<double> uptime = Clock::now() - begin;
    const Json health = {
        {"status", "healthy"},
        {"websocket",
         {
             {"activeConnections", stats.open_websockets},
             {"totalRooms", stats.open_rooms},
             {"uptime", uptime.count()},
             {"memoryUsage", memory_usage()},
         }},
    };
    return Reply(health).set("Cache-Control", "no-store");
  });

  // Something to count. Rooms are the whole App's: these are nobody else's names.
  routes.ws("/ws/room/:name", {.max_message_bytes = 4_KiB}, [](WebSocket ws, Request& req) {
    ws.join("monitoring/" + std::string(req.param("name")));
    ws.on_message([](WebSocket from, const Message& message) { from.send(message); });
  });
}

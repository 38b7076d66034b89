// resource_aware.cc: what a connection may use up, and what is left of it when it has gone: nothing but a line in the log.
//
// The ids of the last five minutes' messages are kept, no more than kMaxKept of them; the sweep that drops the older ones is a
// timer of the socket's, and ends with it. Who does not want to wait for it says so: ?keep=500&sweep=100, in milliseconds.
#include "clock.h"
#include "gallery.h"
#include "random_id.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

using namespace martlet;
using namespace martlet::literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int64_t kWarnAfter = 1000;  // messages
constexpr size_t kMaxRooms = 10;
constexpr size_t kMaxKept = 10'000;
constexpr milliseconds kKeep = 5min, kSweep = 60s;

struct Kept {
  std::string id;
  Clock::time_point at;
};

// What is known of one connection; it ends with it.
struct Usage {
  Clock::time_point since = Clock::now();
  gallery::SystemTime last_activity = std::chrono::system_clock::now();
  int64_t messages = 0;
  std::deque<Kept> buffer;
};

milliseconds time_of(Request& req, std::string_view name, milliseconds most) {
  return milliseconds(std::clamp<int64_t>(req.query<int64_t>(name, most.count()), 1, most.count()));
}

void sweep(WebSocket ws, milliseconds keep) {
  std::deque<Kept>& buffer = ws.data<Usage>().buffer;
  while (!buffer.empty() && buffer.front().at < Clock::now() - keep) buffer.pop_front();
}

// Every message counts, also one that is an event.
void count(WebSocket from) {
  Usage& usage = from.data<Usage>();
  usage.last_activity = std::chrono::system_clock::now();
  if (++usage.messages > kWarnAfter) {
    from.send({{"type", "warning"}, {"message", "⚠️ Message rate limit approaching"}, {"limit", kWarnAfter}, {"current", usage.messages}});
  }
  usage.buffer.push_back({gallery::new_id("msg"), Clock::now()});
  if (usage.buffer.size() > kMaxKept) usage.buffer.pop_front();
}

void process(WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  if (message.is_binary() || !read) {
    log(LogLevel::error, "Message processing failed: " + read.error().message());
    return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
  }
  const Usage& usage = from.data<Usage>();
  from.send({{"type", "processed"}, {"messageId", usage.buffer.back().id}, {"messageCount", usage.messages}, {"buffered", usage.buffer.size()}});
}

Json rooms_of(WebSocket ws) {
  Json rooms = Json::array();
  for (const std::string& room : ws.rooms()) rooms.push_back(room);
  return rooms;
}

void join_room(WebSocket from, std::string room) {
  if (!from.in_room(room) && from.rooms().size() >= kMaxRooms) {
    return void(from.send({
        {"type", "error"},
        {"code", "ROOM_LIMIT"},
        {"message", "🏠 Maximum room limit reached (10)"},
        {"currentRooms", rooms_of(from)},
    }));
  }
  from.join(room);
}

void report(WebSocket gone) {
  const Usage& usage = gone.data<Usage>();
  const double ms = std::max(1.0, std::chrono::duration<double, std::milli>(Clock::now() - usage.since).count());
  const Json stats = {
      {"duration", std::to_string(std::lround(ms / 1000)) + "s"},
      {"messageCount", usage.messages},
      {"averageMessagesPerMinute", std::llround(static_cast<double>(usage.messages) / ms * 60'000)},
      {"roomsJoined", gone.rooms().size()},
      {"lastActivity", gallery::iso(usage.last_activity)},
  };
  log(LogLevel::info, "📊 Connection stats for " + gone.id() + ": " + stats.dump());
}

}  // namespace

void gallery::resource_aware(App&, Router& routes) {
  routes.ws("/resource-aware", {.max_message_bytes = 4_KiB}, [](WebSocket ws, Request& req) {
    ws.data<Usage>();  // it begins now
    ws.every(time_of(req, "sweep", kSweep), [keep = time_of(req, "keep", kKeep)](WebSocket of) { sweep(of, keep); });
    ws.filter_messages([](WebSocket from, const Message&) { return count(from), true; });
    ws.on("join-room", join_room);
    ws.on_message(process);
    ws.on_close([](WebSocket gone, const CloseInfo&) { report(gone); });
  });
}

// info.cc: what is known of a connection, for the log, and a welcome with its name in it.
#include "gallery.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

using namespace martlet;

namespace {

using SystemTime = std::chrono::system_clock::time_point;

int64_t milliseconds_of(SystemTime time) { return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count(); }

// "2026-03-01T12:00:00.123Z".
std::string iso(SystemTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%FT%T", &utc);
  return std::string(text, size) + "." + std::to_string(1000 + milliseconds_of(time) % 1000).substr(1) + "Z";
}

}  // namespace

void gallery::info(App&, Router& routes) {
  const auto started = std::chrono::steady_clock::now();
  routes.ws("/info", [started](WebSocket ws) {
    const Json known = {
        {"id", ws.id()},
        {"ip", ws.ip()},
        {"userAgent", ws.user_agent()},
        {"origin", ws.origin()},
        {"rooms", ws.rooms()},
        {"connectedAt", iso(ws.connected_at())},
        {"isAlive", ws.is_alive()},
        {"metadata", ws.metadata()},
    };
    log(LogLevel::info, known.dump());

    const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - started;
    ws.send({
        {"type", "welcome"},
        {"message", "👋 Hello! Your ID is " + ws.id()},
        {"timestamp", milliseconds_of(std::chrono::system_clock::now())},
        {"serverInfo", {{"version", "1.0.0"}, {"uptime", uptime.count()}}},
    });
  });
}

// info.cc: what is known of a connection, for the log, and a welcome with its name in it.
#include "clock.h"
#include "gallery.h"

#include <chrono>

using namespace martlet;

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
        {"timestamp", now_ms()},
        {"serverInfo", {{"version", "1.0.0"}, {"uptime", uptime.count()}}},
    });
  });
}

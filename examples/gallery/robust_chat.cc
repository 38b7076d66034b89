// robust_chat.cc: a chat that bears with bad clients and bad networks: it pings, says why it closes, checks what it is sent, and answers
// who sends too much.
//
// What a message has to look like is looked at before the limiter is, so that a mistake does not count. So this is no
// message_limit(), which counts whatever comes, but a RateLimiter that is asked by the handler.
//
// Who does not want to wait says so: ?ping=100&timeout=500, in milliseconds.
#include "gallery.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr milliseconds kPing = 30s, kTimeout = 60s;

using Limiter = Common<RateLimiter>;

milliseconds time_of(Request& req, std::string_view name, milliseconds most) {
  return milliseconds(std::clamp<int64_t>(req.query<int64_t>(name, most.count()), 1, most.count()));
}

void refuse(WebSocket from, std::string_view details) {
  from.send({{"type", "error"}, {"message", "Invalid message format"}, {"details", details}});
}

void receive(WebSocket from, const Message& message, const Limiter& limiter) {
  const JsonResult<Json> read = message.json();
  if (!read) return refuse(from, read.error().message());
  const Json& type = (*read)["type"];
  if (!type.is_string() || type.text_or("").empty()) return refuse(from, "Invalid message type");
  if (!limiter->allow(from.id())) return void(from.send({{"type", "error"}, {"message", reason::kRateLimitExceeded}}));
  from.to(from.request().param("roomId")).send(*read);
}

// When the error is one of the peer's making it can still be told.
void tell(WebSocket of, const ErrorInfo& error) {
  log(LogLevel::error, "WebSocket error: " + std::string(error.message));
  if (of.is_open()) of.send({{"type", "error"}, {"message", "Connection error occurred"}, {"code", static_cast<int>(error.code)}});
}

}  // namespace

void gallery::robust_chat(App&, Router& routes) {
  const Limiter limiter(RateLimiterOptions{.algorithm = Limit::sliding_log, .max = 60, .max_keys = 10'000, .per = 60s});
  routes.ws("/robust-chat/:roomId", {.max_message_bytes = 64_KiB}, [limiter](WebSocket ws, Request& req) {
    ws.join(req.param("roomId"));
    // Both end with the socket.
    ws.every(time_of(req, "ping", kPing), [](WebSocket of) { of.ping(); });
    ws.after(time_of(req, "timeout", kTimeout), [](WebSocket of) { of.close(CloseCode::normal, reason::kConnectionTimeout); });
    ws.on_pong([](WebSocket, std::string_view) { log(LogLevel::info, "Pong received, connection healthy"); });
    ws.on_error(tell);
    ws.on_message([limiter](WebSocket from, const Message& message) { receive(from, message, limiter); });
  });
}

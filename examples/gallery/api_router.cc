// api_router.cc: JSON messages that name what they want: a function for each type, and an answer to what is none of them.
#include "clock.h"
#include "gallery.h"
#include "utf8.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 10;  // of one client

void refuse(WebSocket from, const std::string& why) { from.send({{"type", "error"}, {"message", why}}); }

void join(WebSocket from, const Json& message) {
  const std::string room(message["room"].text_or(""));
  if (room.empty()) return refuse(from, "🏠 Room name required");
  if (!from.in_room(room) && from.rooms().size() == kMaxRooms) return refuse(from, "🏠 Maximum room limit reached (10)");
  from.join(room);
  from.to(room).send({{"type", "user-joined"}, {"user", from.id()}, {"room", room}, {"timestamp", gallery::now_ms()}});
  from.send({{"type", "joined"}, {"room", room}, {"message", "🎉 Successfully joined " + room + "!"}});
}

void chat(WebSocket from, const Json& message) {
  const std::string room(message["room"].text_or(""));
  const std::string_view text = message["text"].text_or("");
  if (text.empty() || room.empty()) return refuse(from, "💬 Text and room required");
  if (!from.in_room(room)) return refuse(from, "🚫 You are not in room: " + room);
  const Json* user = from.metadata().find("user");
  from.to(room).send({
      {"type", "message"},
      {"user", from.id()},
      {"text", text},
      {"room", room},
      {"timestamp", gallery::now_ms()},
      {"userInfo", user ? *user : Json{{"name", "Anonymous"}}},
  });
}

void ping(WebSocket from, const Json& message) {
  const int64_t received = gallery::now_ms();
  Json latency;
  if (const auto sent = message["timestamp"].as<double>()) latency = static_cast<double>(received) - *sent;
  from.send({{"type", "pong"}, {"timestamp", received}, {"latency", latency}});
}

void typing(WebSocket from, const Json& message) {
  const std::string_view room = message["room"].text_or("");
  const std::optional<bool> is_typing = message["isTyping"].as<bool>();
  if (room.empty() || !is_typing) return;
  from.to(room).send({{"type", "typing"}, {"user", from.id()}, {"room", room}, {"isTyping", *is_typing}, {"timestamp", gallery::now_ms()}});
}

// {type: "file-upload", name, size}: what is about to be uploaded. The bytes would follow as a binary message, or by HTTP.
void file_upload(WebSocket from, const Json& message) {
  const std::string_view name = message["name"].text_or("");
  const std::optional<uint64_t> size = message["size"].as<uint64_t>();
  if (name.empty() || !size) return refuse(from, "📁 File name and size required");
  from.send({{"type", "file-upload"}, {"name", name}, {"size", *size}});
}

using Handler = void (*)(WebSocket from, const Json& message);
const std::map<std::string_view, Handler> kHandlers{
    {"join", join}, {"chat", chat}, {"ping", ping}, {"typing", typing}, {"file-upload", file_upload},
};

void receive(WebSocket from, const Message& received) {
  const JsonResult<Json> message = received.json();
  if (received.is_binary() || !message) {
    log(LogLevel::error, "🚨 Message processing error for " + from.id() + ": " + message.error().message());
    return refuse(from, "🔧 Invalid JSON format");
  }
  const std::string_view type = (*message)["type"].text_or("");
  if (type.empty()) return refuse(from, "❌ Invalid message format. Type required.");
  const auto handler = kHandlers.find(type);
  if (handler == kHandlers.end()) return refuse(from, "❓ Unknown message type: " + std::string(type));
  handler->second(from, *message);
}

}  // namespace

void gallery::api_router(App&, Router& routes) {
  routes.ws("/api", {.max_message_bytes = 16_KiB}, [](WebSocket ws, Request& req) {
    if (const auto name = req.query("name"); name && gallery::is_utf8(*name)) ws.metadata()["user"] = {{"name", *name}};
    ws.on_message(receive);
  });
}

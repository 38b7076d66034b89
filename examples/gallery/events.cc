// events.cc: what happens on a connection, and events that an application names itself.
#include "clock.h"
#include "gallery.h"
#include "utf8.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 10;  // of one client

// Who looks at a post is in its room.
std::string room_of(const Json& post) { return "post-" + (post.is_string() ? std::string(post.text_or("")) : post.dump()); }

Json user_of(WebSocket ws) { return std::as_const(ws.metadata())["user"]["id"]; }

void handle_like(WebSocket from, const Json& data) {
  const Json& post = data["postId"];
  from.to(room_of(post)).emit("like-update", Json{{"postId", post}, {"likes", data["newLikeCount"]}, {"userId", user_of(from)}});
}

void handle_comment(WebSocket from, const Json& data) {
  const Json& post = data["postId"];
  from.to(room_of(post)).emit("comment-added", Json{{"postId", post}, {"text", data["text"]}, {"userId", user_of(from)}});
}

void handle_share(WebSocket from, const Json& data) {
  const Json& post = data["postId"];
  from.to(room_of(post)).emit("post-shared", Json{{"postId", post}, {"userId", user_of(from)}});
}

void join_room(WebSocket from, std::string room) {
  if (!from.in_room(room) && from.rooms().size() == kMaxRooms) return void(from.emit("error", "🏠 Maximum room limit reached (10)"));
  from.join(room);
}

}  // namespace

void gallery::events(App&, Router& routes) {
  routes.ws("/events", {.max_message_bytes = 4_KiB}, [](WebSocket ws) {
    ws.on_message([](WebSocket, const Message& message) {
      if (message.is_text()) log(LogLevel::info, "Text message: " + std::string(message.text()));
    });
    ws.on_close([](WebSocket, const CloseInfo& end) {
      log(LogLevel::info, "Connection closed: " + std::to_string(static_cast<int>(end.code)) + " - " + std::string(end.reason));
    });
    ws.on_error([](WebSocket, const ErrorInfo& error) { log(LogLevel::info, "Socket error: " + std::string(error.message)); });
    ws.on_ping([](WebSocket, std::string_view) { log(LogLevel::info, "Ping received"); });
    ws.on_pong([](WebSocket, std::string_view) { log(LogLevel::info, "Pong received"); });
  });

  routes.ws("/custom", {.max_message_bytes = 4_KiB}, [](WebSocket ws, Request& req) {
    if (const auto user = req.query("user"); user && gallery::is_utf8(*user)) ws.metadata()["user"] = {{"id", *user}};
    ws.on("join-room", join_room);
    ws.on("user-action", [](WebSocket from, std::string_view action, Json data) {
      if (action == "like") handle_like(from, data);
      if (action == "comment") handle_comment(from, data);
      if (action == "share") handle_share(from, data);
    });
    ws.emit("notification", Json{{"type", "welcome"}, {"message", "Welcome to the platform!"}, {"timestamp", gallery::now_ms()}});
  });
}

// lobby_chat.cc: a lobby that everybody is in, rooms beside it, and messages to one person by name.
//
//   {"type": "chat", "text": "hello", "room": "garden"}      without a room: to the lobby
//   {"type": "join-room", "room": "garden"}                  {"type": "leave-room", "room": "garden"}
//   {"type": "private-message", "to": "Ann", "text": "psst"}
//
// Who wants to be heard in a room has to be in it. Who leaves is missed in all rooms that he was in, and in the lobby.
#include "clock.h"
#include "gallery.h"
#include "random_id.h"
#include "utf8.h"

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 20;  // of one client, the lobby included

struct User {
  std::string user_id;
  std::string username;
};

// Rooms are the whole App's: this is nobody else's name.
std::string key(std::string_view room) { return "lobby_chat/" + std::string(room); }

void refuse(WebSocket from, const std::string& why) { from.send({{"type", "error"}, {"message", why}}); }

class Lobby {
 public:
  void enter(App& app, WebSocket ws, std::string username) {
    const std::string user_id = gallery::base36(9);
    if (username.empty()) username = "User" + user_id;
    users_[ws] = {user_id, username};
    ws.metadata() = {{"userId", user_id}, {"username", username}};
    ws.join(key("lobby"));
    app.to(key("lobby")).except(ws).send({{"type", "user-joined"}, {"username", username}, {"timestamp", gallery::now_ms()}});
  }

  void receive(App& app, WebSocket from, const Message& message) {
    const JsonResult<Json> read = message.json();
    if (message.is_binary() || !read) return refuse(from, "Invalid message format");
    const Json& said = *read;
    const std::string_view type = said["type"].text_or("");
    const std::string room(said["room"].text_or(type == "chat" ? "lobby" : ""));
    if (type == "chat") return chat(app, from, room, said["text"]);
    if (type == "private-message") return whisper(from, said["to"].text_or(""), said["text"]);
    if (type == "join-room" && !room.empty()) return join(from, room);
    if (type == "leave-room") from.leave(key(room));
  }

  // All who shared a room with him hear of it once, however many rooms it was.
  void leave(WebSocket gone) {
    const std::string username = std::move(users_[gone].username);
    users_.erase(gone);
    std::set<std::string> rooms{key("lobby")};
    for (std::string& room : gone.rooms()) rooms.insert(std::move(room));
    const Json left = {{"type", "user-left"}, {"username", username}, {"timestamp", gallery::now_ms()}};
    for (const auto& [other, user] : users_) {
      for (const std::string& room : rooms) {
        if (!other.in_room(room)) continue;
        other.send(left);
        break;
      }
    }
  }

 private:
  void chat(App& app, WebSocket from, const std::string& room, const Json& text) {
    if (!from.in_room(key(room))) return refuse(from, "You are not in room: " + room);
    app.to(key(room)).send({{"type", "chat"}, {"from", users_[from].username}, {"text", text}, {"timestamp", gallery::now_ms()}});
  }

  void join(WebSocket from, const std::string& room) {
    if (!from.in_room(key(room)) && from.rooms().size() == kMaxRooms) return refuse(from, "Maximum room limit reached (20)");
    from.join(key(room));
    from.send({{"type", "joined-room"}, {"room", room}});
  }

  // Names are not unique: it is the first who has it.
  void whisper(WebSocket from, std::string_view to, const Json& text) {
    for (const auto& [other, user] : users_) {
      if (user.username != to) continue;
      return void(other.send({{"type", "private-message"}, {"from", users_[from].username}, {"text", text}}));
    }
  }

  std::map<WebSocket, User> users_;
};

}  // namespace

void gallery::lobby_chat(App& app, Router& routes) {
  auto lobby = std::make_shared<Lobby>();
  routes.ws("/ws/chat", {.heartbeat_interval = 30s, .max_message_bytes = 4_KiB}, [&app, lobby](WebSocket ws, Request& req) {
    lobby->enter(app, ws, gallery::utf8_or(req.query("username").value_or(""), ""));
    ws.on_message([&app, lobby](WebSocket from, const Message& message) { lobby->receive(app, from, message); });
    ws.on_close([lobby](WebSocket gone, const CloseInfo&) { lobby->leave(gone); });
  });
}

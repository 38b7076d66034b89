// live_chat.cc: a chat for those who have a token: rooms with a history, who is typing, and messages to one person.
//
//   {"type": "chat", "text": "hello"}      {"type": "typing", "isTyping": true}
//   {"type": "private", "targetUserId": "bob", "text": "psst"}
//
// The token is that of private_chat.cc. Of its claims others see the id and the email.
#include "clock.h"
#include "demo_token.h"
#include "gallery.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kKept = 100;  // messages of a room
constexpr size_t kShown = 50;  // of them, to who comes

struct Room {
  std::map<WebSocket, Json> users;  // in no particular order, with what is shown of them
  std::deque<Json> messages;
};

class ChatServer {
 public:
  void enter(WebSocket ws, const std::string& name) {
    Room& room = rooms_[name];
    const Json user = gallery::shown(*auth_user(ws));
    room.users[ws] = user;
    ws.send(history_of(room));
    tell(room, {{"type", "user-joined"}, {"user", user}, {"userCount", room.users.size()}}, ws);
  }

  void receive(WebSocket from, const std::string& name, const Message& message) {
    const JsonResult<Json> read = message.json();
    if (message.is_binary() || !read || !read->is_object()) return refuse(from, "Invalid message format");
    Room& room = rooms_[name];
    const std::string_view type = (*read)["type"].text_or("");
    if (type == "chat") return chat(room, room.users[from], (*read)["text"]);
    if (type == "typing") return tell(room, {{"type", "typing"}, {"user", room.users[from]}, {"isTyping", (*read)["isTyping"].bool_or(false)}}, from);
    if (type == "private") return whisper(from, room.users[from], (*read)["targetUserId"], (*read)["text"]);
    refuse(from, "Unknown message type");
  }

  // The last one takes the room and its history along.
  void leave(WebSocket gone, const std::string& name) {
    Room& room = rooms_[name];
    const Json user = std::move(room.users[gone]);
    room.users.erase(gone);
    tell(room, {{"type", "user-left"}, {"user", user}, {"userCount", room.users.size()}});
    if (room.users.empty()) rooms_.erase(name);
  }

 private:
  static void refuse(WebSocket from, std::string_view why) { from.send({{"type", "error"}, {"message", why}}); }

  static void tell(const Room& room, const Json& message, WebSocket except = {}) {
    for (const auto& [ws, user] : room.users) {
      if (ws != except) ws.send(message);
    }
  }

  static Json history_of(const Room& room) {
    Json messages = Json::array(), users = Json::array();
    for (size_t i = room.messages.size() - std::min(room.messages.size(), kShown); i < room.messages.size(); i++) messages.push_back(room.messages[i]);
    for (const auto& [ws, user] : room.users) users.push_back(user);
    return {{"type", "room-history"}, {"messages", messages}, {"users", users}};
  }

  static void chat(Room& room, const Json& user, const Json& text) {
    room.messages.push_back({{"id", gallery::now_ms()}, {"type", "chat-message"}, {"text", text}, {"user", user}, {"timestamp", gallery::iso_now()}});
    if (room.messages.size() > kKept) room.messages.pop_front();
    tell(room, room.messages.back());
  }

  void whisper(WebSocket from, const Json& user, const Json& target, const Json& text) const {
    const WebSocket to = socket_of(target);
    if (to == WebSocket()) return refuse(from, "User not found or offline");
    to.send({{"type", "private-message"}, {"text", text}, {"from", user}, {"timestamp", gallery::iso_now()}});
    from.send({{"type", "private-message-sent"}, {"to", target}, {"text", text}});
  }

  WebSocket socket_of(const Json& id) const {
    for (const auto& [name, room] : rooms_) {
      for (const auto& [ws, user] : room.users) {
        if (user["id"] == id) return ws;
      }
    }
    return {};
  }

  std::map<std::string, Room> rooms_;
};

}  // namespace

void gallery::live_chat(App&, Router& routes) {
  auto server = std::make_shared<ChatServer>();
  const AuthGuard authenticate = jwt_auth({.error_first = true, .from = TokenFrom::header_or_query, .secret = token_secret()});

  routes.ws("/chat/:roomId<slug>", {.max_message_bytes = 4_KiB}, authenticate, [server](WebSocket ws, Request& req) {
    const std::string room(req.param("roomId"));
    server->enter(ws, room);
    ws.on_message([server, room](WebSocket from, const Message& message) { server->receive(from, room, message); });
    ws.on_close([server, room](WebSocket gone, const CloseInfo&) { server->leave(gone, room); });
  });
  add_tokens(routes);
}

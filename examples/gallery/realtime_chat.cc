// realtime_chat.cc: a chat with names, who is here, what was said before one came, who is typing, mentions and reactions.
//
//   {"type": "join", "username": "Ann", "room": "garden", "avatar": "🦜"}     all three may be left out
//   {"type": "message", "text": "hello @Bob"}                                  with "messageType": "image" or "file": a link to one
//   {"type": "typing", "isTyping": true}      {"type": "reaction", "messageId": "msg_…", "emoji": "👍"}
//
// Everything that strangers can make grow has a limit: see the constants. What is known of a room is forgotten when more rooms
// than kMaxRooms have been talked in, the one that has been silent longest and is empty first.
#include "clock.h"
#include "gallery.h"
#include "random_id.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kKept = 100, kShown = 50;      // messages of a room
constexpr size_t kMaxRooms = 256;               // with what is kept of them: 100 MiB if everybody is as nasty as can be
constexpr size_t kMaxEmoji = 20, kMaxUsers = 50;  // of a message: kinds of reactions, users of each
constexpr size_t kMaxName = 64, kMaxEmojiBytes = 64;

struct User {
  std::string id;
  std::string username;
  std::string room;  // empty: has not joined
  Json avatar;       // null where there is none
  std::string joined_at;

  Json to_json() const {
    Json json = {{"id", id}, {"username", username}};
    if (avatar.is_string()) json["avatar"] = avatar;
    return json;
  }
};

struct ChatRoom {
  std::deque<Json> messages;
  std::map<WebSocket, User> users;
  int64_t last_activity = 0;

  Json* find(std::string_view id) {
    for (Json& message : messages) {
      if (message["id"] == id) return &message;
    }
    return nullptr;
  }
};

std::string text_of(const Json& value, size_t max_bytes, const std::string& otherwise) {
  const std::string_view text = value.text_or("");
  return text.empty() || text.size() > max_bytes ? otherwise : std::string(text);
}

// The words behind an @, without it. \w is ASCII here, as it is in JavaScript.
Json mentions_of(std::string_view text) {
  const auto is_word = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  Json words = Json::array();
  for (size_t at = text.find('@'); at != text.npos; at = text.find('@', at + 1)) {
    size_t end = at + 1;
    while (end < text.size() && is_word(text[end])) end++;
    if (end > at + 1) words.push_back(text.substr(at + 1, end - at - 1));
  }
  return words;
}

std::string_view type_of(const Json& said) {
  const std::string_view type = said["messageType"].text_or("");
  return type == "image" || type == "file" ? type : "message";
}

// Whether there was room for it. A user counts once for each emoji.
void add_reaction(Json& message, std::string_view emoji, const std::string& username) {
  Json& reactions = message["reactions"];
  for (Json& reaction : reactions.items()) {
    if (reaction["emoji"] != emoji) continue;
    for (const Json& user : std::as_const(reaction)["users"].items()) {
      if (user == username) return;
    }
    if (reaction["users"].size() < kMaxUsers) reaction["users"].push_back(username);
    return;
  }
  if (reactions.size() < kMaxEmoji) reactions.push_back(Json{{"emoji", emoji}, {"users", Json::array({username})}});
}

// Rooms are the whole App's: this is nobody else's name.
std::string key(const std::string& room) { return "realtime_chat/" + room; }

class Chat {
 public:
  void receive(WebSocket from, const Message& message) {
    const JsonResult<Json> read = message.json();
    if (message.is_binary() || !read) return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
    const Json& said = *read;
    const std::string_view type = said["type"].text_or("");
    if (type == "join") return join(from, said);
    const User& user = from.data<User>();
    if (user.room.empty()) return;
    if (type == "message" && said["text"].is_string()) say(from, user, said);
    if (type == "typing") from.to(key(user.room)).send({{"type", "typing-indicator"}, {"username", user.username}, {"isTyping", said["isTyping"]}, {"room", user.room}});
    if (type == "reaction") react(from, user, said);
  }

  void leave(WebSocket ws) {
    const User user = std::exchange(ws.data<User>(), {});
    if (user.room.empty()) return;
    rooms_[user.room].users.erase(ws);
    ws.leave(key(user.room));
    ws.to(key(user.room)).send({
        {"type", "user-left"},
        {"user", {{"id", user.id}, {"username", user.username}}},
        {"room", user.room},
        {"timestamp", gallery::iso_now()},
    });
  }

 private:
  void join(WebSocket ws, const Json& said) {
    leave(ws);  // the room that it is in, if it is in one
    const std::string id = ws.id();
    User& user = ws.data<User>();
    user = {id, text_of(said["username"], kMaxName, "User_" + id.substr(id.size() - 4)), text_of(said["room"], kMaxName, "general"), said["avatar"], gallery::iso_now()};
    ChatRoom& room = enter(user.room);
    room.users[ws] = user;
    ws.join(key(user.room));

    Json messages = Json::array(), users = Json::array();
    for (size_t i = room.messages.size() > kShown ? room.messages.size() - kShown : 0; i < room.messages.size(); i++) messages.push_back(room.messages[i]);
    ws.send({{"type", "chat-history"}, {"messages", std::move(messages)}, {"room", user.room}});
    for (const auto& [socket, other] : room.users) {
      Json json = other.to_json();
      json["joinedAt"] = other.joined_at;
      users.push_back(std::move(json));
    }
    ws.send({{"type", "room-users"}, {"users", std::move(users)}, {"room", user.room}});
    ws.to(key(user.room)).send({{"type", "user-joined"}, {"user", user.to_json()}, {"room", user.room}, {"timestamp", gallery::iso_now()}});
  }

  void say(WebSocket from, const User& user, const Json& said) {
    const std::string id = gallery::new_id("msg"), time = gallery::iso_now();
    ChatRoom& room = enter(user.room);
    room.messages.push_back({
        {"id", id},
        {"type", type_of(said)},
        {"text", said["text"]},
        {"username", user.username},
        {"room", user.room},
        {"timestamp", time},
        {"mentions", mentions_of(said["text"].text_or(""))},
        {"reactions", Json::array()},
    });
    if (room.messages.size() > kKept) room.messages.pop_front();
    from.to(key(user.room)).send({{"type", "new-message"}, {"message", room.messages.back()}, {"room", user.room}});
    from.send({{"type", "message-sent"}, {"messageId", id}, {"timestamp", time}});
  }

  void react(WebSocket from, const User& user, const Json& said) {
    const std::string_view id = said["messageId"].text_or(""), emoji = said["emoji"].text_or("");
    Json* message = rooms_[user.room].find(id);
    if (!message || emoji.empty() || emoji.size() > kMaxEmojiBytes) return;
    add_reaction(*message, emoji, user.username);
    from.to(key(user.room)).send({{"type", "message-reaction"}, {"messageId", id}, {"emoji", emoji}, {"username", user.username}, {"room", user.room}});
  }

  // The room, at the cost of one that nobody is in, where there are too many.
  ChatRoom& enter(const std::string& name) {
    if (!rooms_.contains(name) && rooms_.size() >= kMaxRooms) {
      auto oldest = rooms_.end();
      for (auto room = rooms_.begin(); room != rooms_.end(); room++) {
        if (room->second.users.empty() && (oldest == rooms_.end() || room->second.last_activity < oldest->second.last_activity)) oldest = room;
      }
      if (oldest != rooms_.end()) rooms_.erase(oldest);
    }
    ChatRoom& room = rooms_[name];
    room.last_activity = gallery::now_ms();
    return room;
  }

  std::map<std::string, ChatRoom> rooms_;
};

}  // namespace

void gallery::realtime_chat(App&, Router& routes) {
  auto chat = std::make_shared<Chat>();
  routes.ws("/chat", {.max_message_bytes = 4_KiB}, [chat](WebSocket ws) {
    ws.on_message([chat](WebSocket from, const Message& message) { chat->receive(from, message); });
    ws.on_close([chat](WebSocket gone, const CloseInfo&) { chat->leave(gone); });
  });
}

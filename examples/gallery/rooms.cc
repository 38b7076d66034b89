// rooms.cc: rooms that everybody is in, rooms that not everybody may enter, and what their members hear.
//
//   {"action": "join-room", "room": "staff"}    {"action": "leave-room", "room": "staff"}    {"action": "rooms"}
//
// Who comes with ?token= is one of kUsers, who may enter what their permissions name; "public-" rooms are for everybody.
#include "clock.h"
#include "gallery.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 20;  // of one client

struct User {
  std::string id;
  std::string username;
  std::vector<std::string> permissions;
};
// Tokens of real users come from where they log in.
const std::vector<std::pair<std::string_view, User>> kUsers{
    {"ann", {"1", "Ann", {"room:staff", "room:garden"}}},
    {"bob", {"2", "Bob", {"room:staff"}}},
    {"eve", {"3", "", {}}},
};

// Rooms are the whole App's, and what is guarded here must not be open elsewhere: this is nobody else's name.
std::string key(std::string_view room) { return "rooms/" + std::string(room); }

User user_of(WebSocket ws, Request& req) {
  const std::string_view token = req.query("token").value_or("");
  for (const auto& [known, user] : kUsers) {
    if (known == token) return user;
  }
  return {ws.id(), "", {}};
}

bool may_enter(WebSocket ws, const std::string& room) {
  const std::vector<std::string>& permissions = ws.data<User>().permissions;
  return room.starts_with("public-") || std::find(permissions.begin(), permissions.end(), "room:" + room) != permissions.end();
}

void refuse(WebSocket from, const std::string& why) { from.send({{"type", "error"}, {"message", why}}); }

void tell_others(WebSocket from, std::string_view type, const std::string& room) {
  const std::string& username = from.data<User>().username;
  from.to(key(room)).send({
      {"type", type},
      {"user", from.id()},
      {"room", room},
      {"username", username.empty() ? "Anonymous" : username},
      {"timestamp", gallery::now_ms()},
  });
}

void join_room(App& app, WebSocket from, const std::string& room) {
  if (!may_enter(from, room)) return refuse(from, "🚫 Access denied to room: " + room);
  if (!from.in_room(key(room)) && from.rooms().size() == kMaxRooms) return refuse(from, "🏠 Maximum room limit reached (20)");
  from.join(key(room));
  tell_others(from, "user-joined", room);
  from.send({{"type", "joined"}, {"room", room}, {"message", "🎉 Welcome to " + room + "!"}, {"memberCount", app.room(key(room)).size()}});
}

void leave_room(WebSocket from, const std::string& room) {
  if (!from.in_room(key(room))) return refuse(from, "🚫 You are not in room: " + room);
  from.leave(key(room));
  tell_others(from, "user-left", room);
  from.send({{"type", "left"}, {"room", room}, {"message", "👋 You left " + room}});
}

void list_rooms(WebSocket from) {
  std::vector<std::string> names = from.rooms();
  for (std::string& name : names) name.erase(0, key("").size());
  std::sort(names.begin(), names.end());
  Json rooms = Json::array();
  for (const std::string& name : names) rooms.push_back(name);
  from.send({{"type", "rooms"}, {"rooms", std::move(rooms)}});
}

void receive(App& app, WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  const Json said = read && message.is_text() ? *read : Json();
  const std::string_view action = said["action"].text_or("");
  const std::string room(said["room"].text_or(""));
  if (action == "rooms") return list_rooms(from);
  if (action == "join-room" && !room.empty()) return join_room(app, from, room);
  if (action == "leave-room" && !room.empty()) return leave_room(from, room);
  refuse(from, "Invalid message format");
}

}  // namespace

void gallery::rooms(App& app, Router& routes) {
  routes.ws("/chat", {.max_message_bytes = 4_KiB}, [&app](WebSocket ws, Request& req) {
    const User user = ws.data<User>() = user_of(ws, req);
    for (const std::string& room : {std::string("general"), std::string("users"), std::string("notifications"), "user-" + user.id}) ws.join(key(room));
    log(LogLevel::info, "🎉 " + ws.id() + " joined general room");
    ws.on_message([&app](WebSocket from, const Message& message) { receive(app, from, message); });
    // It leaves its rooms by itself.
    ws.on_close([](WebSocket gone, const CloseInfo&) { log(LogLevel::info, "🧹 Cleaning up rooms for " + gone.id()); });
  });
}

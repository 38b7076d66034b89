// broadcast.cc: whom a message can go to: seven ways, each for a message {"action": …} of a client.
//
// Who comes with ?room=general&room=game-7 is in these rooms. What a sender sends to others never comes back to it.
#include "clock.h"
#include "gallery.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

constexpr size_t kMaxRooms = 10;  // of one client

// To everybody who is connected.
void announcement(App& app, WebSocket, const Json&) {
  app.everybody().send({
      {"type", "announcement"},
      {"title", "📢 Server Announcement"},
      {"message", "Server maintenance in 5 minutes"},
      {"priority", "high"},
      {"timestamp", gallery::now_ms()},
  });
}

// To all members of a room, the sender if it is one of them.
void room_event(App& app, WebSocket, const Json& said) {
  app.to("premium-users").send({{"type", "room-event"}, {"data", said["data"]}, {"message", "🎉 Special event in premium room!"}});
}

// To all others, whatever their rooms.
void broadcast(App&, WebSocket from, const Json&) { from.broadcast("👋 Hello everyone in all rooms!"); }

// To all others in a room.
void broadcast_room(App&, WebSocket from, const Json&) { from.to("general").send("🏠 Important room announcement"); }

void notification(App&, WebSocket from, const Json&) {
  from.to("general").send({{"type", "notification"}, {"message", "💡 Someone is sharing a file!"}, {"icon", "📁"}});
}

// To several rooms, and to who is in two of them once.
void multi_room_update(App&, WebSocket from, const Json&) {
  from.to({"general", "announcements", "vip"}).send({
      {"type", "multi-room-update"},
      {"rooms", Json::array({"general", "announcements", "vip"})},
      {"message", "🔄 System update completed"},
      {"timestamp", gallery::now_ms()},
  });
}

// To those of the own rooms whose name says what they are.
void game_event(App&, WebSocket from, const Json&) {
  for (const std::string& room : from.rooms()) {
    if (room.starts_with("game-")) from.to(room).send({{"type", "game-event"}, {"event", "player-action"}, {"player", from.id()}});
  }
}

using Form = void (*)(App& app, WebSocket from, const Json& said);
const std::map<std::string_view, Form> kForms{
    {"announcement", announcement}, {"room-event", room_event},           {"broadcast", broadcast},   {"broadcast-room", broadcast_room},
    {"notification", notification}, {"multi-room-update", multi_room_update}, {"game-event", game_event},
};

void receive(App& app, WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  const Json said = read && message.is_text() ? *read : Json();
  const auto form = kForms.find(said["action"].text_or(""));
  if (form == kForms.end()) return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
  form->second(app, from, said);
}

}  // namespace

void gallery::broadcast(App& app, Router& routes) {
  routes.ws("/broadcast", {.max_message_bytes = 4_KiB}, [&app](WebSocket ws, Request& req) {
    for (const std::string_view room : req.query_all("room")) {
      if (ws.rooms().size() < kMaxRooms) ws.join(room);
    }
    ws.on_message([&app](WebSocket from, const Message& message) { receive(app, from, message); });
  });
}

// room_manager.cc: rooms behind an object with five operations: join, leave, send to all, and how many are where.
//
// A client is in one room at a time: {"join": "garden"} leaves the one before. What is said is {"text": "hello"}.
#include "clock.h"
#include "gallery.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::literals;

namespace {

// What the library knows of rooms is all that it takes: a room is there from its first member to its last, and has a size.
class RoomManager {
 public:
  explicit RoomManager(App& app) : app_(app) {}

  void join_room(const std::string& room, WebSocket ws) {
    leave_room(ws);
    ws.join(kPrefix + room);
    ws.data<Place>().room = room;
    ws.to(kPrefix + room).send({{"type", "user-joined"}, {"message", "User joined room " + room}, {"userCount", get_room_users(room)}});
  }

  void leave_room(WebSocket ws) {
    std::string room;
    room.swap(ws.data<Place>().room);
    if (room.empty()) return;
    ws.leave(kPrefix + room);
    broadcast_to_room(room, {{"type", "user-left"}, {"message", "User left room " + room}, {"userCount", get_room_users(room)}});
  }

  void broadcast_to_room(const std::string& room, const Json& message, WebSocket except = {}) const {
    app_.to(kPrefix + room).except(except).send(message);
  }

  size_t get_room_users(const std::string& room) const { return app_.room(kPrefix + room).size(); }

  Json get_all_rooms() const {
    Json sizes = Json::object();
    for (const RoomInfo& room : app_.rooms()) {
      if (room.name.starts_with(kPrefix)) sizes[room.name.substr(kPrefix.size())] = room.size;
    }
    return sizes;
  }

  static std::string room_of(WebSocket ws) { return ws.data<Place>().room; }

 private:
  struct Place {
    std::string room;  // empty: in none
  };
  inline static const std::string kPrefix = "room_manager/";  // rooms are the whole App's
  App& app_;
};

void enter(RoomManager& rooms, WebSocket ws, const std::string& room) {
  rooms.join_room(room, ws);
  ws.send({{"type", "room-info"}, {"roomId", room}, {"userCount", rooms.get_room_users(room)}});
}

void receive(RoomManager& rooms, WebSocket from, const Message& message) {
  const JsonResult<Json> read = message.json();
  const Json said = read && message.is_text() ? *read : Json();
  const std::string room(said["join"].text_or(""));
  if (!room.empty()) return enter(rooms, from, room);
  if (!said["text"].is_string()) return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
  const std::string here = RoomManager::room_of(from);
  rooms.broadcast_to_room(here, {{"type", "chat-message"}, {"message", said["text"]}, {"timestamp", gallery::iso_now()}, {"roomId", here}});
}

}  // namespace

void gallery::room_manager(App& app, Router& routes) {
  auto rooms = std::make_shared<RoomManager>(app);

  routes.ws("/chat/:roomId<slug>", {.max_message_bytes = 4_KiB}, [rooms](WebSocket ws, Request& req) {
    enter(*rooms, ws, std::string(req.param("roomId")));
    ws.on_message([rooms](WebSocket from, const Message& message) { receive(*rooms, from, message); });
    ws.on_close([rooms](WebSocket gone, const CloseInfo&) { rooms->leave_room(gone); });
  });

  routes.get("/rooms", [rooms](Request&) { return Reply(rooms->get_all_rooms()); });
  routes.get("/rooms/:roomId<slug>", [rooms](Request& req) {
    const std::string room(req.param("roomId"));
    return Reply(Json{{"roomId", room}, {"userCount", rooms->get_room_users(room)}});
  });
}

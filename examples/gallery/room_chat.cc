// room_chat.cc: a room for each address, who comes and goes, and figures of all of it over HTTP.
//
// The room is the last part of the path, as the address spells it ("caf%C3%A9" stays so); the query is none of it. What is
// counted of a room goes with the room.
#include "clock.h"
#include "gallery.h"
#include "random_id.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::literals;

namespace {

struct RoomStats {
  int64_t users = 0;
  int64_t messages = 0;
};

struct ChatStats {
  int64_t total_connections = 0;
  int64_t active_connections = 0;
  std::map<std::string, RoomStats> rooms;
};

std::string room_of(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return std::string(last.empty() ? "general" : last);
}

Json to_json(const ChatStats& stats) {
  Json rooms = Json::object();
  for (const auto& [name, room] : stats.rooms) rooms[name] = {{"users", room.users}, {"messages", room.messages}};
  return {{"totalConnections", stats.total_connections}, {"activeConnections", stats.active_connections}, {"rooms", std::move(rooms)}};
}

// Somebody in a room, and the figures that this changes.
class Visit {
 public:
  Visit(App& app, std::shared_ptr<ChatStats> stats, std::string name) : app_(&app), stats_(std::move(stats)), name_(std::move(name)) {}

  void begin(WebSocket ws) {
    stats_->total_connections++;
    stats_->active_connections++;
    const RoomStats& room = stats_->rooms[name_];
    stats_->rooms[name_].users++;
    ws.join(key());
    ws.send({
        {"type", "welcome"},
        {"room", name_},
        {"message", "Welcome to room \"" + name_ + "\"!"},
        {"stats", {{"activeUsers", room.users}, {"totalMessages", room.messages}}},
    });
    // Of who has gone within that time nobody hears that he came.
    ws.after(100ms, [visit = *this] { visit.tell("user-joined", "A new user joined"); });
  }

  void receive(WebSocket from, const Message& message) {
    if (message.is_binary()) return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
    stats_->rooms[name_].messages++;
    app_->to(key()).send({
        {"type", "chat-message"},
        {"room", name_},
        {"content", message.text()},
        {"timestamp", gallery::iso_now()},
        {"messageId", gallery::new_id("msg")},
    });
  }

  void end(WebSocket ws, const CloseInfo& why) {
    log(LogLevel::info, "User left room: " + name_ + " (Code: " + std::to_string(static_cast<int>(why.code)) + ")");
    ws.leave(key());
    stats_->active_connections--;
    if (--stats_->rooms[name_].users > 0) return tell("user-left", "A user left");
    stats_->rooms.erase(name_);
  }

 private:
  // Rooms are the whole App's: this is nobody else's name.
  std::string key() const { return "room_chat/" + name_; }

  void tell(std::string_view type, std::string_view what) const {
    app_->to(key()).send({
        {"type", type},
        {"room", name_},
        {"message", std::string(what) + " \"" + name_ + "\""},
        {"activeUsers", stats_->rooms[name_].users},
    });
  }

  App* app_;
  std::shared_ptr<ChatStats> stats_;
  std::string name_;
};

}  // namespace

void gallery::room_chat(App& app, Router& routes) {
  auto stats = std::make_shared<ChatStats>();

  routes.ws("/chat/*", {.max_message_bytes = 16_KiB}, [&app, stats](WebSocket ws, Request& req) {
    Visit visit(app, stats, room_of(req.path()));
    visit.begin(ws);
    ws.on_message([visit](WebSocket from, const Message& message) mutable { visit.receive(from, message); });
    ws.on_close([visit](WebSocket gone, const CloseInfo& why) mutable { visit.end(gone, why); });
  });

  routes.get("/stats", [stats](Request&) { return Reply(to_json(*stats)); });
}

// martlet/channels.h: channels to subscribe to, whose messages say where they come from; a thin layer over rooms.
//
//   Channels news(app);
//   news.subscribe("posts", ws);
//   news.publish("posts", {{"id", 7}});   // {"type":"update","channel":"posts","data":{"id":7},"timestamp":1700000000000}
#pragma once

#include <martlet/config.h>
#include <martlet/app.h>
#include <martlet/json.h>
#include <martlet/rooms.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace martlet {

// Channels of an App, on all workers of a Server: any of them with the same prefix are the same channels. A channel exists from its
// first subscriber to its last, who end with their connection; it is a room, whose name is the prefix and the channel's. The calls
// may be made from any thread, but for what says otherwise. It is good for as long as its App.
class MARTLET_LAYOUT Channels {
 public:
  explicit Channels(App& app, std::string_view prefix = "channel:") : app_(&app), prefix_(prefix) {}
  Channels(const Channels&) = default;
  Channels(Channels&&) = default;
  Channels& operator=(const Channels&) = default;
  Channels& operator=(Channels&&) = default;
  ~Channels() = default;

  // As WebSocket::join() answers; App::on_join is not asked, as the program itself wants this.
  Room subscribe(std::string_view channel, WebSocket ws) const { return ws.join(room_of(channel), {.trusted = true}); }
  void unsubscribe(std::string_view channel, WebSocket ws) const { ws.leave(room_of(channel)); }
  // Takes it out of all channels. A connection that closes needs no such call. On its worker.
  void cleanup(WebSocket ws) const {
    for (const std::string& room : ws.rooms()) {
      if (room.starts_with(prefix_)) ws.leave(room);
    }
  }
  // To all subscribers, encoded once, with the time in milliseconds since 1970. closed when there are none.
  SendStatus publish(std::string_view channel, Json data) const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const int64_t timestamp = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    return app_->to(room_of(channel)).send(Json{{"type", "update"}, {"channel", channel}, {"data", std::move(data)}, {"timestamp", timestamp}});
  }
  // On the App's thread.
  size_t subscribers(std::string_view channel) const { return app_->room(room_of(channel)).size(); }

 private:
  std::string room_of(std::string_view channel) const { return prefix_ + std::string(channel); }
  App* app_;
  std::string prefix_;
};

}  // namespace martlet

// martlet/presence.h: who is in a room, for its members and for the program.
//
//   Presence p = app.presence("lobby", [](WebSocket ws) { return Json{{"name", ws.metadata()["name"]}}; });
//   Json all = p.list();                              // {"ws_…": {"name": "Ada"}, …}
//
// Every member of such a room is a key of the room's memory (history.h), with what the function says of it. A key is there once
// for each identity: that of a connection is its id; where there are sessions (sessions.h) one name of its client (the identity, or of
// by_client_id() a text that does not give it away); or what `identify` says, so that several tabs of a user are one. It goes when
// the last of them has left and none has come back for the grace time, so that who reloads the page neither goes nor comes; on all
// workers. Members are told:
//   {"event":"presence:state","args":[{"ws_…":{…}},{"page":0,"more":false}],"room":"lobby","offset":3}    all, when they join
//   {"event":"presence:join","args":["ws_…",{…}],"room":"lobby","offset":4}      one has come, or is another than before
//   {"event":"presence:leave","args":["ws_…"],"room":"lobby","offset":5}         one has gone
// to a slow member of each the last only. One who joins is told the others at once, and of itself at the end of the turn.
//
// A room shows as many as it may have keys (HistoryOptions::keys, 10,000 where no App::history is said of it). Who comes above that, or
// when memory is out, is a member like the others but is not shown: it is counted (hidden), a line is written to the log, by each
// worker once a second at most, and it is shown as soon as somebody else has gone.
#pragma once

#include <martlet/config.h>
#include <martlet/history.h>
#include <martlet/json.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace martlet {

struct PresenceOptions {
  // How long one who left is still there; 0: not at all.
  milliseconds grace = std::chrono::seconds(5);
  // Whose connection it is, at most Shared::kMaxKeyBytes: called as the function of App::presence is. An empty text is nobody: the
  // connection is not shown.
  Decision<std::string(WebSocket)> identify = {};
};

// The presence of a room, or of rooms of a pattern. A value to copy and store. list() size() and hidden() are for the threads of the App
// or Server.
class MARTLET_LAYOUT Presence {
 public:
  Presence() = default;

  bool ok() const noexcept { return first_ != 0; }
  // Who is there: an object of identities. Of a pattern's room, or of the room that it was made for.
  Json list(std::string_view room) const;
  Json list() const { return list(room_); }
  // The same, handed to `fn` on the first worker's thread in a later turn. Any thread.
  void list(Function<void(const Json&)> fn) const;
  size_t size(std::string_view room) const noexcept;
  size_t size() const noexcept { return size(room_); }
  // Connections that are there and not shown, as there is no place: then list() and size() are not all.
  size_t hidden(std::string_view room) const noexcept;
  size_t hidden() const noexcept { return hidden(room_); }
  // What the function says of this connection has changed: it is asked again, for each room in which it is shown, at the end of the
  // turn. Any thread.
  void update(WebSocket ws) const noexcept;

 private:
  friend class App;
  Presence(uint32_t first, std::string room) : first_(first), room_(std::move(room)) {}
  uint32_t first_ = 0;
  std::string room_;
};

}  // namespace martlet

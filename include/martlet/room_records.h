// martlet/room_records.h: what there is to say about a room beyond its members: since when it exists, when something happened in
// it, who came and went, and what the program has written down about it.
//
//   RoomDetails lobby = app.room("lobby").info();
//   app.room("lobby").set_metadata({{"topic", "birds"}});
//   res.json(lobby.to_json());
//
// Records begin with App::rooms_options (history, keep_empty), else with the first call of these on any worker; a program that has
// neither has none of it.
#pragma once

#include <martlet/config.h>
#include <martlet/json.h>
#include <martlet/rooms.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace martlet {

// Somebody came or went.
struct MARTLET_LAYOUT MembershipChange {
  std::string socket_id = {};  // WebSocket::id()
  bool joined = false;         // else it left
  std::chrono::system_clock::time_point at = {};
};

// What Room::info() answers: a copy, to keep.
struct MARTLET_LAYOUT RoomDetails {
  std::string name = {};  // empty when the room is gone
  size_t size = 0;        // on all workers
  // Of a room that is older than the records, when those began.
  std::chrono::system_clock::time_point created = {};
  // The last message, join or leave.
  std::chrono::system_clock::time_point last_activity = {};
  // Something happened within the last five minutes.
  bool is_active = false;
  Json metadata = Json::object();
  // The last RoomsOptions::history of them, the oldest first.
  std::vector<MembershipChange> history = {};

  // {"name": …, "size": 2, "created": 1700000000000, "lastActivity": …, "isActive": true, "metadata": {…}, "membershipHistory":
  // [{"socketId": "ws_…", "action": "joined", "at": …}]}; times in milliseconds since 1970.
  Json to_json() const noexcept;
};

}  // namespace martlet

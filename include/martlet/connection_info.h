// martlet/connection_info.h: what there is to say about a connection, as one value.
#pragma once

#include <martlet/config.h>
#include <martlet/json.h>
#include <martlet/websocket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace martlet {

// What WebSocket::info() answers: a copy, to keep.
struct MARTLET_LAYOUT ConnectionInfo {
  std::string id = {};                   // WebSocket::id()
  ReadyState state = ReadyState::closed;
  std::vector<std::string> rooms = {};   // in no particular order
  Json metadata = Json::object();
  std::string remote_address = {};       // as WebSocket::remote_address(), remote_port()
  uint16_t remote_port = 0;

  // {"id": "ws_…", "state": 1, "rooms": […], "metadata": {…}, "remoteAddress": "127.0.0.1", "remotePort": 54321}: these six
  // members in this order.
  Json to_json() const noexcept;
};

}  // namespace martlet

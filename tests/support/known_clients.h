// For tests of sessions: a route "/w" whose connections say at their opening, and when they are asked, who they are, what they have
// in their metadata and in which rooms they are.
#pragma once

#include <doctest/doctest.h>
#include <martlet/martlet.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "support/ws_client.h"

namespace martlet::test {

// "ann {"name":"Ann"} den,hall"
inline std::string state_of(WebSocket ws) {
  std::vector<std::string> rooms = ws.rooms();
  std::sort(rooms.begin(), rooms.end());
  std::string text = std::string(ws.client_id()) + " " + ws.metadata().dump() + " ";
  for (const std::string& room : rooms) text += (room == rooms[0] ? "" : ",") + room;
  return text;
}

inline WsHandlers known_handlers(WsOptions options = {}) {
  WsHandlers handlers;
  handlers.open = [](WebSocket ws, Request&) { ws.send("open " + state_of(ws)); };
  handlers.message = [](WebSocket ws, const Message& m) {
    const std::string_view text = m.text();
    if (text.starts_with("join ")) ws.join(text.substr(5));
    else if (text.starts_with("name ")) ws.metadata()["name"] = text.substr(5);
    else ws.send(text == "state" ? state_of(ws) : text);
  };
  handlers.options = std::move(options);
  return handlers;
}

inline std::string client_field(std::string_view identity) { return "x-client-id: " + std::string(identity) + "\r\n"; }

inline WsClient known_client(uint16_t port, std::string_view identity, std::string_view target = "/w") {
  return WsClient(port, target, client_field(identity));
}

// The next message is an event of this name: its one argument. Else null.
inline Json read_event(WsClient& client, std::string_view name) {
  const WsFrame message = client.read_message();
  const auto parsed = Json::parse(message.payload);
  if (!parsed || (*parsed)["event"].text_or("") != name || (*parsed)["args"].size() != 1) {
    MESSAGE("not the event " << std::string(name) << ": " << message.payload);
    return {};
  }
  return (*parsed)["args"][0];
}

}  // namespace martlet::test

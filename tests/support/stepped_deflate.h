// Clients that speak permessage-deflate with a SteppedServer, on its thread: it turns while they wait.
#pragma once

#include <string_view>
#include <utility>

#include "support/stepped_server.h"
#include "support/ws_deflate_client.h"

namespace martlet::test {

inline DeflateClient open_deflate(SteppedServer& server, std::string_view target = "/",
                                  std::string_view offer = "permessage-deflate") {
  Client tcp = server.connect();
  REQUIRE(tcp.send(ws_request(target, offer_field(offer))));
  REQUIRE(server.turn_until([&] {
    SteppedServer::read_what_is_there(tcp);
    return tcp.in().find("\r\n\r\n") != std::string::npos;
  }));
  WsClient shaken(std::move(tcp));
  REQUIRE(shaken.read_handshake());
  return DeflateClient(std::move(shaken));
}

// The next message; none when the connection ended.
inline WsMessage next_message(SteppedServer& server, DeflateClient& client) {
  WsMessage message;
  REQUIRE(server.turn_until([&] {
    SteppedServer::read_what_is_there(client.tcp);
    message = client.read(milliseconds(0));
    return message.opcode != kNothing || !message.wrong.empty() || client.tcp.end() != Client::End::open;
  }));
  return message;
}

}  // namespace martlet::test

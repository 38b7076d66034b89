// private_chat.cc: rooms for those who have a token, who are told why they are not let in before they are closed.
//
// The token is a JWT with an id and an email, as ?token= or in Authorization: Bearer; GET /token/ann@example.com gives one for trying.
// What is said is {"text": "hello"}.
#include "clock.h"
#include "demo_token.h"
#include "gallery.h"

#include <cstddef>
#include <string>

using namespace martlet;
using namespace martlet::literals;

namespace {

// Rooms are the whole App's: this is nobody else's name.
std::string key(const std::string& room) { return "private_chat/" + room; }

Json news(App& app, const std::string& type, const std::string& what, const std::string& room) {
  return {{"type", type}, {"message", what + " room " + room}, {"userCount", app.room(key(room)).size()}};
}

void enter(App& app, WebSocket ws, const std::string& room) {
  ws.join(key(room));
  ws.to(key(room)).send(news(app, "user-joined", "User joined", room));
  ws.send({{"type", "authenticated"}, {"user", gallery::shown(*auth_user(ws))}, {"roomId", room}});
}

void receive(App& app, WebSocket from, const std::string& room, const Message& message) {
  const JsonResult<Json> said = message.json();
  if (message.is_binary() || !said || !(*said)["text"].is_string()) return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
  app.to(key(room)).send({{"type", "chat-message"}, {"message", (*said)["text"]}, {"user", gallery::shown(*auth_user(from))}, {"timestamp", gallery::iso_now()}});
}

void leave(App& app, WebSocket gone, const std::string& room) {
  gone.leave(key(room));
  app.to(key(room)).send(news(app, "user-left", "User left", room));
}

}  // namespace

void gallery::private_chat(App& app, Router& routes) {
  const AuthGuard authenticate = jwt_auth({.error_first = true, .from = TokenFrom::header_or_query, .secret = token_secret()});

  routes.ws("/private-chat/:roomId<slug>", {.max_message_bytes = 4_KiB}, authenticate, [&app](WebSocket ws, Request& req) {
    const std::string room(req.param("roomId"));
    log(LogLevel::info, "Authenticated user " + auth_user(ws)->claims["email"].dump() + " joined room " + room);
    enter(app, ws, room);
    ws.on_message([&app, room](WebSocket from, const Message& message) { receive(app, from, room, message); });
    ws.on_close([&app, room](WebSocket gone, const CloseInfo&) { leave(app, gone, room); });
  });
  add_tokens(routes);
}

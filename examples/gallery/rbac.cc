// rbac.cc: who may what: a token says who somebody is, a table which roles and permissions he has. Administrators have a page of
// figures; in the chat there are messages that take a permission:
//
//   {"type": "admin-broadcast", "text": "the server restarts at noon"}      {"type": "moderate", "targetId": "ws_…", "action": "mute"}
//
// The token is a JWT with a userId, as ?token= or in Authorization: Bearer; GET /token/1 gives one for trying: 1 is an
// administrator, 2 a moderator, 3 a member, and nobody else is known.
#include "clock.h"
#include "demo_token.h"
#include "gallery.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using namespace martlet::literals;

namespace {

// Rooms are the whole App's: this is nobody else's name.
constexpr std::string_view kEverybody = "rbac/everybody";

const std::map<int64_t, AuthUser> kUsers{
    {1, {.id = "1", .username = "ann", .roles = {"admin"}, .permissions = {"broadcast", "moderate"}}},
    {2, {.id = "2", .username = "mo", .roles = {"moderator"}, .permissions = {"moderate"}}},
    {3, {.id = "3", .username = "bob", .roles = {"member"}}},
};

// Where there is a database, this is a coroutine, or a function with a FoundUser.
std::optional<AuthUser> user_of(const Json& claims) {
  const auto found = kUsers.find(claims["userId"].int_or(0));
  return found == kUsers.end() ? std::nullopt : std::optional(found->second);
}

Json list(const std::vector<std::string>& texts) {
  Json all = Json::array();
  for (const std::string& text : texts) all.push_back(text);
  return all;
}

void show_figures(App& app, WebSocket ws) {
  const AuthUser& user = *auth_user(ws);
  ws.send({{"type", "admin-welcome"}, {"message", "👨💼 Welcome to admin panel, " + user.username + "!"}, {"permissions", list(user.permissions)}});
  const Stats stats = app.stats();
  ws.send({{"type", "admin-stats"}, {"data", {{"connections", stats.open_websockets}, {"messagesReceived", stats.messages_received}}}});
}

void refuse(WebSocket from, std::string_view why) { from.send({{"type", "error"}, {"message", why}}); }

void receive(App& app, WebSocket from, const Message& message) {
  const JsonResult<Json> said = message.json();
  if (message.is_binary() || !said) return refuse(from, "Invalid message format");
  const AuthUser& user = *auth_user(from);
  const std::string_view type = (*said)["type"].text_or("");
  if (type == "admin-broadcast") {
    if (!can(user, "broadcast")) return refuse(from, "🚫 Insufficient permissions for broadcasting");
    app.to(kEverybody).send({{"type", "admin-announcement"}, {"message", (*said)["text"]}, {"from", user.username}, {"timestamp", gallery::iso_now()}});
  } else if (type == "moderate") {
    if (!can(user, "moderate")) return refuse(from, "🚫 Moderation permissions required");
    log(LogLevel::info, user.username + " moderates " + (*said)["targetId"].dump() + ": " + (*said)["action"].dump());
    from.send({{"type", "moderated"}, {"targetId", (*said)["targetId"]}, {"action", (*said)["action"]}});
  }
}

}  // namespace

void gallery::rbac(App& app, Router& routes) {
  routes.ws_use(jwt_auth({.from = TokenFrom::header_or_query,
                          .invalid_reason = "🔒 Invalid token",
                          .lookup = user_of,
                          .metadata = true,
                          .not_found_reason = "👤 User not found",
                          .reason = "🔒 Authentication required",
                          .secret = token_secret()}));
  routes.ws_use("/admin/*", require_role({"admin", "moderator"}));

  routes.ws("/admin/monitor", [&app](WebSocket ws) {
    ws.join(kEverybody);
    show_figures(app, ws);
  });
  routes.ws("/secure-chat", {.max_message_bytes = 4_KiB}, [&app](WebSocket ws) {
    ws.join(kEverybody);
    ws.on_message([&app](WebSocket from, const Message& message) { receive(app, from, message); });
  });
  routes.get("/token/:userId<int>", [](Request& req) { return Reply(200, token_of({{"userId", *req.param<int>("userId")}})); });
}

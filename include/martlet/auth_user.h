// martlet/auth_user.h: who sent a request, or is at the other end of a WebSocket: what the guards of auth.h and jwt_auth.h find
// out, and what all others ask.
//
//   app.use("/account", bearer_auth(find_by_token));
//   app.get("/account", [](Request& req, Response& res) { res.send(auth_user(req)->username); });
//   app.ws_use(jwt_auth({.secret = secret}));
//   app.ws("/chat", [](WebSocket ws) {
//     ws.on("ban", [](WebSocket ws, std::string who) { if (can(auth_user(ws), "moderate")) ban(who); });
//   });
//
// A program that finds out by itself says it with set_auth_user().
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/json.h>

#include <string>
#include <string_view>
#include <vector>

namespace martlet {

class Request;
class WebSocket;

struct MARTLET_LAYOUT AuthUser {
  std::string id = {};        // what the program knows it by; may be empty, as with tokens that stand for nobody in particular
  std::string username = {};  // for people
  std::vector<std::string> roles = {};
  std::vector<std::string> permissions = {};  // "broadcast", "room:lobby"
  Json claims = {};  // of a token: all it says; null of others
};

// Who it is; null when no guard has let somebody in. Of a request the guards of use() count and, behind the 101, those of
// ws_use(); of a WebSocket those of ws_use() alone, the guards of roles.h, and set_auth_user(). Good as long as the request, or
// until the close handlers of the connection have run, unless another one is set. On the worker's thread.
const AuthUser* auth_user(const Request& req) noexcept;
const AuthUser* auth_user(const WebSocket& ws) noexcept;

// For guards of the program's own: says who it is, in place of who was said before. Allocates, as `new` does.
void set_auth_user(Request& req, AuthUser user);
void set_auth_user(const WebSocket& ws, AuthUser user);
// The user that a guard before the 101 has found is the connection's from now on. Nothing happens where there is none.
void keep_auth_user(const WebSocket& ws, const Request& req);

// Nobody (null) has no roles and no permissions. Any thread, as long as the user is there.
bool has_role(const AuthUser* user, std::string_view role) noexcept;
bool can(const AuthUser* user, std::string_view permission) noexcept;
// Whether it may enter this room: rooms whose name begins with "public-" are for everybody, others for those who have the permission
// "room:" with the room's name.
//   app.on_join([](WebSocket ws, std::string_view room, Admit admit) { can_join(auth_user(ws), room) ? admit.yes() : admit.no(); });
bool can_join(const AuthUser* user, std::string_view room) noexcept;
inline bool has_role(const AuthUser& user, std::string_view role) noexcept { return has_role(&user, role); }
inline bool can(const AuthUser& user, std::string_view permission) noexcept { return can(&user, permission); }
inline bool can_join(const AuthUser& user, std::string_view room) noexcept { return can_join(&user, room); }

}  // namespace martlet

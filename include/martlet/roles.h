// martlet/roles.h: what somebody may do: guards behind those of auth.h and jwt_auth.h, which find out who it is.
//
//   app.use("/admin", require_role({"admin"}));
//   app.ws_use("/admin/*", require_role({"admin", "moderator"}));
//   app.post("/announcements", require_permission({"broadcast"}), announce);
//   app.use("/account", require_user());
//
// Each is one object for use() and routes (401 or 403, by Response::fail) and for ws_use() (a close with 1008). Behind the 101 the
// user is the one that ws_use() has found, or else use() before it, who then is the connection's. Copies share what they have; a
// guard may stand in several workers.
//
// What is asked for each message is asked by can(), has_role() and can_join() (auth_user.h).
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/websocket.h>

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace martlet {

// The texts are the bodies of answers with a status, and the reasons of a Close (of which 123 bytes fit).
struct MARTLET_LAYOUT RoleOptions {
  // WWW-Authenticate of a 401 that has none from a guard before it.
  std::string challenge = "Bearer realm=\"Restricted\"";
  // Somebody who may not. Empty: "🚫 Access denied. Required roles: admin, moderator", or "… Required permissions: …"
  std::string denied_reason = {};
  // Of a WebSocket: {"type":"error","message":REASON} is sent before the Close.
  bool error_first = false;
  // Nobody.
  std::string reason = "🔒 Authentication required";
};

class RoleGuard {
 public:
  void operator()(Request& req, Response& res, Next next) const;
  void operator()(WebSocket ws, Request& req, Next next) const;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  friend struct RoleAccess;
  explicit RoleGuard(detail::CountedPointer terms) noexcept : terms_(std::move(terms)) {}
  detail::CountedPointer terms_;
};

// Lets in who has one of these roles. None is a mistake, the Error of listen() (called all the same it lets nobody in: 500, or 1011): see
// require_user(). Users whose token came as RFC 6750 has it are also told error="insufficient_scope".
RoleGuard require_role(std::initializer_list<std::string_view> roles, RoleOptions options = {});
RoleGuard require_role(std::span<const std::string> roles, RoleOptions options = {});
// Lets in who has all of these permissions. None is a mistake as well.
RoleGuard require_permission(std::initializer_list<std::string_view> permissions, RoleOptions options = {});
RoleGuard require_permission(std::span<const std::string> permissions, RoleOptions options = {});
// Lets in whom a guard has found, whoever that is.
RoleGuard require_user(RoleOptions options = {});

}  // namespace martlet

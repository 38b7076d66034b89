// martlet/session_cookie.h: sessions that live in a cookie: what a program wants to know of a browser again, signed, so that it can be
// read there but not changed.
//
//   app.use(session_cookie({.keys = *CookieKeys::of({secret})}));
//   app.post("/login", [](Request& req, Response& res) {
//     …                                                     // the password is right
//     CookieSession& session = *cookie_session(req);
//     session.regenerate();
//     session.edit()["userId"] = 7;
//     res.redirect("/", 303);
//   });
//   app.get("/", [](Request& req, Response& res) { res.send(cookie_session(req)->data()["userId"].dump()); });
//   app.post("/logout", [](Request& req, Response& res) { cookie_session(req)->clear(), res.redirect("/", 303); });
//
// The server keeps nothing, so that any number of them may serve one browser; and so it cannot take a session back before it ends: one
// that somebody has copied is good until then, also behind clear(). What must be taken back at once has its id in a table of the
// program's. What is secret has no place in it. A session ends by its own times, which are signed with it, whatever the browser keeps.
//
// As a cookie holds 4,096 bytes, a session has room for some 2,700 bytes of JSON. What is too large is not sent: the browser keeps
// the session as it was, and the log says so.
//
// With it in use() answers depend on the cookie (Vary: Cookie). In ws_use() a WebSocket has the session that its browser had when it
// opened, to be read: cookie_session(ws).
#pragma once

#include <martlet/config.h>
#include <martlet/cookie.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace martlet {

struct MARTLET_LAYOUT SessionCookieOptions {
  // What time it is, for tests. Not said: the system's.
  std::chrono::system_clock::time_point (*clock)() noexcept = nullptr;
  // See CookieOptions.
  std::string domain = {};
  // Whether it is kept from scripts.
  bool http_only = true;
  // The first signs, all are believed (cookie.h). At least one.
  CookieKeys keys = {};
  // How long a session may last at all, from regenerate() or its beginning on, however much it is used. 0: as long as it is used.
  std::chrono::seconds lifetime = std::chrono::hours(30 * 24);
  // How long it lasts when it is not used: at most 400 days.
  std::chrono::seconds max_age = std::chrono::hours(24);
  // The cookie's name. Empty: "__Host-session", or "session" where that may not be called so: without `secure`, with a domain or a
  // path.
  std::string name = {};
  std::string path = "/";
  // Whether its use prolongs it: the cookie is sent anew when half of max_age is over.
  bool rolling = true;
  // lax: forms and fetches of other sites come without it, and so do their WebSockets.
  SameSite same_site = SameSite::lax;
  // Only over TLS. Off for trying things out without it.
  bool secure = true;
};

// The session of one request. On the worker's thread, as long as the request; changes count until the head of the answer leaves.
class MARTLET_LAYOUT CookieSession {
 public:
  // What it holds: an object, empty at first.
  const Json& data() const noexcept { return data_; }
  // The same to be changed; the cookie is sent with the answer.
  Json& edit() noexcept {
    changed_ = true;
    return data_;
  }
  // Whether the browser has sent none that is good.
  bool is_new() const noexcept { return !came_; }
  // Names it: 22 random characters, made when they are first asked for. Other than its data they are the same as long as it lasts.
  std::string_view id();
  // It goes on as another one, with its data, a new id and its whole lifetime: to be done when somebody logs in, so that what was
  // known before then is worth nothing.
  void regenerate();
  // It is over: the cookie is taken off, and what there is now is a new, empty one.
  void clear();

 private:
  friend struct CookieSessionAccess;
  Json data_ = Json::object();
  std::string id_ = {};
  int64_t born_ = 0;     // in seconds of the system's clock; 0: now
  int64_t expires_ = 0;  // the same; of one that came
  bool came_ = false;
  bool changed_ = false;
};

class SessionCookie {
 public:
  void operator()(Request& req, Response& res, Next next) const;
  void operator()(WebSocket ws, Request& req, Next next) const;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  friend struct CookieSessionAccess;
  explicit SessionCookie(detail::CountedPointer terms) noexcept : terms_(std::move(terms)) {}
  detail::CountedPointer terms_;
};

// To have no keys, or no time in max_age, is a mistake, the Error of listen(); a guard that is called all the same lets nobody in: 500,
// or 1011.
SessionCookie session_cookie(SessionCookieOptions options);

// Null without session_cookie() before it.
CookieSession* cookie_session(Request& req) noexcept;
const CookieSession* cookie_session(const WebSocket& ws) noexcept;

}  // namespace martlet

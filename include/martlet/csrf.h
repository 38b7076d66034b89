// martlet/csrf.h: whether a request that changes something was made by a page of ours, or by somebody else's with our user's cookies
// (cross-site request forgery). For sites whose users are known by cookies or by Basic; tokens in fields need none of it.
//
//   app.use(csrf());                                                          // what the browser says of where it comes from
//   app.use(csrf({.origins = {"https://admin.example.com"}}));                // … and these may, too
//   app.use(csrf({.mode = CsrfMode::both, .secrets = {secret}}));             // … and a token besides
//
// GET, HEAD, OPTIONS and TRACE pass: they must change nothing. All else, and the handshakes of WebSockets, is refused with 403 (by
// Response::fail) when it comes from elsewhere; in ws_use() with 1008. Browsers say so themselves: by Sec-Fetch-Site (all since 2023,
// over TLS and to localhost), which must be same-origin or none; without it by Origin, whose host must be the one that the client calls
// this server (Request::host(), so behind a proxy AppOptions::trusted_proxies has to be said); without that by Referer in the
// same way. What says nothing of it comes from no browser, and passes. The scheme is not compared where Sec-Fetch-Site is
// missing, as TLS ends before us: Strict-Transport-Security keeps that from mattering.
//
// CsrfMode::double_submit is for browsers that are older than that, or a second lock: a token in a cookie has to come back in a
// field or a form, which pages of other origins cannot read. It is signed and belongs to one session, so that nobody can set
// one of his own for somebody else:
//
//   app.get("/form", [](Request& req, Response& res) { res.send(page_with(csrf_token(req))); });      // <input name="_csrf">, or X-CSRF-Token
//
// Copies of a guard share what they have; it may stand in several workers.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/middleware.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/websocket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

enum class CsrfMode : uint8_t { both, double_submit, origin };

struct MARTLET_LAYOUT CsrfOptions {
  // Whom a token belongs to: a text that is another one for each session, and stays the same as long as it lasts. Not said: the id of
  // the cookie_session(), or else that of the auth_user(); where there is neither, tokens belong to nobody, and are good for everybody.
  Decision<std::string(Request&)> bind = {};
  // The name of the token's cookie. Empty: "__Host-csrf", or "csrf" where `secure` is off. Scripts can read it; it ends with the
  // browser.
  std::string cookie = {};
  // Of forms, which csrf_form() looks into.
  std::string field = "_csrf";
  std::string header = "X-CSRF-Token";
  CsrfMode mode = CsrfMode::origin;
  // Other origins that may: "https://admin.example.com", or patterns as in WsOptions::origins, but not "*".
  std::vector<std::string> origins = {};
  std::string reason = "This request was not made by a page of this site";
  // Whether who says nothing of where it comes from is refused as well, other programs than browsers included.
  bool require_origin = false;
  // What tokens are signed with, of at least 16 bytes each: the first signs, all are believed. Needed for tokens.
  std::vector<std::string> secrets = {};
  // Whether the cookie is for TLS only.
  bool secure = true;
};

class Csrf {
 public:
  void operator()(Request& req, Response& res, Next next) const;
  void operator()(WebSocket ws, Request& req, Next next) const;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 protected:
  friend struct CsrfAccess;
  Csrf(detail::CountedPointer terms, bool looks_into_forms) noexcept : terms_(std::move(terms)), looks_into_forms_(looks_into_forms) {}
  detail::CountedPointer terms_;
  bool looks_into_forms_;
};

// Waits for bodies, where the token may be in a form.
class CsrfForm : public Csrf {
 public:
  static constexpr bool wants_body = true;

 private:
  friend struct CsrfAccess;
  using Csrf::Csrf;
};

// What is no origin, a secret that is too short, and tokens without one are the Error of listen(); a guard that is called all the same
// refuses everything: 500, or 1011.
Csrf csrf(CsrfOptions options = {});
// The same for tokens in forms: urlencoded or as Request::form() reads them, up to what bodies may have.
CsrfForm csrf_form(CsrfOptions options);

// The token that a page of this session sends back: the one that the browser has, or a new one, whose cookie is sent with the answer. Empty
// without a csrf() with tokens before it. Good as long as the request; on the worker's thread, before the head of the answer leaves.
std::string_view csrf_token(Request& req);

}  // namespace martlet

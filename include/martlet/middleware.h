// martlet/middleware.h: Next, what a middleware calls to let the request through; and what goes wrong on the way.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>

namespace martlet {

namespace session {
struct Exchange;
}
struct NextAccess;

namespace detail {

// Of a step that was made of options: what is wrong with them; null when nothing is, or it cannot tell.
template <typename F>
std::unique_ptr<Error> mistake_of(const F& fn) {
  if constexpr (requires { { fn.mistake() } -> std::convertible_to<Error>; }) {
    if (Error mistake = fn.mistake()) return std::make_unique<Error>(mistake);
  }
  return nullptr;
}

}  // namespace detail

// What a step gives up with: next(HttpError{422, "name is missing"}). The text is for the client, and is copied.
struct HttpError {
  int status = 500;  // 400 to 599
  std::string_view text = {};
};

// What an error handler is told (App::on_error). The views are good until it returns.
struct Failure {
  int status;                  // 400 to 599: 500 when a handler threw
  std::string_view text;       // for the client; of a handler that threw it is what AppOptions::production allows
  std::string_view exception;  // what a handler threw; empty when none did
  std::string_view route;      // the pattern of the route, as it was registered; "*" when no route takes the request
  std::string_view request_id; // the X-Request-Id that a step has set, else Request::id()
};

// A middleware is (Request&, Response&, Next). It answers the request itself, or calls next() to let it through to what
// comes after it. That runs when the middleware has returned, so that a long chain needs no more stack than a short one: what
// a middleware does behind its next() it does before the others. For what is to be done after them there are
// Response::on_headers(), just before the head of the answer leaves, and Response::on_finish(), when all of it has.
//
// next() may also be kept and called later, from any thread (the request then is held, as after res.defer()); what comes
// after it runs before that call returns, as far as it does not wait for the body of the request, which may be still coming
// (router.h). Calling it twice, or answering and calling it, is ignored, counted (Stats::late_nexts) and logged; debug builds
// abort. A middleware that throws has not let the request through, whatever it has called before.
// Once the connection is gone next() does nothing. A middleware that neither answers nor ever calls next() keeps the
// request, and its connection, until the client resets it or the App drains, or AppOptions::handler_timeout has passed.
//
// Middleware of use() sees also what the library refuses by itself once it has read the head: a body that is too large
// (413), too slow (408), malformed (400) or too much at the moment (503), a bad WebSocket handshake. So the fields that it
// sets (CORS, a request id) stand in those answers, too. Request::body() is empty then, the route's own steps do not run, an
// answer by the middleware is sent in place of the library's, and next() behind the last of them sends the library's.
// What has no readable head (a malformed one, 431, 414, the 408 of a head, too many connections) has no middleware.
class Next {
 public:
  void operator()() const noexcept;
  // In place of what comes after it, the error handlers run (App::on_error).
  void operator()(const HttpError& error) const noexcept;

 private:
  friend struct session::Exchange;
  friend struct NextAccess;
  Next(uint32_t worker, uint32_t slot, uint32_t generation, uint32_t request, uint32_t position) noexcept
      : worker_(worker), slot_(slot), generation_(generation), request_(request), position_(position) {}

  uint32_t worker_;
  uint32_t slot_;
  uint32_t generation_;
  uint32_t request_;
  uint32_t position_;  // in the chain
};

}  // namespace martlet

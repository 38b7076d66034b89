// martlet/middleware.h: Next, what a middleware calls to let the request through.
#pragma once

#include <martlet/config.h>

#include <cstdint>

namespace martlet {

namespace session {
struct Exchange;
}

// A middleware is (Request&, Response&, Next). It answers the request itself, or calls next() to run what comes after
// it. next() runs that before it returns, as far as it does not wait for the body of the request, which may be still coming
// (app.h); it may also be kept and called later, from any thread (the request then is
// held, as after res.defer()). Calling it twice is ignored, counted (Stats::late_nexts) and logged; debug builds abort.
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

 private:
  friend struct session::Exchange;
  Next(uint32_t worker, uint32_t slot, uint32_t generation, uint32_t request, uint32_t position) noexcept
      : worker_(worker), slot_(slot), generation_(generation), request_(request), position_(position) {}

  uint32_t worker_;
  uint32_t slot_;
  uint32_t generation_;
  uint32_t request_;
  uint32_t position_;  // in the chain
};

}  // namespace martlet

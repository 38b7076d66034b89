// middleware.cc: what stands before a handler: a log, who the client is, and three limits. Each that refuses closes with 1008 and a
// reason of its own. The order is theirs: the log is first, so that it tells of those as well whom the others refuse.
//
// The token is that of private_chat.cc. What the log says stands on standard error.
#include "demo_token.h"
#include "gallery.h"

using namespace martlet;
using namespace martlet::literals;

void gallery::middleware(App&, Router& routes) {
  // [WS] Connection: <id> from <ip>, [WS] Message from …, [WS] Disconnection: …; and [WS] Debug: with what the client has said of itself.
  routes.ws_use(logger({.debug_info = true}));
  // "Too many connections from this IP": at the same time. Who closes makes room for the next.
  routes.ws_use(max_per_ip(10));
  // "Authentication required", "Invalid token". Who is let in is auth_user(ws) and, for people, in ws.metadata().
  routes.ws_use(jwt_auth({.from = TokenFrom::header_or_query, .metadata = true, .secret = token_secret()}));
  // "Rate limit exceeded": new connections of an address, which who was refused above has not made.
  routes.ws_use(connection_limit({.algorithm = Limit::fixed_window, .max = 100, .per = 60s}));
  // "Message rate limit exceeded": of one connection.
  routes.ws_use(message_limit({.max = 10, .per = 1s}));

  routes.ws("/middleware", {.max_message_bytes = 4_KiB}, [](WebSocket ws) {
    ws.send({{"type", "welcome"}, {"metadata", ws.metadata()}});
    ws.on_message([](WebSocket from, const Message& message) { from.send(message); });
  });
  add_tokens(routes);
}

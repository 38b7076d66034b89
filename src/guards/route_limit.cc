// Messages of each connection and new connections of each address at once: route_limit() of limits.h.
#include <utility>

#include "guards/connection_limit.h"

namespace martlet {

RouteLimitStep::RouteLimitStep(const RouteLimitOptions& o)
    : connections_({.algorithm = o.algorithm, .clock = o.clock, .max = o.max, .max_keys = o.max_keys, .per = o.per}),
      messages_(detail::Shared<detail::MessageLimitState>::make(
          MessageLimitOptions{.algorithm = o.algorithm, .clock = o.clock, .max = o.max, .per = o.per})) {}

void RouteLimitStep::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  if (guards::limit_messages(messages_, ws, req)) connections_(ws, req, next);
}

RouteLimitStep route_limit(RouteLimitOptions options) { return RouteLimitStep(options); }

}  // namespace martlet

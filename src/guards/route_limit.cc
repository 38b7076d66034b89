// Messages of each connection and new connections of each address at once: route_limit() of limits.h.
#include <utility>

#include "guards/connection_limit.h"

namespace martlet {

RouteLimitStep::RouteLimitStep(const RouteLimitOptions& o)
    : connections_(detail::Shared<detail::ConnectionLimitState>::make(
          "route_limit",
          ConnectionLimitOptions{.algorithm = o.algorithm, .clock = o.clock, .max = o.max, .max_keys = o.max_keys, .per = o.per})),
      messages_(detail::Shared<detail::MessageLimitState>::make(
          "route_limit", MessageLimitOptions{.algorithm = o.algorithm, .clock = o.clock, .max = o.max, .per = o.per})) {}

void RouteLimitStep::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  if (guards::limit_messages(messages_, ws, req) && guards::admit_connection(*connections_, ws, req)) next();
}

// The other one has nothing else than this one.
Error RouteLimitStep::mistake() const noexcept { return connections_->mistake; }

RouteLimitStep route_limit(RouteLimitOptions options) { return RouteLimitStep(options); }

}  // namespace martlet

// New connections: connection_limit() of limits.h.
#include "guards/connection_limit.h"

#include <utility>

#include "guards/mistake.h"

namespace martlet {

detail::ConnectionLimitState::ConnectionLimitState(std::string_view guard, ConnectionLimitOptions&& o)
    : options(std::move(o)), table(guards::rate_options(options.algorithm, options)) {
  const char* key = LimitKeyAccess::wrong_but_for_messages(options.key);
  mistake = guards::mistake_in(guard, key ? key : table->wrong());
}

bool guards::admit_connection(detail::ConnectionLimitState& s, const WebSocket& ws, const Request& req) noexcept {
  if (s.mistake) return ws.close(CloseCode::internal_error), false;
  const std::optional<uint64_t> hash = detail::LimitKeyAccess::hash(s.options.key, req, s.table->secret());
  if (!hash) return ws.close(CloseCode::internal_error), false;
  if (s.table->decide(*hash, 1, true)) return true;
  ws.close(CloseCode::policy_violation, s.options.reason);
  return false;
}

ConnectionLimitStep::ConnectionLimitStep(ConnectionLimitOptions&& options)
    : state_(detail::Shared<detail::ConnectionLimitState>::make("connection_limit", std::move(options))) {}

void ConnectionLimitStep::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  if (guards::admit_connection(*state_, ws, req)) next();
}

Error ConnectionLimitStep::mistake() const noexcept { return state_->mistake; }

ConnectionLimitStep connection_limit(ConnectionLimitOptions options) { return ConnectionLimitStep(std::move(options)); }

}  // namespace martlet

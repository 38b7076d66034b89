// New connections: connection_limit() of limits.h.
#include "guards/connection_limit.h"

#include <utility>

#include "guards/check_option.h"

namespace martlet {

bool guards::admit_connection(detail::ConnectionLimitState& s, const WebSocket& ws, const Request& req) noexcept {
  const std::optional<uint64_t> hash = detail::LimitKeyAccess::hash(s.options.key, req, s.table->secret());
  if (!hash) return ws.close(CloseCode::internal_error), false;
  if (s.table->decide(*hash, 1, true)) return true;
  ws.close(CloseCode::policy_violation, s.options.reason);
  return false;
}

ConnectionLimitStep::ConnectionLimitStep(ConnectionLimitOptions&& options) {
  guards::check_option(!detail::LimitKeyAccess::is_by_socket(options.key), "connection_limit", "by_socket() is for message_limit()");
  state_ = detail::Shared<detail::ConnectionLimitState>::make(std::move(options));
}

void ConnectionLimitStep::operator()(WebSocket ws, Request& req, Next next) const noexcept {
  if (guards::admit_connection(*state_, ws, req)) next();
}

ConnectionLimitStep connection_limit(ConnectionLimitOptions options) { return ConnectionLimitStep(std::move(options)); }

}  // namespace martlet

// Steps behind the 101 that count: what connection_limit() and message_limit() have in common, and lend to route_limit(), each by its
// name. The worker's thread; the tables are all workers'.
#pragma once

#include <martlet/common.h>
#include <martlet/limits.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "guards/limit_key.h"
#include "guards/rate_policy.h"
#include "guards/rate_table.h"

namespace martlet {

struct detail::ConnectionLimitState {
  ConnectionLimitState(std::string_view guard, ConnectionLimitOptions&& o);

  ConnectionLimitOptions options;
  Common<RateTable> table;
  Error mistake;
};

struct detail::MessageLimitState {
  MessageLimitState(std::string_view guard, MessageLimitOptions&& o);

  MessageLimitOptions options;
  guards::RatePolicy policy = {};
  std::optional<Common<RateTable>> table = {};  // but for by_socket()
  std::string reply = {};  // what goes back; of warn all but the number and the last brace
  Error mistake;
};

namespace guards {

// False: it has been closed.
bool admit_connection(detail::ConnectionLimitState& s, const WebSocket& ws, const Request& req) noexcept;
bool limit_messages(const detail::Shared<detail::MessageLimitState>& s, const WebSocket& ws, const Request& req) noexcept;

}  // namespace guards

}  // namespace martlet

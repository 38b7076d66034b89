// The constants of WebSockets: their numbers are those of RFC 6455, and each has a text.
#include <doctest/doctest.h>
#include <martlet/websocket_names.h>

#include <set>
#include <string>

using namespace martlet;

TEST_CASE("names: opcodes and states are numbered as on the wire and in browsers") {
  CHECK(static_cast<int>(Opcode::continuation) == 0);
  CHECK(static_cast<int>(Opcode::text) == 1);
  CHECK(static_cast<int>(Opcode::binary) == 2);
  CHECK(static_cast<int>(Opcode::close) == 8);
  CHECK(static_cast<int>(Opcode::ping) == 9);
  CHECK(static_cast<int>(Opcode::pong) == 10);
  CHECK(name_of(Opcode::pong) == "pong");
  CHECK(name_of(static_cast<Opcode>(3)) == "unknown");
  CHECK(static_cast<int>(ReadyState::connecting) == 0);
  CHECK(static_cast<int>(ReadyState::open) == 1);
  CHECK(static_cast<int>(ReadyState::closing) == 2);
  CHECK(static_cast<int>(ReadyState::closed) == 3);
  CHECK(name_of(ReadyState::closing) == "closing");
}

TEST_CASE("names: every close code has a text of its own") {
  std::set<std::string> texts;
  for (int code = 1000; code <= 1015; code++) {
    if (code != 1004) texts.emplace(name_of(static_cast<CloseCode>(code)));
  }
  CHECK(texts.size() == 15);
  CHECK(texts.count("Unknown code") == 0);
  CHECK(name_of(CloseCode::normal) == "Normal closure");
  CHECK(name_of(CloseCode::going_away) == "Going away");
  CHECK(name_of(CloseCode::protocol_error) == "Protocol error");
  CHECK(name_of(CloseCode::unsupported) == "Unsupported data");
  CHECK(name_of(CloseCode::policy_violation) == "Policy violation");
  CHECK(name_of(CloseCode::internal_error) == "Internal error");
  CHECK(name_of(static_cast<CloseCode>(1004)) == "Unknown code");
  CHECK(name_of(static_cast<CloseCode>(2999)) == "Unknown code");
  CHECK(name_of(static_cast<CloseCode>(3000)) == "Application code");
  CHECK(name_of(static_cast<CloseCode>(4999)) == "Application code");
  CHECK(name_of(static_cast<CloseCode>(5000)) == "Unknown code");
}

TEST_CASE("names: every cause has a text of its own") {
  std::set<std::string> texts;
  for (int cause = 0; cause <= static_cast<int>(CloseCause::max_lifetime); cause++) {
    texts.emplace(name_of(static_cast<CloseCause>(cause)));
  }
  CHECK(texts.size() == static_cast<size_t>(CloseCause::max_lifetime) + 1);
  CHECK(texts.count("unknown") == 0);
}

TEST_CASE("names: the reasons that servers give, in the words that clients know") {
  CHECK(reason::kNormalClosure == "Normal closure");
  CHECK(reason::kAuthenticationRequired == "Authentication required");
  CHECK(reason::kAuthenticationFailed == "Authentication failed");
  CHECK(reason::kInvalidToken == "Invalid token");
  CHECK(reason::kUnauthorized == "Unauthorized");
  CHECK(reason::kUserNotFound == "User not found");
  CHECK(reason::kAccessDenied == "Access denied");
  CHECK(reason::kRateLimitExceeded == "Rate limit exceeded");
  CHECK(reason::kMessageRateLimitExceeded == "Message rate limit exceeded");
  CHECK(reason::kTooManyConnections == "Too many connections from this IP");
  CHECK(reason::kMessageTooLarge == "Message too large");
  CHECK(reason::kConnectionTimeout == "Connection timeout");
  CHECK(reason::kServerShutdown == "Server shutdown");
  CHECK(reason::kRoomClosed == "Room closed");
  CHECK(reason::kInternalError == "Internal server error");
}

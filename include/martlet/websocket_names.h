// martlet/websocket_names.h: the constants of WebSockets, and their texts. Any thread.
#pragma once

#include <martlet/config.h>

#include <cstdint>
#include <string_view>

namespace martlet {

// What became of a send.
enum class SendStatus : uint8_t {
  ok,            // taken; it leaves at the end of this turn of the loop
  backpressure,  // taken, but the peer is slow: 64 KiB or more wait. on_drain tells when they are gone
  dropped,       // not taken: the unsent limit was reached, and the policy says so (counted); or memory was out; or, from
                 // another thread, 64 MiB of messages wait for the connection's thread, which does not turn (counted)
  closed,        // not taken: the connection is closed or closing
  posted,        // handed to the connection's own thread, which will act on it
};

// What a frame is (RFC 6455 §5.2).
enum class Opcode : uint8_t { continuation = 0x0, text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xA };
// "text" and so on.
std::string_view name_of(Opcode opcode) noexcept;

// RFC 6455 §7.4.1 and the registry of IANA, and 3000–4999 for applications (cast them).
enum class CloseCode : uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported = 1003,
  no_status = 1005,  // never sent: the peer's Close had no code
  abnormal = 1006,   // never sent: the connection ended without a Close
  invalid_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  mandatory_extension = 1010,  // a client's: the server did not agree to an extension
  internal_error = 1011,
  service_restart = 1012,
  try_again = 1013,
  bad_gateway = 1014,
  tls_handshake = 1015,  // never sent: a client's, whose TLS failed
};
// "Normal closure", "Going away" and so on, for people; of an application's code "Application code", else "Unknown code".
std::string_view name_of(CloseCode code) noexcept;

// Why a connection ended, in more detail than the code: "1006" alone helps nobody.
enum class CloseCause : uint8_t {
  peer_close,         // the peer sent Close
  local_close,        // close() was called here
  peer_eof,           // the peer ended the TCP connection without Close
  peer_reset,         // the TCP connection broke
  protocol_error,     // the peer broke RFC 6455 (1002, 1003)
  invalid_payload,    // text that is not UTF-8, or compressed data that is none (1007)
  message_too_big,    // above max_message_bytes (1009)
  too_many_fragments, // more than max_fragments that carry little (1008)
  slow_consumer,      // above max_unsent_bytes (1008)
  heartbeat_timeout,  // silent for heartbeat_timeout
  write_timeout,      // no progress of a write for write_timeout
  close_timeout,      // the close handshake took longer than close_timeout
  handler_failure,    // a handler threw (1011)
  out_of_memory,      // no memory, or receive_budget_bytes spent (1013)
  drain,              // the server drains (1001)
  metadata_too_big,   // above max_metadata_bytes (1008)
  idle_timeout,       // no message for idle_timeout (1000)
  max_lifetime,       // open for max_lifetime (1001)
};
// "peer_eof" and so on, for logs.
std::string_view name_of(CloseCause cause) noexcept;

enum class ReadyState : uint8_t { connecting = 0, open = 1, closing = 2, closed = 3 };
// "connecting", "open", "closing", "closed".
std::string_view name_of(ReadyState state) noexcept;

// Reasons for close() that servers use, in the words that clients may know.
namespace reason {
inline constexpr std::string_view kNormalClosure = "Normal closure";
inline constexpr std::string_view kAuthenticationRequired = "Authentication required";
inline constexpr std::string_view kAuthenticationFailed = "Authentication failed";
inline constexpr std::string_view kInvalidToken = "Invalid token";
inline constexpr std::string_view kUnauthorized = "Unauthorized";
inline constexpr std::string_view kUserNotFound = "User not found";
inline constexpr std::string_view kAccessDenied = "Access denied";
inline constexpr std::string_view kRateLimitExceeded = "Rate limit exceeded";
inline constexpr std::string_view kMessageRateLimitExceeded = "Message rate limit exceeded";
inline constexpr std::string_view kTooManyConnections = "Too many connections from this IP";
inline constexpr std::string_view kMessageTooLarge = "Message too large";
inline constexpr std::string_view kConnectionTimeout = "Connection timeout";
inline constexpr std::string_view kServerShutdown = "Server shutdown";
inline constexpr std::string_view kRoomClosed = "Room closed";
inline constexpr std::string_view kInternalError = "Internal server error";
}  // namespace reason

}  // namespace martlet

// The response on the wire (RFC 9112 §4, §6): status line, Date, framing and connection fields by the library, the
// application's fields, the body. One contiguous append to the connection's output. The worker's thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "session/exchange.h"

namespace martlet::session {

// "Not Found" for 404; "Unknown" for codes without a name.
std::string_view reason_phrase(int status) noexcept;

// What a body is, unless the application set a Content-Type.
enum class BodyType : uint8_t { none, text, json, bytes };

// Tells its watch that an answer with a body of so many bytes is about to be made: a terminal call from here on is a second
// one. For who writes the head.
void announce_answer(Exchange& e, size_t body_bytes) noexcept;

// Answers the exchange.
void send_response(Exchange& e, base::ByteSpan body, BodyType type) noexcept;

// What a 426 has besides its Connection, which the response writes (RFC 9110 §15.5.22; RFC 6455 §4.4).
inline constexpr std::string_view kUpgradeFields = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

// An answer by the library itself: closes after it. `extra` are whole field lines, or empty.
void send_error(Sessions& s, net::Connection& c, int status, std::string_view text, std::string_view extra,
                bool head_only) noexcept;

// 503 on a socket that is about to be closed: for too many connections to answer each in a dispatch of its own.
void refuse_at_once(Sessions& s, int fd) noexcept;

// "HTTP/1.1 100 Continue".
void send_continue(Sessions& s, net::Connection& c) noexcept;

}  // namespace martlet::session

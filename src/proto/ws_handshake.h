// The server's side of the opening handshake (RFC 6455 §4.2): is this request an upgrade, may it be, and what is the
// answer's key. No allocation; views into the request.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/http_parser.h"

namespace martlet::proto {

struct Handshake {
  uint16_t status = 101;        // 101, or the refusal: 400, or 426 (with Sec-WebSocket-Version: 13)
  const char* cause = "";       // of the refusal
  std::string_view key;         // Sec-WebSocket-Key
  std::string_view protocols;   // all Sec-WebSocket-Protocol offers of the first field, raw; see OfferedProtocols
  std::string_view extensions;  // Sec-WebSocket-Extensions of the first field, raw
};

// Whether the request asks for a WebSocket at all (Upgrade: websocket, any case, not in HTTP/1.0, where Upgrade says
// nothing: RFC 9110 §7.8): such a request goes to the WebSocket routes, any other to the HTTP routes.
bool asks_for_websocket(const RequestHead& head, const uint8_t* base) noexcept;

// Checks a request that asks for a WebSocket: GET, HTTP/1.1, Connection with the token upgrade, exactly one key of 16
// bytes in Base64, version 13, extensions by their grammar (RFC 6455 §9.1: what breaks it fails the connection), no body.
Handshake check_handshake(const RequestHead& head, const uint8_t* base) noexcept;

inline constexpr size_t kAcceptKeySize = 28;
// Sec-WebSocket-Accept for this key: kAcceptKeySize characters to out.
void accept_key(std::string_view key, char* out) noexcept;

// Walks the offered subprotocols of all Sec-WebSocket-Protocol fields, in order. False at the end, and after the first
// kMaxOffered elements; an element that is not a token, and a duplicate of an earlier one, is skipped.
class OfferedProtocols {
 public:
  OfferedProtocols(const RequestHead& head, const uint8_t* base) noexcept : head_(head), base_(base) {}
  static constexpr uint32_t kMaxOffered = 64;

  bool next(std::string_view& protocol) noexcept;

 private:
  bool next_element(std::string_view& element) noexcept;

  const RequestHead& head_;
  const uint8_t* base_;
  uint32_t field_ = 0;
  uint32_t seen_ = 0;
  std::string_view rest_;
};

}  // namespace martlet::proto

// What two peers agree upon about permessage-deflate (RFC 7692 §5 and §7): offers in, an answer out. An offer that asks
// for what is unknown, malformed or more than we do is declined and the next one looked at; none of that is an error.
// No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/http_parser.h"

namespace martlet::proto {

// What we would like.
struct DeflatePreferences {
  bool server_context_takeover = false;  // we refer to what we sent before
  bool client_context_takeover = false;  // the client may refer to what it sent before
  uint8_t server_max_window_bits = 15;   // 8 to 15
  uint8_t client_max_window_bits = 15;   // 8 to 15; can be had only of clients that say they can
};

// What was agreed upon.
struct DeflateTerms {
  bool server_context_takeover = false;
  bool client_context_takeover = false;
  uint8_t server_max_window_bits = 15;  // of what we send: 8 to 15
  uint8_t client_max_window_bits = 15;  // of what we receive: 8 to 15
  bool answers_server_bits = false;     // the answer names it
  bool answers_client_bits = false;
};

// Walks the extensions of all Sec-WebSocket-Extensions fields, in order of the client's preference, and takes the first
// offer of permessage-deflate that we can do. False: none. Behind kMaxExtensions extensions nothing is looked at.
inline constexpr uint32_t kMaxExtensions = 64;
bool negotiate_deflate(const RequestHead& head, const uint8_t* base, const DeflatePreferences& preferences,
                       DeflateTerms& terms) noexcept;

// Writes the value of our Sec-WebSocket-Extensions; answers how many characters, at most kMaxDeflateAnswer.
inline constexpr size_t kMaxDeflateAnswer = 128;
size_t encode_deflate_answer(const DeflateTerms& terms, char* out) noexcept;

}  // namespace martlet::proto

// Where the token of a request is: see TokenFrom in martlet/auth.h. The views are the request's.
//
// No allocation but what Request's own calls take; on the worker's thread.
#pragma once

#include <martlet/auth.h>
#include <martlet/request.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace martlet::guards {

inline constexpr size_t kMostTokenLetters = 8192;

struct TokenPlaces {
  TokenFrom from;
  std::string cookie;
  std::string query;
};

struct SentToken {
  enum class State : uint8_t {
    missing,
    malformed,  // the field is none of RFC 6750, or there are several tokens
    bad,        // what is there cannot be a token
    good,       // it has the letters of one
  } state = State::missing;
  std::string_view text = {};
  bool in_query = false;
};

SentToken find_token(const Request& req, const TokenPlaces& places) noexcept;

// RFC 6750 §2.1: letters, digits, -._~+/, and at the end any number of '='.
bool is_token_text(std::string_view text) noexcept;

// What the values of Sec-WebSocket-Protocol offer: the name behind "bearer", or the rest of "bearer.…". Empty: none, or several.
SentToken token_of_protocols(std::string_view offered) noexcept;

}  // namespace martlet::guards

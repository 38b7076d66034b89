// Comparing what an attacker guesses at: signatures, tokens, passwords' hashes. memcmp() and == stop at the first byte
// that differs, and how long they took tells how much of a guess was right; so a secret is found byte by byte. This one
// takes the same time whatever the bytes are. Their number is no secret, and may be told.
//
// Header-only, no state; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace martlet::base {

inline bool equal_in_constant_time(ByteSpan a, ByteSpan b) noexcept {
  if (a.size() != b.size()) return false;
  uint32_t differences = 0;
  for (size_t i = 0; i < a.size(); i++) {
    differences |= static_cast<uint32_t>(a[i] ^ b[i]);
    // The compiler may not know what has been gathered so far, or it would be free to leave early.
    asm("" : "+r"(differences));
  }
  return differences == 0;
}

inline bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return equal_in_constant_time(as_bytes(a), as_bytes(b));
}

}  // namespace martlet::base

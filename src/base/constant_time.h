// Comparing what an attacker guesses at: signatures, tokens, passwords' hashes. memcmp() and == stop at the first byte
// that differs, and how long they took tells how much of a guess was right; so a secret is found byte by byte. This one
// takes the same time whatever the bytes are. Their number is no secret, and may be told.
//
// Header-only, no state; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"

namespace martlet::base {

inline bool equal_in_constant_time(ByteSpan a, ByteSpan b) noexcept {
  if (a.size() != b.size()) return false;
  size_t differences = 0;
  size_t i = 0;
  // The compiler may not know what has been gathered so far, or it would be free to leave early.
  for (size_t one, other; a.size() - i >= sizeof one; i += sizeof one) {
    std::memcpy(&one, a.data() + i, sizeof one);
    std::memcpy(&other, b.data() + i, sizeof other);
    differences |= one ^ other;
    asm("" : "+r"(differences));
  }
  for (; i < a.size(); i++) {
    differences |= static_cast<size_t>(a[i] ^ b[i]);
    asm("" : "+r"(differences));
  }
  return differences == 0;
}

inline bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return equal_in_constant_time(as_bytes(a), as_bytes(b));
}

}  // namespace martlet::base

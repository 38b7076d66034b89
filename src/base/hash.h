// A keyed hash for tables whose keys come from peers (room names): without the key, which is random per process,
// nobody can make names that fall into one place. Not for anything else. Any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace martlet::base {

inline uint64_t mix64(uint64_t x) noexcept {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

inline uint64_t keyed_hash(std::string_view text, uint64_t key) noexcept {
  uint64_t hash = mix64(key ^ text.size());
  while (text.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = mix64(hash ^ word) + key;
    text.remove_prefix(8);
  }
  uint64_t last = 0;
  if (!text.empty()) std::memcpy(&last, text.data(), text.size());
  return mix64(hash ^ last ^ (uint64_t{text.size()} << 56));
}

}  // namespace martlet::base

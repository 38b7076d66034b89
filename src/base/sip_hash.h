// SipHash (Aumasson and Bernstein, 2012): a keyed hash for tables whose keys come from peers, where a collision that
// somebody can make would let them count under another's name. Without the key, which is random, nobody can make one. The numbers
// are the rounds for each word and at the end: 2 and 4 as published, 1 and 3 for tables that are in memory only, where nobody
// sees a hash. Any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace martlet::base {

struct SipKey {
  uint64_t first = 0, second = 0;
};

namespace sip {

struct State {
  uint64_t a, b, c, d;

  template <int kRounds>
  void rounds() noexcept {
    for (int i = 0; i < kRounds; i++) {
      a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
      c += d, d = std::rotl(d, 16) ^ c;
      a += d, d = std::rotl(d, 21) ^ a;
      c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
    }
  }
  template <int kRounds>
  void take(uint64_t word) noexcept {
    d ^= word;
    rounds<kRounds>();
    a ^= word;
  }
};

// Words are little-endian, whatever the machine is.
inline uint64_t word_of(const char* bytes, size_t size) noexcept {
  uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, bytes, size);
  } else {
    for (size_t i = 0; i < size; i++) word |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return word;
}

}  // namespace sip

template <int kWordRounds = 1, int kLastRounds = 3>
uint64_t sip_hash(std::string_view text, const SipKey& key) noexcept {
  sip::State state{key.first ^ 0x736f6d6570736575u, key.second ^ 0x646f72616e646f6du, key.first ^ 0x6c7967656e657261u,
                   key.second ^ 0x7465646279746573u};
  const uint64_t size = text.size();
  for (; text.size() >= 8; text.remove_prefix(8)) state.take<kWordRounds>(sip::word_of(text.data(), 8));
  const uint64_t rest = text.empty() ? 0 : sip::word_of(text.data(), text.size());
  state.take<kWordRounds>(rest | size << 56);
  state.c ^= 0xff;
  state.rounds<kLastRounds>();
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace martlet::base

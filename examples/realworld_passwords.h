// realworld_passwords.h: PBKDF2 (RFC 8018 §5.2) for passwords, and what that takes: SHA-256 (FIPS 180-4) and HMAC (RFC 2104).
//
// Short rather than quick. A service that has more to lose than a demo takes a library whose hash costs memory, too (Argon2id,
// scrypt), on threads of its own: a hash that is slow enough would keep everybody else waiting here.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace passwords {

using Digest = std::array<uint8_t, 32>;

inline std::string_view bytes_of(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

inline constexpr uint32_t kRounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

inline void sha256_block(std::array<uint32_t, 8>& state, const char* block) {
  uint32_t w[64];
  for (size_t i = 0; i < 64; i++) {
    w[i] = 0;
    if (i < 16) {
      for (size_t n = 0; n < 4; n++) w[i] = w[i] << 8 | static_cast<uint8_t>(block[4 * i + n]);
    } else {
      const uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; i++) {
    const uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + kRounds[i] + w[i];
    const uint32_t two = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const uint32_t add[8] = {a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < 8; i++) state[i] += add[i];
}

inline Digest sha256(std::string text) {
  std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint64_t bits = uint64_t{text.size()} * 8;
  text += '\x80';
  while (text.size() % 64 != 56) text += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(bits >> shift);
  for (size_t at = 0; at < text.size(); at += 64) sha256_block(state, text.data() + at);
  Digest digest;
  for (size_t i = 0; i < digest.size(); i++) digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

inline Digest hmac(std::string_view key, std::string_view text) {
  std::string inner(key.size() > 64 ? bytes_of(sha256(std::string(key))) : key);
  inner.resize(64);
  std::string outer = inner;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  const Digest hashed = sha256(inner.append(text));
  return sha256(outer.append(bytes_of(hashed)));
}

// Takes as long for what is nearly right as for what is quite wrong.
inline bool same(std::string_view a, std::string_view b) {
  int different = a.size() != b.size();
  for (size_t i = 0; i < a.size() && i < b.size(); i++) different |= a[i] ^ b[i];
  return different == 0;
}

inline std::string random_bytes(size_t count = 32) {
  std::random_device random;
  std::string bytes;
  while (bytes.size() < count) bytes += static_cast<char>(random());
  return bytes;
}

inline Digest hash_password(std::string_view salt, std::string_view password, int times = 1'000) {
  const std::string key(password.size() > 64 ? bytes_of(sha256(std::string(password))) : password);  // as hmac() would, each time
  Digest last = hmac(key, std::string(salt) + std::string("\0\0\0\1", 4)), all = last;
  while (--times > 0) {
    last = hmac(key, bytes_of(last));
    for (size_t i = 0; i < all.size(); i++) all[i] ^= last[i];
  }
  return all;
}

}  // namespace passwords

// RSA signatures: those that are right, and each kind of wrong one (rsa_cases.h); keys at both sides of each bound.
#include "codec/rsa_verify.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "codec/key_texts.h"
#include "codec/rsa_cases.h"
#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::codec::RsaPublicKey;
using martlet::codec::sha256;
using martlet::test::from_hex;
using martlet::test::Guarded;
using martlet::test::kRsaCases;
using martlet::test::kRsaKeys;
using martlet::test::RsaCase;

namespace {

std::string padded_hex(std::string hex) { return hex.size() % 2 ? "0" + hex : hex; }

RsaPublicKey key_of(size_t i) {
  RsaPublicKey key;
  const Guarded modulus(from_hex(kRsaKeys[i].modulus));
  const Guarded exponent(from_hex(padded_hex(kRsaKeys[i].exponent)));
  REQUIRE(key.set(modulus.span(), exponent.span()));
  return key;
}

bool accepts(const std::string& modulus, const std::string& exponent) {
  RsaPublicKey key;
  return key.set(as_bytes(modulus), as_bytes(exponent));
}

// A number of so many bits, the first and the last of them ones.
std::string number_of(size_t bits) {
  std::string bytes((bits + 7) / 8, '\x5A');
  bytes.back() = '\x5B';
  bytes[0] = static_cast<char>(1 << (bits - 1) % 8);
  return bytes;
}

}  // namespace

TEST_CASE("rsa_verify: good signatures and bad ones") {
  const auto digest = sha256(as_bytes("martlet"));
  for (const RsaCase& one : kRsaCases) {
    CAPTURE(std::string(one.what));
    const Guarded signature(from_hex(one.signature));
    CHECK(key_of(static_cast<size_t>(one.key)).verify(digest, signature.span()) == one.good);
  }
}

TEST_CASE("rsa_verify: a good one is not of another digest, nor of another key, nor with a bit changed") {
  const auto digest = sha256(as_bytes("martlet"));
  const std::string good = from_hex(kRsaCases[0].signature);
  const RsaPublicKey key = key_of(0);
  CHECK(key.verify(digest, as_bytes(good)));
  CHECK(key.verify(digest, as_bytes(good)));
  CHECK_FALSE(key.verify(sha256(as_bytes("martlets")), as_bytes(good)));
  CHECK_FALSE(key_of(3).verify(digest, as_bytes(good)));
  for (size_t bit = 0; bit < good.size() * 8; bit += 37) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    CAPTURE(bit);
    REQUIRE_FALSE(key.verify(digest, as_bytes(bad)));
  }
}

TEST_CASE("rsa_verify: random bytes of any length are no signature") {
  std::mt19937 rng(20261130);
  const auto digest = sha256(as_bytes("martlet"));
  const RsaPublicKey key = key_of(0);
  for (size_t size = 0; size < 600; size += 7) {
    std::string bytes(size, 0);
    for (char& byte : bytes) byte = static_cast<char>(rng());
    const Guarded guarded(bytes);
    REQUIRE_FALSE(key.verify(digest, guarded.span()));
  }
}

TEST_CASE("rsa_verify: moduli from 2,048 to 4,096 bits, odd; exponents from 3 to below 2^32, odd") {
  const std::string usual("\x01\x00\x01", 3);
  CHECK_FALSE(accepts(number_of(1024), usual));
  CHECK_FALSE(accepts(number_of(2047), usual));
  CHECK(accepts(number_of(2048), usual));
  CHECK(accepts(number_of(2049), usual));
  CHECK(accepts(number_of(4096), usual));
  CHECK_FALSE(accepts(number_of(4097), usual));
  CHECK_FALSE(accepts(std::string(1 << 20, '\x7F'), usual));
  CHECK(accepts(std::string(1, 0) + number_of(4096), usual));  // as some write it
  CHECK_FALSE(accepts("", usual));
  std::string even = number_of(2048);
  even.back() = '\x5A';
  CHECK_FALSE(accepts(even, usual));
  const std::string modulus = number_of(2048);
  CHECK_FALSE(accepts(modulus, ""));
  CHECK_FALSE(accepts(modulus, std::string(1, 0)));
  CHECK_FALSE(accepts(modulus, "\x01"));
  CHECK_FALSE(accepts(modulus, "\x02"));
  CHECK(accepts(modulus, "\x03"));
  CHECK_FALSE(accepts(modulus, std::string("\x01\x00\x00", 3)));
  CHECK(accepts(modulus, "\xFF\xFF\xFF\xFF"));
  CHECK_FALSE(accepts(modulus, std::string("\x01\x00\x00\x00\x01", 5)));
  CHECK_FALSE(accepts(modulus, modulus));
}

// ECDSA on P-256: signatures that are right or nearly, sums that come out equal, opposite or at infinity (p256_cases.h), and
// keys that are no points.
#include "codec/p256.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include "codec/key_texts.h"
#include "codec/p256_cases.h"
#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::codec::P256PublicKey;
using martlet::codec::Sha256Digest;
using martlet::test::from_hex;
using martlet::test::Guarded;
using martlet::test::kP256Cases;
using martlet::test::P256Case;

namespace {

Sha256Digest digest_of(const P256Case& one) {
  Sha256Digest digest;
  std::memcpy(digest.data(), from_hex(one.digest).data(), digest.size());
  return digest;
}

bool is_key(const std::string& x, const std::string& y) {
  P256PublicKey key;
  const Guarded first(from_hex(x)), second(from_hex(y));
  return key.set(first.span(), second.span());
}

constexpr const char* kP = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
constexpr const char* kGx = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
constexpr const char* kGy = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
const std::string kZero(64, '0');

}  // namespace

TEST_CASE("p256: good signatures and bad ones") {
  for (const P256Case& one : kP256Cases) {
    CAPTURE(std::string(one.what));
    P256PublicKey key;
    const Guarded x(from_hex(one.x)), y(from_hex(one.y)), signature(from_hex(one.signature));
    REQUIRE(key.set(x.span(), y.span()));
    CHECK(key.verify(digest_of(one), signature.span()) == one.good);
  }
}

TEST_CASE("p256: a good one with any bit changed is none, nor one of another key") {
  const P256Case& one = kP256Cases[0];
  P256PublicKey key, other;
  REQUIRE(key.set(as_bytes(from_hex(one.x)), as_bytes(from_hex(one.y))));
  REQUIRE(other.set(as_bytes(from_hex(kP256Cases[1].x)), as_bytes(from_hex(kP256Cases[1].y))));
  const std::string good = from_hex(one.signature);
  CHECK(key.verify(digest_of(one), as_bytes(good)));
  CHECK_FALSE(other.verify(digest_of(one), as_bytes(good)));
  for (size_t bit = 0; bit < good.size() * 8; bit += 5) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    REQUIRE_FALSE(key.verify(digest_of(one), as_bytes(bad)));
    Sha256Digest digest = digest_of(one);
    digest[bit / 8 % digest.size()] ^= static_cast<uint8_t>(1 << bit % 8);
    REQUIRE_FALSE(key.verify(digest, as_bytes(good)));
  }
}

TEST_CASE("p256: random bytes of any length are no signature") {
  std::mt19937 rng(20261130);
  P256PublicKey key;
  REQUIRE(key.set(as_bytes(from_hex(kGx)), as_bytes(from_hex(kGy))));
  for (size_t size = 0; size < 100; size++) {
    std::string bytes(size, 0);
    for (char& byte : bytes) byte = static_cast<char>(rng());
    const Guarded guarded(bytes);
    REQUIRE_FALSE(key.verify(digest_of(kP256Cases[0]), guarded.span()));
  }
}

TEST_CASE("p256: keys are points of the curve, in coordinates below p, of 32 bytes") {
  CHECK(is_key(kGx, kGy));
  CHECK_FALSE(is_key(kGy, kGx));
  CHECK_FALSE(is_key(kZero, kZero));  // how some write the point at infinity
  CHECK_FALSE(is_key(kGx, kZero));
  CHECK_FALSE(is_key(kZero, kGy));
  CHECK_FALSE(is_key(kP, kGy));
  CHECK_FALSE(is_key(kGx, kP));
  CHECK_FALSE(is_key(std::string(64, 'f'), std::string(64, 'f')));
  CHECK_FALSE(is_key("00" + std::string(kGx), kGy));
  CHECK_FALSE(is_key(kGx, "00" + std::string(kGy)));
  CHECK_FALSE(is_key(std::string(kGx).substr(2), kGy));
  CHECK_FALSE(is_key("", ""));
  // x = 0 has a point: y is the root of b. With x = p, which is 0 modulo p, it is none.
  const std::string root = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
  CHECK(is_key(kZero, root));
  CHECK_FALSE(is_key(kP, root));
  // A point of the curve y² = x³ - 3x + b' with another b': attacks on static keys used such.
  std::string off = kGy;
  off.back() = '4';
  CHECK_FALSE(is_key(kGx, off));
}

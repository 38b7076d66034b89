// Public keys out of DER and PEM: those that OpenSSL writes, each of them cut and changed anywhere, and what DER forbids.
#include "codec/public_key.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "codec/key_texts.h"
#include "codec/rsa_cases.h"
#include "support/guarded.h"

using martlet::base::as_bytes;
using martlet::base::as_text;
using martlet::base::ByteSpan;
using martlet::codec::decode_pem;
using martlet::codec::find_pem;
using martlet::codec::parse_rsa_public_key;
using martlet::codec::parse_subject_public_key;
using martlet::codec::PublicKeyNumbers;
using martlet::test::from_hex;
using martlet::test::Guarded;
using martlet::test::kRsaKeys;

namespace {

// An element of DER.
std::string der(char tag, const std::string& content) {
  const size_t size = content.size();
  std::string head(1, tag);
  if (size < 0x80) {
    head += static_cast<char>(size);
  } else if (size < 0x100) {
    head += '\x81';
    head += static_cast<char>(size);
  } else {
    head += '\x82';
    head += static_cast<char>(size >> 8);
    head += static_cast<char>(size);
  }
  return head + content;
}

std::string sequence(const std::string& content) { return der(0x30, content); }
std::string integer(const std::string& bytes) { return der(0x02, bytes); }
std::string bits(const std::string& bytes) { return der(0x03, std::string(1, 0) + bytes); }

const std::string kModulus = std::string(1, 0) + from_hex(kRsaKeys[0].modulus);
const std::string kExponent = "\x01" + std::string(1, 0) + "\x01";
const std::string kNull("\x05\x00", 2);
const std::string kRsaId = from_hex("06092a864886f70d010101");
const std::string kEcId = from_hex("06072a8648ce3d0201");
const std::string kP256Id = from_hex("06082a8648ce3d030107");
const std::string kP384Id = from_hex("06052b81040022");
const std::string kX(32, '\x11'), kY(32, '\x22');

std::string rsa_key() { return sequence(integer(kModulus) + integer(kExponent)); }
std::string rsa_info() { return sequence(sequence(kRsaId + kNull) + bits(rsa_key())); }
std::string p256_info() { return sequence(sequence(kEcId + kP256Id) + bits("\x04" + kX + kY)); }

bool is_info(const std::string& text) { return parse_subject_public_key(Guarded(text).span()).has_value(); }
bool is_rsa(const std::string& text) { return parse_rsa_public_key(Guarded(text).span()).has_value(); }

std::string decoded(std::string_view body, size_t room = 1000) {
  std::string out(room, 0);
  const auto size = decode_pem(body, {reinterpret_cast<uint8_t*>(out.data()), out.size()});
  return size ? out.substr(0, *size) : "none";
}

}  // namespace

TEST_CASE("public_key: an RSA key and one on P-256, with their numbers") {
  const std::string info = rsa_info(), key = rsa_key(), curve = p256_info();
  const auto one = parse_subject_public_key(as_bytes(info));
  REQUIRE(one);
  CHECK(one->kind == PublicKeyNumbers::Kind::rsa);
  CHECK(as_text(one->first) == kModulus.substr(1));
  CHECK(as_text(one->second) == kExponent);
  const auto other = parse_rsa_public_key(as_bytes(key));
  REQUIRE(other);
  CHECK(as_text(other->first) == kModulus.substr(1));
  const auto third = parse_subject_public_key(as_bytes(curve));
  REQUIRE(third);
  CHECK(third->kind == PublicKeyNumbers::Kind::p256);
  CHECK(as_text(third->first) == kX);
  CHECK(as_text(third->second) == kY);
}

TEST_CASE("public_key: cut anywhere, or with anything behind it, it is none") {
  for (const std::string& info : {rsa_info(), p256_info()}) {
    for (size_t size = 0; size < info.size(); size++) REQUIRE_FALSE(is_info(info.substr(0, size)));
    CHECK_FALSE(is_info(info + '\0'));
    CHECK_FALSE(is_rsa(info));
  }
  const std::string key = rsa_key();
  for (size_t size = 0; size < key.size(); size++) REQUIRE_FALSE(is_rsa(key.substr(0, size)));
  CHECK_FALSE(is_rsa(key + '\0'));
  CHECK_FALSE(is_info(key));
}

TEST_CASE("public_key: any byte changed, it is another key or none, and nothing is read outside") {
  std::mt19937 rng(20261130);
  for (const std::string& info : {rsa_info(), p256_info()}) {
    for (int i = 0; i < 2000; i++) {
      std::string changed = info;
      for (size_t n = rng() % 3 + 1; n > 0; n--) changed[rng() % (i % 2 ? 60 : changed.size())] = static_cast<char>(rng());
      const Guarded guarded(changed);
      const auto numbers = parse_subject_public_key(guarded.span());
      if (numbers) CHECK(numbers->first.size() + numbers->second.size() < changed.size());
      (void)parse_rsa_public_key(guarded.span());
    }
  }
}

TEST_CASE("public_key: what DER forbids") {
  CHECK(is_rsa(sequence(integer(kModulus) + integer(kExponent))));
  CHECK_FALSE(is_rsa(sequence(integer(kModulus.substr(1)) + integer(kExponent))));                  // negative
  CHECK_FALSE(is_rsa(sequence(integer(std::string(1, 0) + kModulus) + integer(kExponent))));        // a zero too many
  CHECK_FALSE(is_rsa(sequence(integer(kModulus) + integer(std::string(1, 0) + kExponent))));
  CHECK_FALSE(is_rsa(sequence(integer("") + integer(kExponent))));
  CHECK_FALSE(is_rsa(sequence(integer(kModulus))));
  CHECK_FALSE(is_rsa(sequence(integer(kModulus) + integer(kExponent) + integer(kExponent))));
  CHECK_FALSE(is_rsa(integer(kModulus) + integer(kExponent)));
  const std::string body = integer("\x11") + integer("\x03");
  CHECK(is_rsa(std::string("\x30\x06", 2) + body));
  CHECK_FALSE(is_rsa(std::string("\x30\x81\x06", 3) + body));          // longer than it need be
  CHECK_FALSE(is_rsa(std::string("\x30\x82\x00\x06", 4) + body));
  CHECK_FALSE(is_rsa(std::string("\x30\x80", 2) + body + std::string(2, 0)));  // without an end
  CHECK_FALSE(is_rsa(std::string("\x30\x84\x00\x00\x00\x06", 6) + body));
  CHECK_FALSE(is_rsa(std::string("\x31\x06", 2) + body));
  CHECK_FALSE(is_rsa("\x30\x84\xFF\xFF\xFF\xFF"));
  CHECK_FALSE(is_rsa("\x30\x82\xFF\xFF"));
}

TEST_CASE("public_key: other kinds of keys, other curves, other forms of points") {
  CHECK(is_info(p256_info()));
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP384Id) + bits("\x04" + kX + kY))));
  CHECK_FALSE(is_info(sequence(sequence(kEcId) + bits("\x04" + kX + kY))));
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id + kNull) + bits("\x04" + kX + kY))));
  CHECK_FALSE(is_info(sequence(sequence(kP256Id + kEcId) + bits("\x04" + kX + kY))));
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id) + bits("\x02" + kX))));          // compressed
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id) + bits("\x06" + kX + kY))));     // hybrid
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id) + bits(std::string(1, 0)))));    // at infinity
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id) + bits("\x04" + kX + kY + "x"))));
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id) + der(0x03, "\x01\x04" + kX + kY))));  // bits unused
  CHECK_FALSE(is_info(sequence(sequence(kEcId + kP256Id) + der(0x04, "\x04" + kX + kY))));
  CHECK_FALSE(is_info(sequence(sequence(kRsaId) + bits(rsa_key()))));  // without the NULL
  CHECK_FALSE(is_info(sequence(sequence(kRsaId + kNull + kNull) + bits(rsa_key()))));
  CHECK_FALSE(is_info(sequence(sequence(from_hex("06092a864886f70d01010a") + kNull) + bits(rsa_key()))));  // PSS
  CHECK_FALSE(is_info(sequence(sequence(from_hex("06032b6570")) + bits(kX))));                               // Ed25519
  CHECK_FALSE(is_info(""));
}

TEST_CASE("public_key: PEM is found, with anything around it") {
  const std::string text = "Bag Attributes\n-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\nmore";
  CHECK(find_pem(text, "PUBLIC KEY") == "\nAAAA\n");
  CHECK_FALSE(find_pem(text, "RSA PUBLIC KEY"));
  CHECK_FALSE(find_pem("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----", "PUBLIC KEY"));
  CHECK_FALSE(find_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----", "PUBLIC KEY"));
  CHECK_FALSE(find_pem("-----BEGIN PUBLIC KEY----\nAAAA\n-----END PUBLIC KEY-----", "PUBLIC KEY"));
  CHECK_FALSE(find_pem("-----BEGIN PUBLIC KEY-----", "PUBLIC KEY"));
  CHECK_FALSE(find_pem("", "PUBLIC KEY"));
  CHECK(find_pem("-----BEGIN PUBLIC KEY OF SOMEBODY-----\n-----BEGIN PUBLIC KEY-----x-----END PUBLIC KEY-----", "PUBLIC KEY") == "x");
}

TEST_CASE("public_key: PEM is decoded, in lines of any length, and strictly") {
  CHECK(decoded("\nbWFy\r\ndGxl\ndA==\n") == "martlet");
  CHECK(decoded("bW FydG\txldA==") == "martlet");
  CHECK(decoded("") == "");
  CHECK(decoded("bWFydGxldA=") == "none");
  CHECK(decoded("bWFydGxldA") == "none");
  CHECK(decoded("bWFydGxldB==") == "none");  // bits left over
  CHECK(decoded("bWFydA==bWFy") == "none");
  CHECK(decoded("bWF!") == "none");
  CHECK(decoded("bWF-") == "none");  // the alphabet of URLs
  CHECK(decoded("bWFydGxldA==", 7) == "martlet");
  CHECK(decoded("bWFydGxldA==", 6) == "none");
}

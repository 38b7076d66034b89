// Keys as identity providers give them: JWK (RFC 7517, RFC 7518 §6), JWK Sets, PEM; what is refused, and why.
#include <martlet/jwt.h>

#include <doctest/doctest.h>

#include <string>

#include "codec/key_texts.h"
#include "codec/rsa_cases.h"
#include "guards/tokens.h"

using namespace martlet;
using namespace martlet::test;
using Why = jwt::Error;

namespace {

const std::string kN = url64(from_hex(kRsaKeys[0].modulus));
const std::string kX = url64(from_hex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"));
const std::string kY = url64(from_hex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"));

std::string rsa(const std::string& more = "", const std::string& n = kN, const std::string& e = "AQAB") {
  return R"({"kty":"RSA","n":")" + n + R"(","e":")" + e + "\"" + more + "}";
}
std::string ec(const std::string& more = "", const std::string& curve = "P-256", const std::string& x = kX, const std::string& y = kY) {
  return R"({"kty":"EC","crv":")" + curve + R"(","x":")" + x + R"(","y":")" + y + "\"" + more + "}";
}

std::string why_no_jwk(const std::string& text) {
  const auto key = jwt::Key::jwk(text);
  return key ? "good" : std::string(key.error().what());
}
std::string why_no_pem(const std::string& text) {
  const auto key = jwt::Key::pem(text);
  return key ? "good" : std::string(key.error().what());
}

constexpr const char* kNotRsa = "an RSA key has 2,048 to 4,096 bits, and an exponent that is odd and below 2 to the 32";
constexpr const char* kNoNumbers = "a JWK has no good n and e";
constexpr const char* kNoPoint = "the numbers of a key are not those of a point of P-256";
constexpr const char* kPrivate = "a private key, or a secret, where a public one belongs";
constexpr const char* kNotForUs = "a JWK is not for checking signatures";

// Of OpenSSL: openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout, and -conv_form compressed.
constexpr const char* kEcPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZi/kSkmNZwZbqTYYazFc1UcoKDGN\n"
    "rBMRkDW6bUhCo0LgS7GlH0qU7umglHznKW0LidSAQjNQhg68XUcMKj4waQ==\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kCompressedPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADZi/kSkmNZwZbqTYYazFc1UcoKDGN\n"
    "rBMRkDW6bUhCo0I=\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kP384Pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEKcLHlNI1fPAlDB6OqPUT4d3i7iadDJr+\n"
    "WgJQ1j/OpRA7ghsSoDmJZnk7tMaAhG0Y+zMzslLb+nlhScheFHzbdER5yiguFwob\n"
    "+PRJmX0QisvtyUpDvpGYUX7Ut3CqOaWb\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* kEd25519Pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAA/eJ7D9+ARADxA5VfcMs7WUY+UGtHEVgSPOUUE44o/s=\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace

TEST_CASE("jwt keys: a JWK knows its algorithm and its name") {
  const auto one = jwt::Key::jwk(rsa(R"(,"kid":"one","use":"sig","alg":"RS256","key_ops":["verify"],"x5c":["MIIB"],"more":{})"));
  REQUIRE(one);
  CHECK(one->algorithm() == jwt::Algorithm::rs256);
  CHECK(one->id() == "one");
  const auto two = jwt::Key::jwk(ec(R"(,"alg":"ES256")"));
  REQUIRE(two);
  CHECK(two->algorithm() == jwt::Algorithm::es256);
  CHECK(two->id() == "");
  const Json value = *Json::parse(ec(R"(,"kid":"two")"));
  CHECK(jwt::Key::jwk(value)->id() == "two");
  CHECK(jwt::Key::secret(kSecret, {.id = "s"})->id() == "s");
  CHECK(jwt::Key::jwk(rsa(",\"kid\":\"" + std::string(255, 'k') + "\"")));
  CHECK(why_no_jwk(rsa(",\"kid\":\"" + std::string(256, 'k') + "\"")) == "the name of a key has more than 255 bytes");
  CHECK_FALSE(jwt::Key::secret(kSecret, {.id = std::string(256, 'k')}));
  CHECK_FALSE(jwt::Key::pem(kEcPem, std::string(256, 'k')));
}

TEST_CASE("jwt keys: a JWK that is for something else") {
  CHECK(why_no_jwk(rsa(R"(,"use":"enc")")) == kNotForUs);
  CHECK(why_no_jwk(rsa(R"(,"use":5)")) == kNotForUs);
  CHECK(why_no_jwk(rsa(R"(,"key_ops":["sign","encrypt"])")) == kNotForUs);
  CHECK(why_no_jwk(rsa(R"(,"key_ops":[])")) == kNotForUs);
  CHECK(why_no_jwk(rsa(R"(,"key_ops":"verify")")) == kNotForUs);
  CHECK(why_no_jwk(rsa(R"(,"alg":"RS512")")) == "a JWK is for another algorithm than RS256");
  CHECK(why_no_jwk(rsa(R"(,"alg":"PS256")")) == "a JWK is for another algorithm than RS256");
  CHECK(why_no_jwk(rsa(R"(,"alg":"HS256")")) == "a JWK is for another algorithm than RS256");
  CHECK(why_no_jwk(rsa(R"(,"alg":null)")) == "a JWK is for another algorithm than RS256");
  CHECK(why_no_jwk(ec(R"(,"alg":"RS256")")) == "a JWK is for another algorithm than ES256");
  CHECK(why_no_jwk(ec("", "P-384")) == "a JWK is on another curve than P-256");
  CHECK(why_no_jwk(ec("", "secp256k1")) == "a JWK is on another curve than P-256");
  CHECK(why_no_jwk(R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})") == "the kty of a JWK is neither RSA nor EC");
  CHECK(why_no_jwk(R"({"kty":"rsa"})") == "the kty of a JWK is neither RSA nor EC");
  CHECK(why_no_jwk("{}") == "the kty of a JWK is neither RSA nor EC");
}

TEST_CASE("jwt keys: secrets and private keys are refused where public ones belong") {
  CHECK(why_no_jwk(R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"})") == kPrivate);
  CHECK(why_no_jwk(rsa(R"(,"d":"AQAB")")) == kPrivate);
  CHECK(why_no_jwk(ec(R"(,"d":"AQAB")")) == kPrivate);
  CHECK(why_no_pem("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n") == "a private key, where a public one belongs");
  CHECK(why_no_pem("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n") == "a private key, where a public one belongs");
}

TEST_CASE("jwt keys: a JWK whose numbers are none, or not good ones") {
  CHECK(why_no_jwk(rsa("", kN + "=")) == kNoNumbers);
  CHECK(why_no_jwk(rsa("", "")) == kNoNumbers);
  CHECK(why_no_jwk(rsa("", kN, "")) == kNoNumbers);
  CHECK(why_no_jwk(rsa("", kN, "A+/B")) == kNoNumbers);
  CHECK(why_no_jwk(R"({"kty":"RSA","e":"AQAB"})") == kNoNumbers);
  CHECK(why_no_jwk(R"({"kty":"RSA","n":65537,"e":65537})") == kNoNumbers);
  CHECK(why_no_jwk(rsa("", std::string(100000, 'A'))) == kNoNumbers);
  CHECK(why_no_jwk(rsa("", url64(std::string(513, 'A')))) == kNotRsa);
  CHECK(why_no_jwk(rsa("", url64(std::string(128, '\xFF')))) == kNotRsa);
  CHECK(why_no_jwk(rsa("", kN, "AQAA")) == kNotRsa);
  CHECK(why_no_jwk(rsa("", kN, "AQ")) == kNotRsa);
  CHECK(why_no_jwk(rsa("", kN, kN)) == kNotRsa);
  CHECK(why_no_jwk(rsa("", url64(std::string(1, 0) + from_hex(kRsaKeys[0].modulus)))) == "good");  // RFC 7518 §6.3.1.1 knows that some do
  CHECK(why_no_jwk(ec("", "P-256", kY, kX)) == kNoPoint);
  CHECK(why_no_jwk(ec("", "P-256", url64(std::string(1, 0)), kY)) == kNoPoint);  // RFC 7518 §6.2.1.2: all of the bytes
  CHECK(why_no_jwk(ec("", "P-256", "", kY)) == "a JWK has no good x and y");
  CHECK(why_no_jwk(R"({"kty":"EC","crv":"P-256","x":"AAAA"})") == "a JWK has no good x and y");
}

TEST_CASE("jwt keys: what is no JWK at all") {
  CHECK(why_no_jwk("") == "a JWK is no good JSON, or has a name twice");
  CHECK(why_no_jwk(rsa(R"(,"kty":"RSA")")) == "a JWK is no good JSON, or has a name twice");
  CHECK(why_no_jwk("[]") == "a JWK is an object");
  CHECK(why_no_jwk(rsa(R"(,"kid":7)")) == "the kid of a JWK is a text");
  CHECK(why_no_jwk(std::string(2'000'000, ' ')) == "a JWK is no good JSON, or has a name twice");
}

TEST_CASE("jwt keys: a JWK Set leaves out what is not for us (RFC 7517 §5)") {
  const auto set = jwt::Keys::jwks(R"({"keys":[)" + rsa(R"(,"kid":"a")") + "," + rsa(R"(,"kid":"b","use":"enc")") + "," + ec(R"(,"kid":"c")") +
                                   R"(,{"kty":"oct","k":"AAAA"},{"kty":"new"},5,)" + rsa(R"(,"kid":"d","alg":"RS512")") + R"(],"more":1})");
  REQUIRE(set);
  CHECK(set->size() == 2);
  CHECK((*set)[0].id() == "a");
  CHECK((*set)[1].id() == "c");
  const auto why = [](const std::string& text) {
    const auto keys = jwt::Keys::jwks(text);
    return keys ? "good" : std::string(keys.error().what());
  };
  CHECK(why(R"({"keys":[]})") == "a JWK Set has no key for RS256 or ES256");
  CHECK(why(R"({"keys":{}})") == "a JWK Set has an array of keys");
  CHECK(why(rsa()) == "a JWK Set has an array of keys");
  CHECK(why("[]") == "a JWK Set has an array of keys");
  CHECK(why("<html>") == "a JWK Set is no good JSON, or has a name twice");
  std::string many = R"({"keys":[)" + ec();
  for (size_t i = 1; i < jwt::Keys::kMost; i++) many += "," + ec();
  CHECK(why(many + "]}") == "good");
  CHECK(why(many + "," + ec() + "]}") == "a JWK Set has more than 32 keys");
  const Json value = *Json::parse(R"({"keys":[)" + ec() + "]}");
  CHECK(jwt::Keys::jwks(value)->size() == 1);
}

TEST_CASE("jwt keys: no more than 32, and of those without a name in the token no more than eight are tried") {
  jwt::Keys keys;
  for (size_t i = 0; i < jwt::Keys::kMost; i++) {
    const std::string name = "k" + std::to_string(i);
    CHECK(keys.add(*jwt::Key::secret(std::string(32, static_cast<char>('A' + i)), {.id = name})));
  }
  CHECK_FALSE(keys.add(*jwt::Key::secret(kSecret)));
  CHECK(keys.size() == 32);
  const jwt::Verifier checks(keys);
  const auto tried = [&](size_t i) { return checks.verify(token_of(R"({"alg":"HS256"})", "{}", std::string(32, static_cast<char>('A' + i))), at(kNow)).error(); };
  const auto named = [&](size_t i) {
    return checks.verify(token_of(R"({"alg":"HS256","kid":"k)" + std::to_string(i) + "\"}", "{}", std::string(32, static_cast<char>('A' + i))), at(kNow)).error();
  };
  CHECK(tried(0) == Why::none);
  CHECK(tried(7) == Why::none);
  CHECK(tried(8) == Why::bad_signature);
  CHECK(named(8) == Why::none);
  CHECK(named(31) == Why::none);
  CHECK(named(32) == Why::unknown_key);
}

TEST_CASE("jwt keys: PEM") {
  CHECK(why_no_pem(kEcPem) == "good");
  const auto key = jwt::Key::pem(std::string("some words\r\n") + kEcPem, "pem");
  REQUIRE(key);
  CHECK(key->algorithm() == jwt::Algorithm::es256);
  CHECK(key->id() == "pem");
  CHECK(why_no_pem(kCompressedPem) == "a PEM has no RSA key and none on P-256 in it");
  CHECK(why_no_pem(kP384Pem) == "a PEM has no RSA key and none on P-256 in it");
  CHECK(why_no_pem(kEd25519Pem) == "a PEM has no RSA key and none on P-256 in it");
  CHECK(why_no_pem("") == "there is no BEGIN PUBLIC KEY in a PEM");
  CHECK(why_no_pem("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n") == "there is no BEGIN PUBLIC KEY in a PEM");
  CHECK(why_no_pem("-----BEGIN PUBLIC KEY-----\nMF%%\n-----END PUBLIC KEY-----\n") == "a PEM is no Base64, or too long for a key");
  CHECK(why_no_pem("-----BEGIN PUBLIC KEY-----\n" + std::string(4000, 'A') + "\n-----END PUBLIC KEY-----\n") == "a PEM is no Base64, or too long for a key");
  std::string off = kEcPem;
  off.replace(off.find("waQ=="), 5, "waA==");
  CHECK(why_no_pem(off) == kNoPoint);
}

TEST_CASE("jwt keys: of a mebibyte, good or refused at once") {
  const std::string mebibyte(1 << 20, 'k');
  const auto key = jwt::Key::secret(mebibyte);
  REQUIRE(key);
  CHECK(jwt::Verifier(*key).verify(token_of(R"({"alg":"HS256"})", "{}", mebibyte), at(kNow)));
  CHECK(why_no_jwk(mebibyte) == "a JWK is no good JSON, or has a name twice");
  CHECK(why_no_jwk(rsa("", mebibyte)) == "a JWK is no good JSON, or has a name twice");
  CHECK(why_no_pem("-----BEGIN PUBLIC KEY-----" + mebibyte + "-----END PUBLIC KEY-----") == "a PEM is no Base64, or too long for a key");
  std::string begins;
  for (int i = 0; i < 40000; i++) begins += "-----BEGIN PUBLIC KEY-----";
  CHECK(why_no_pem(begins) == "there is no BEGIN PUBLIC KEY in a PEM");
}

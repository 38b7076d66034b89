// RFC 8725 (JSON Web Token Best Current Practices), section by section.
#include <martlet/jwt.h>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

#include "codec/key_texts.h"
#include "codec/rsa_cases.h"
#include "guards/tokens.h"

using namespace martlet;
using namespace martlet::test;
using Why = jwt::Error;

namespace {

const std::string kModulus = from_hex(kRsaKeys[0].modulus);

std::string rsa_jwk() { return R"({"kty":"RSA","e":"AQAB","kid":"r","n":")" + url64(kModulus) + "\"}"; }

constexpr const char* kPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZi/kSkmNZwZbqTYYazFc1UcoKDGN\n"
    "rBMRkDW6bUhCo0LgS7GlH0qU7umglHznKW0LidSAQjNQhg68XUcMKj4waQ==\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace

TEST_CASE("jwt, RFC 8725 §3.1: the key says the algorithm; a public key is never a secret, nor the other way round") {
  const jwt::Verifier checks(*jwt::Key::jwk(rsa_jwk()));
  // Signed with what everybody knows, in each form that a mistaken program might take for the secret.
  const std::string jwk = rsa_jwk();
  for (const std::string& known : {kModulus, jwk, url64(kModulus), std::string(kPem)}) {
    CHECK(checks.verify(token_of(R"({"alg":"HS256","kid":"r"})", "{}", known), at(kNow)).error() == Why::wrong_algorithm);
    CHECK(checks.verify(token_of(R"({"alg":"RS256","kid":"r"})", "{}", known), at(kNow)).error() == Why::bad_signature);
  }
  // Beside a secret, each token is for the keys of its own algorithm.
  const jwt::Verifier both({*jwt::Key::jwk(rsa_jwk()), *jwt::Key::secret(kSecret)});
  CHECK(both.verify(token_of(R"({"alg":"HS256"})", "{}", kModulus), at(kNow)).error() == Why::bad_signature);
  CHECK(both.verify(token_of(R"({"alg":"RS256"})", "{}"), at(kNow)).error() == Why::bad_signature);
  CHECK(both.verify(token_of(R"({"alg":"HS256"})", "{}"), at(kNow)));
  // What is public is refused as a secret, also by the calls that take a text.
  for (const std::string& known : {std::string(kPem), "garbage before it\n" + std::string(kPem), jwk, "\n " + jwk, std::string("-----BEGIN CERTIFICATE-----\nMIIB"),
                                   "ssh-rsa " + std::string(64, 'A'), "ecdsa-sha2-nistp256 " + std::string(64, 'A')}) {
    CAPTURE(known);
    CHECK_FALSE(jwt::Key::secret(known));
    CHECK_FALSE(jwt::sign({{"sub", "7"}}, known));
    CHECK(jwt::verify(token_of(R"({"alg":"HS256"})", "{}", known), known).error() == Why::bad_secret);
  }
  static_assert(!std::is_convertible_v<std::string, jwt::Key> && !std::is_constructible_v<jwt::Key, std::string_view>);
}

TEST_CASE("jwt, RFC 8725 §3.2: algorithms that are not ours, or nobody's any more, are refused") {
  for (const char* algorithm : {"none", "HS1", "RS1", "RS384", "RS512", "PS256", "PS384", "ES384", "ES512", "ES256K", "EdDSA", "dir", "RSA1_5", "A128KW", "HS256,RS256"}) {
    CAPTURE(std::string(algorithm));
    CHECK(judge_header(R"({"alg":")" + std::string(algorithm) + "\"}") == Why::wrong_algorithm);
  }
}

TEST_CASE("jwt, RFC 8725 §3.3: the whole of it is refused when one check fails") {
  const auto token = claiming(R"({"exp":1,"aud":"x"})");
  CHECK(judge(token) == Why::expired);
  CHECK(judge(claiming(R"({"exp":1800000001,"aud":"x"})")) == Why::wrong_audience);
  CHECK(judge(token_of(R"({"alg":"HS256"})", R"({"exp":1})", std::string(32, 'x'))) == Why::bad_signature);  // and no more is told
  CHECK_FALSE(verifier().verify(token, at(kNow)).ok());
}

TEST_CASE("jwt, RFC 8725 §3.4: points that are not on the curve are no keys") {
  const std::string x = url64(from_hex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"));
  const std::string y = url64(from_hex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"));
  const auto jwk = [](const std::string& a, const std::string& b) { return jwt::Key::jwk(R"({"kty":"EC","crv":"P-256","x":")" + a + R"(","y":")" + b + "\"}").ok(); };
  CHECK(jwk(x, y));
  CHECK_FALSE(jwk(y, x));
  CHECK_FALSE(jwk(url64(std::string(32, 0)), url64(std::string(32, 0))));
  CHECK_FALSE(jwk(url64(std::string(32, '\xFF')), y));
}

TEST_CASE("jwt, RFC 8725 §3.5: secrets are as long as the digests, unless one insists") {
  constexpr struct {
    jwt::Algorithm algorithm;
    size_t bytes;
  } kLeast[] = {{jwt::Algorithm::hs256, 32}, {jwt::Algorithm::hs384, 48}, {jwt::Algorithm::hs512, 64}};
  for (const auto& [algorithm, bytes] : kLeast) {
    CHECK(jwt::Key::secret(std::string(bytes, 's'), {.algorithm = algorithm}));
    CHECK_FALSE(jwt::Key::secret(std::string(bytes - 1, 's'), {.algorithm = algorithm}));
    CHECK(jwt::Key::secret(std::string(bytes - 1, 's'), {.algorithm = algorithm, .short_secret = true}));
    CHECK_FALSE(jwt::Key::secret("", {.algorithm = algorithm, .short_secret = true}));
    CHECK_FALSE(jwt::sign({{"sub", "7"}}, std::string(bytes - 1, 's'), {}, {.algorithm = algorithm}));
    CHECK(jwt::sign({{"sub", "7"}}, "short", {}, {.algorithm = algorithm, .short_secret = true}));
    CHECK_FALSE(jwt::sign({{"sub", "7"}}, "", {}, {.algorithm = algorithm, .short_secret = true}));
  }
  const auto token = jwt::sign({{"sub", "7"}}, "short", {}, {.short_secret = true});
  CHECK(jwt::verify(*token, "short").error() == Why::bad_secret);
  CHECK(jwt::verify(*token, *jwt::Key::secret("short", {.short_secret = true})));
  CHECK(jwt::verify("", "").error() == Why::bad_secret);
}

TEST_CASE("jwt, RFC 8725 §3.6: compressed claims are not unpacked") {
  CHECK(judge(token_of(R"({"alg":"HS256","zip":"DEF"})", from_hex("ab562a2e4d52b2325782b3b30100"))) == Why::malformed);
}

TEST_CASE("jwt, RFC 8725 §3.7: UTF-8 and nothing else") {
  CHECK(judge_claims("{\"sub\":\"\xC3\xA9\"}") == Why::none);
  CHECK(judge_claims("{\"sub\":\"\xE9\"}") == Why::malformed);
  CHECK(judge_claims(std::string("{\0\"\0a\0\"\0:\0", 10) + std::string("1\0}\0", 4)) == Why::malformed);  // UTF-16
  CHECK(judge_header("{\"alg\":\"HS256\",\"x\":\"\xED\xA0\x80\"}") == Why::malformed);                       // a surrogate
}

TEST_CASE("jwt, RFC 8725 §3.8: issuer and subject are compared where they are asked for") {
  CHECK(judge_claims(R"({"iss":"https://id.example"})", {.issuer = "https://id.example"}) == Why::none);
  CHECK(judge_claims(R"({"iss":"https://id.example/"})", {.issuer = "https://id.example"}) == Why::wrong_issuer);
  CHECK(judge_claims(R"({"iss":"https://id.example","sub":"8"})", {.issuer = "https://id.example", .subject = "7"}) == Why::wrong_subject);
}

TEST_CASE("jwt, RFC 8725 §3.9: a token for somebody else is refused, also by who has no name") {
  CHECK(judge_claims(R"({"aud":"other"})", {.audience = {"us"}}) == Why::wrong_audience);
  CHECK(judge_claims("{}", {.audience = {"us"}}) == Why::wrong_audience);
  CHECK(judge_claims(R"({"aud":"other"})") == Why::wrong_audience);
}

TEST_CASE("jwt, RFC 8725 §3.10: kid is compared, and used for nothing else") {
  const jwt::Verifier checks(*jwt::Key::secret(kSecret, {.id = "k"}));
  for (const char* id : {"' OR 1=1 --", "../../../dev/null", "k\\u0000", "k\\n", "*", "k|id", "https://evil.example/k"}) {
    CAPTURE(std::string(id));
    CHECK(checks.verify(token_of(R"({"alg":"HS256","kid":")" + std::string(id) + "\"}", "{}"), at(kNow)).error() == Why::unknown_key);
  }
}

TEST_CASE("jwt, RFC 8725 §3.11: tokens of one type are not good as those of another") {
  const auto with = [](const char* type) { return R"({"alg":"HS256","typ":")" + std::string(type) + "\"}"; };
  const jwt::VerifyOptions access{.type = "at+jwt"};
  CHECK(judge_header(with("at+jwt"), access) == Why::none);
  CHECK(judge_header(with("AT+JWT"), access) == Why::none);
  CHECK(judge_header(with("application/at+jwt"), access) == Why::none);
  CHECK(judge_header(with("Application/AT+jwt"), {.type = "application/at+jwt"}) == Why::none);
  CHECK(judge_header(with("at+jwt"), {.type = "application/at+jwt"}) == Why::none);
  CHECK(judge_header(with("JWT"), access) == Why::wrong_type);
  CHECK(judge_header(with("at+jwt2"), access) == Why::wrong_type);
  CHECK(judge_header(with("application/"), access) == Why::wrong_type);
  CHECK(judge_header(with(""), access) == Why::wrong_type);
  CHECK(judge_header(with(std::string(200, 'a').c_str()), {.type = std::string(200, 'a')}) == Why::wrong_type);
  CHECK(judge_header(R"({"alg":"HS256"})", access) == Why::wrong_type);
  const auto token = jwt::sign({{"sub", "7"}}, kSecret, {}, {.now = at(kNow), .type = "reset+jwt"});
  CHECK(judge(*token, access) == Why::wrong_type);
  CHECK(judge(*token, {.type = "reset+jwt"}) == Why::none);
}

TEST_CASE("jwt, RFC 8725 §3.12: rules that exclude each other, by key, issuer, audience or type") {
  const std::string session = token_of(R"({"alg":"HS256","typ":"JWT"})", R"({"aud":"web","iss":"a"})");
  const std::string reset = token_of(R"({"alg":"HS256","typ":"reset+jwt"})", R"({"aud":"mail","iss":"a"})");
  const jwt::VerifyOptions for_session{.audience = {"web"}, .issuer = "a", .type = "JWT"}, for_reset{.audience = {"mail"}, .issuer = "a", .type = "reset+jwt"};
  CHECK(judge(session, for_session) == Why::none);
  CHECK(judge(reset, for_reset) == Why::none);
  CHECK(judge(session, for_reset) == Why::wrong_type);
  CHECK(judge(reset, for_session) == Why::wrong_type);
}

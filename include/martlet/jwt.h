// martlet/jwt.h: JSON Web Tokens: signing them, and checking those of others (RFC 7519, RFC 7515, RFC 8725). A program that
// does neither is linked without all of it.
//
//   auto token = jwt::sign({{"sub", "7"}}, secret, 1h);                          // Result<std::string>
//   auto claims = jwt::verify(token_of_client, secret, {.issuer = "https://a.example", .leeway = 30s});
//   if (!claims) return res.status(401).send(name_of(claims.error()));           // "expired"
//   std::string_view who = (*claims)["sub"].text_or("");
//
// What is asked again and again has a Verifier, which does once what need not be done for each token:
//
//   auto keys = jwt::Keys::jwks(text_of_identity_provider);                      // public keys: RS256 and ES256
//   if (!keys) return report(keys.error());
//   jwt::Verifier verifier(*keys, {.audience = {"api"}, .issuer = "https://id.example"});
//   auto claims = verifier.verify(token);
//
// Which algorithm is right is known from the key, never from the token: what the token says must agree, and "none" agrees with
// nothing. A secret is not a public key, for the compiler nor for the checks: what looks like one (PEM, a JWK) is refused as a
// secret, as everybody knows it. Tokens must have the form that RFC 7515 §3.1 gives, of three parts in strict base64url; names
// that come twice in the header or the claims, extensions that the header calls critical, and whatever is too large are
// refused. Nothing that a token refers to is fetched.
//
// Any thread, where not said otherwise.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/json.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::jwt {

struct Access;

// Of secrets: HMAC with SHA-256, SHA-384 and SHA-512. Of public keys: RSASSA-PKCS1-v1_5, and ECDSA on P-256, with SHA-256.
enum class Algorithm : uint8_t { hs256, hs384, hs512, rs256, es256 };
// As tokens say it: "HS256".
std::string_view name_of(Algorithm algorithm) noexcept;

// Why a token is refused.
enum class Error : uint8_t {
  none,
  malformed,        // it is no token, or its claims are not of the types that RFC 7519 §4.1 says
  too_large,        // more than VerifyOptions::max_bytes, or a header of more than 2,048 bytes or 32 members
  wrong_algorithm,  // the keys have another one
  unknown_key,      // it names a key ("kid") that there is not
  critical,         // it asks for an extension to be understood ("crit"): none is
  bad_signature,    // somebody else has signed it, or changed it
  wrong_type,       // "typ" is not VerifyOptions::type
  expired,          // "exp"
  not_yet_valid,    // "nbf"; "iat", where there is a VerifyOptions::max_age
  too_old,          // "iat", by VerifyOptions::max_age
  wrong_issuer,     // "iss"
  wrong_audience,   // "aud": it is for others
  wrong_subject,    // "sub"
  wrong_id,         // "jti"
  missing_claim,    // one of VerifyOptions::required
  bad_secret,       // not the token: the secret that it should be checked with is too short, or is a public key
  no_memory,
};
// "expired", "not yet valid", "bad signature"; letters and blanks only.
std::string_view name_of(Error error) noexcept;

// The claims of a token that is good, an object; or why it is not. Asking for the claims of another aborts.
class [[nodiscard]] Verified {
 public:
  Verified(Json claims) noexcept : claims_(std::move(claims)) {}
  Verified(Error error) noexcept : error_(error) {}

  bool ok() const noexcept { return error_ == Error::none; }
  explicit operator bool() const noexcept { return ok(); }
  Json& operator*() & noexcept { return expect(), claims_; }
  const Json& operator*() const& noexcept { return expect(), claims_; }
  Json&& operator*() && noexcept { return expect(), std::move(claims_); }
  Json* operator->() noexcept { return expect(), &claims_; }
  const Json* operator->() const noexcept { return expect(), &claims_; }
  Error error() const noexcept { return error_; }

 private:
  void expect() const noexcept {
    if (!ok()) fail_result_access("the claims of a token that was refused");
  }
  Json claims_ = {};
  Error error_ = Error::none;
};

// How a token is signed. For one call: the texts need only live as long as it takes.
struct SignOptions {
  Algorithm algorithm = Algorithm::hs256;  // one of secrets: signing with private keys is for identity providers
  // Which key it is ("kid"), for those who have several. Empty: not said.
  std::string_view key_id = {};
  // The time, for tests. Not said: now.
  std::optional<std::chrono::system_clock::time_point> now = {};
  // See SecretOptions.
  bool short_secret = false;
  // "typ". Tokens for one use have a type of their own ("reset+jwt"), so that they are good for nothing else (RFC 8725 §3.11).
  std::string_view type = "JWT";
};

// A token of these claims, an object. "iat" is put into them where it is not said, and with a lifetime "exp", its end, which
// must not be said then; without, the token is good for ever, unless they say one. An error when the claims are no object, or
// incomplete; when the secret is too short or is a public key; when the algorithm is none of secrets; when memory is out.
//
// What is signed is not secret: everybody can read it.
MARTLET_LAYOUT Result<std::string> sign(const Json& claims, std::string_view secret,
                                        std::optional<std::chrono::seconds> lifetime = {}, const SignOptions& options = {});

// What a token must be, beside well signed. Types of claims are looked at in any case.
struct MARTLET_LAYOUT VerifyOptions {
  // Whether a token is good that is for others ("aud"), or for others as well, where `audience` is empty. Off, as RFC 7519
  // §4.1.3 wants it.
  bool any_audience = false;
  // Who we are: one of these must be in "aud". Empty: we have no name, and a token must not have an "aud".
  std::vector<std::string> audience = {};
  // What "jti" must be. Empty: anything.
  std::string id = {};
  // What "iss" must be. Empty: anything. Say it wherever keys are those of an identity provider (RFC 8725 §3.8).
  std::string issuer = {};
  // How much clocks may differ: added to "exp", taken off "nbf", and allowed to max_age. A minute or two at most.
  std::chrono::seconds leeway{0};
  // How long ago it may have been made, by "iat", which must then be there and not lie ahead. Not said: "iat" does not matter.
  std::optional<std::chrono::seconds> max_age = {};
  // How long a token may be, at most 1 MiB.
  size_t max_bytes = 8192;
  // Claims that must be there: {"exp", "sub"}.
  std::vector<std::string> required = {};
  // What "sub" must be. Empty: anything.
  std::string subject = {};
  // What "typ" of the header must be, in any case of letters, with or without "application/" before it. Empty: anything.
  std::string type = {};
};

struct SecretOptions {
  Algorithm algorithm = Algorithm::hs256;
  // Which key it is. Empty: it is tried whatever a token says.
  std::string_view id = {};
  // Whether it may have fewer bytes than the digests of its algorithm, 32, 48 or 64, which RFC 7518 §3.2 asks for: for tokens
  // of others, whose secret cannot be changed. A short one can be guessed from one token that somebody has seen.
  bool short_secret = false;
};

// A key that tokens are checked with: what it is, its algorithm, its name. Copies are the same key.
class Key {
 public:
  // The text of the secret is its bytes: "0a1b" is not decoded. An error when it is too short; when it is a public key (PEM,
  // a JWK, a line of OpenSSH), which is no secret; when the algorithm is one of public keys.
  static Result<Key> secret(std::string_view secret, const SecretOptions& options = {});
  // A public key as identity providers give them (RFC 7517): the text, or as Json. RSA of 2,048 to 4,096 bits whose exponent
  // is odd and below 2 to the 32, or EC on P-256. An error for all else; for those that are for encryption, or for another
  // algorithm; for secrets, and private keys, which do not belong here.
  static Result<Key> jwk(std::string_view text);
  template <std::same_as<Json> T>
  static Result<Key> jwk(const T& key) {
    return from_jwk(key);
  }
  // A public key as "BEGIN PUBLIC KEY" or "BEGIN RSA PUBLIC KEY" (RFC 7468); the same keys as of JWKs. What else
  // the text has is not looked at. Certificates are not read: openssl x509 -pubkey -noout gets the key out of one.
  static Result<Key> pem(std::string_view text, std::string_view id = {});

  Algorithm algorithm() const noexcept;
  // "kid"; empty: it has no name. As long as this key.
  std::string_view id() const noexcept;

 private:
  friend struct Access;
  friend class Keys;
  static Result<Key> from_jwk(const Json& key);
  Key() noexcept = default;
  explicit Key(detail::CountedPointer body) noexcept : body_(std::move(body)) {}
  detail::CountedPointer body_ = {};
};

// Several keys. A token that names one ("kid") is checked with those of that name, and with those that have none; one that
// names none with all, but no more than kMostTries of its algorithm.
class Keys {
 public:
  static constexpr size_t kMost = 32;
  static constexpr size_t kMostTries = 8;

  Keys() noexcept = default;
  Keys(const Key& key) noexcept : count_(1) { keys_[0] = key; }
  // At most kMost; what is more is left out.
  Keys(std::initializer_list<Key> keys) noexcept;
  // A JWK Set (RFC 7517 §5): the text, or as Json. Keys that are none for us, as Key::jwk says, are left out; an error when
  // none is left, when there are more than kMost, and when it is no set.
  static Result<Keys> jwks(std::string_view text);
  template <std::same_as<Json> T>
  static Result<Keys> jwks(const T& set) {
    return from_jwks(set);
  }

  // False when there are kMost already.
  bool add(const Key& key) noexcept;
  size_t size() const noexcept { return count_; }
  const Key& operator[](size_t i) const noexcept { return keys_[i]; }

 private:
  static Result<Keys> from_jwks(const Json& set);
  Key keys_[kMost] = {};
  size_t count_ = 0;
};

// Keys and options, made ready once. A value: copies share what they have, which does not change. To exchange the keys, make
// another one and assign it; on the thread that uses this one, as with any value.
//
// It allocates what the claims need, and where those have more than 2,700 characters in the token, for a moment, their text.
class Verifier {
 public:
  explicit Verifier(const Keys& keys, const VerifyOptions& options = {});

  // The macros of some systems are called like these two; hence the brackets.
  Verified(verify)(std::string_view token) const noexcept;
  // The same at another time than now.
  Verified(verify)(std::string_view token, std::chrono::system_clock::time_point now) const noexcept;

 private:
  friend struct Access;
  detail::CountedPointer body_ = {};
};

// For one token. With a secret it is HS256 that is asked for; other algorithms have a Key.
Verified(verify)(std::string_view token, std::string_view secret, const VerifyOptions& options = {}) noexcept;
Verified(verify)(std::string_view token, const Keys& keys, const VerifyOptions& options = {}) noexcept;

}  // namespace martlet::jwt

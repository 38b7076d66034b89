// The names of errors, keys, and the calls of martlet/jwt.h that check a token (jwt_token.h has what they do).
#include <martlet/jwt.h>

#include "guards/jwt_token.h"

namespace martlet::jwt {

namespace {

// What the copies of a Verifier share.
struct Prepared final : detail::Counted {
  Prepared(const Keys& k, const VerifyOptions& o) : Counted(end), keys(k), options(o) {
    for (size_t i = 0; i < keys.size(); i++) materials[i] = &Access::material(keys[i]);
  }
  static void end(Counted* self) noexcept { delete static_cast<Prepared*>(self); }
  Keys keys;
  VerifyOptions options;
  const Material* materials[Keys::kMost] = {};
};

}  // namespace

std::string_view name_of(Algorithm algorithm) noexcept {
  constexpr std::string_view kNames[] = {"HS256", "HS384", "HS512", "RS256", "ES256"};
  return kNames[static_cast<size_t>(algorithm)];
}

std::string_view name_of(Error error) noexcept {
  constexpr std::string_view kNames[] = {
      "none",           "malformed",     "too large", "wrong algorithm", "unknown key", "critical extension",
      "bad signature",  "wrong type",    "expired",   "not yet valid",   "too old",     "wrong issuer",
      "wrong audience", "wrong subject", "wrong id",  "missing claim",   "bad secret",  "memory is out",
  };
  static_assert(std::size(kNames) == static_cast<size_t>(Error::no_memory) + 1);
  return kNames[static_cast<size_t>(error)];
}

Algorithm Key::algorithm() const noexcept { return Access::material(*this).algorithm; }
std::string_view Key::id() const noexcept { return Access::material(*this).id; }

Keys::Keys(std::initializer_list<Key> keys) noexcept {
  for (const Key& key : keys) add(key);
}

bool Keys::add(const Key& key) noexcept {
  if (count_ == kMost) return false;
  keys_[count_++] = key;
  return true;
}

Verifier::Verifier(const Keys& keys, const VerifyOptions& options) : body_(new Prepared(keys, options)) {}

Verified Verifier::verify(std::string_view token, std::chrono::system_clock::time_point now) const noexcept {
  const auto& prepared = *static_cast<const Prepared*>(body_.get());
  return check_token(token, Materials(prepared.materials, prepared.keys.size()), prepared.options, now);
}

Verified Verifier::verify(std::string_view token) const noexcept { return verify(token, std::chrono::system_clock::now()); }

Verified verify(std::string_view token, std::string_view secret, const VerifyOptions& options) noexcept {
  if (check_secret(secret, Algorithm::hs256, false)) return Error::bad_secret;
  const Secret<codec::Sha256> key(Algorithm::hs256, secret, {});
  const Material* const keys[] = {&key};
  return check_token(token, keys, options, std::chrono::system_clock::now());
}

Verified verify(std::string_view token, const Keys& keys, const VerifyOptions& options) noexcept {
  const Material* materials[Keys::kMost];
  for (size_t i = 0; i < keys.size(); i++) materials[i] = &Access::material(keys[i]);
  return check_token(token, Materials(materials, keys.size()), options, std::chrono::system_clock::now());
}

}  // namespace martlet::jwt

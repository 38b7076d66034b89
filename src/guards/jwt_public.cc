// Public keys, as JWK (RFC 7517, RFC 7518 §6) and PEM, and the checks of RS256 and ES256. A file of its own: who has secrets
// only is linked without. See martlet/jwt.h.
#include <algorithm>

#include "codec/base64.h"
#include "codec/p256.h"
#include "codec/public_key.h"
#include "codec/rsa_verify.h"
#include "guards/jwt_token.h"

namespace martlet::jwt {

namespace {

constexpr const char* kBadRsa = "an RSA key has 2,048 to 4,096 bits, and an exponent that is odd and below 2 to the 32";
constexpr const char* kBadCurve = "the numbers of a key are not those of a point of P-256";

template <typename Public, Algorithm kAlgorithm>
struct PublicKey final : Material {
  explicit PublicKey(std::string_view name)
      : Material(kAlgorithm, check_it, name, [](Counted* self) noexcept { delete static_cast<PublicKey*>(self); }) {}
  static bool check_it(const Material& self, base::ByteSpan message, base::ByteSpan signature) noexcept {
    return static_cast<const PublicKey&>(self).key.verify(codec::sha256(message), signature);
  }
  Public key;
};

template <typename Public, Algorithm kAlgorithm>
Result<Key> make_key(base::ByteSpan first, base::ByteSpan second, std::string_view id, const char* bad) {
  if (id.size() > kMostIdBytes) return martlet::Error("the name of a key has more than 255 bytes");
  auto* const made = new PublicKey<Public, kAlgorithm>(id);
  Key key = Access::make(made);
  if (!made->key.set(first, second)) return martlet::Error(bad);
  return key;
}

Result<Key> make_rsa(base::ByteSpan modulus, base::ByteSpan exponent, std::string_view id) {
  return make_key<codec::RsaPublicKey, Algorithm::rs256>(modulus, exponent, id, kBadRsa);
}

Result<Key> make_p256(base::ByteSpan x, base::ByteSpan y, std::string_view id) {
  return make_key<codec::P256PublicKey, Algorithm::es256>(x, y, id, kBadCurve);
}

// A number of a JWK, in base64url.
struct Number {
  bool read(const Json& jwk, std::string_view name) noexcept {
    const std::string_view text = jwk[name].text_or("");
    if (text.empty() || codec::base64_decoded_bound(text.size()) > sizeof bytes) return false;
    const std::optional<size_t> decoded = codec::decode_base64url(text, bytes);
    size = decoded.value_or(0);
    return decoded.has_value();
  }
  base::ByteSpan span() const noexcept { return {bytes, size}; }

  uint8_t bytes[codec::RsaPublicKey::kMostBits / 8 + 8];
  size_t size = 0;
};

bool is_absent_or(const Json& jwk, std::string_view name, std::string_view wanted) noexcept {
  const Json* const said = jwk.find(name);
  return !said || said->text_or("") == wanted;
}

// "use" and "key_ops" (RFC 7517 §4.2, §4.3).
bool is_for_signatures(const Json& jwk) noexcept {
  const Json* const operations = jwk.find("key_ops");
  if (!is_absent_or(jwk, "use", "sig")) return false;
  if (!operations) return true;
  const auto items = operations->items();
  return std::any_of(items.begin(), items.end(), [](const Json& one) { return one.text_or("") == "verify"; });
}

Result<Key> rsa_of_jwk(const Json& jwk, std::string_view id) {
  Number modulus, exponent;
  if (!is_absent_or(jwk, "alg", name_of(Algorithm::rs256))) return martlet::Error("a JWK is for another algorithm than RS256");
  if (!modulus.read(jwk, "n") || !exponent.read(jwk, "e")) return martlet::Error("a JWK has no good n and e");
  return make_rsa(modulus.span(), exponent.span(), id);
}

Result<Key> p256_of_jwk(const Json& jwk, std::string_view id) {
  Number x, y;
  if (jwk["crv"].text_or("") != "P-256") return martlet::Error("a JWK is on another curve than P-256");
  if (!is_absent_or(jwk, "alg", name_of(Algorithm::es256))) return martlet::Error("a JWK is for another algorithm than ES256");
  if (!x.read(jwk, "x") || !y.read(jwk, "y")) return martlet::Error("a JWK has no good x and y");
  return make_p256(x.span(), y.span(), id);
}

Result<Key> key_of_numbers(const codec::PublicKeyNumbers& numbers, std::string_view id) {
  const bool rsa = numbers.kind == codec::PublicKeyNumbers::Kind::rsa;
  return rsa ? make_rsa(numbers.first, numbers.second, id) : make_p256(numbers.first, numbers.second, id);
}

JsonResult<Json> parse_keys(std::string_view text) noexcept {
  return Json::parse(text, {.depth = 16, .duplicates = Duplicates::refuse, .max_bytes = size_t{1} << 20});
}

}  // namespace

Result<Key> Key::jwk(std::string_view text) {
  const JsonResult<Json> parsed = parse_keys(text);
  if (!parsed) return martlet::Error("a JWK is no good JSON, or has a name twice");
  return from_jwk(*parsed);
}

Result<Key> Key::from_jwk(const Json& jwk) {
  if (!jwk.is_object()) return martlet::Error("a JWK is an object");
  if (jwk.contains("d") || jwk.contains("k")) return martlet::Error("a private key, or a secret, where a public one belongs");
  if (!is_for_signatures(jwk)) return martlet::Error("a JWK is not for checking signatures");
  const Json* const id = jwk.find("kid");
  if (id && !id->is_string()) return martlet::Error("the kid of a JWK is a text");
  const std::string_view name = id ? id->text_or("") : "";
  const std::string_view kind = jwk["kty"].text_or("");
  if (kind == "RSA") return rsa_of_jwk(jwk, name);
  if (kind == "EC") return p256_of_jwk(jwk, name);
  return martlet::Error("the kty of a JWK is neither RSA nor EC");
}

Result<Key> Key::pem(std::string_view text, std::string_view id) {
  uint8_t der[1024];
  for (const std::string_view label : {"PUBLIC KEY", "RSA PUBLIC KEY"}) {
    const std::optional<std::string_view> body = codec::find_pem(text, label);
    if (!body) continue;
    const std::optional<size_t> size = codec::decode_pem(*body, der);
    if (!size) return martlet::Error("a PEM is no Base64, or too long for a key");
    const base::ByteSpan bytes(der, *size);
    const auto numbers = label == "PUBLIC KEY" ? codec::parse_subject_public_key(bytes) : codec::parse_rsa_public_key(bytes);
    if (!numbers) return martlet::Error("a PEM has no RSA key and none on P-256 in it");
    return key_of_numbers(*numbers, id);
  }
  if (text.find("PRIVATE KEY-----") != text.npos) return martlet::Error("a private key, where a public one belongs");
  return martlet::Error("there is no BEGIN PUBLIC KEY in a PEM");
}

Result<Keys> Keys::jwks(std::string_view text) {
  const JsonResult<Json> parsed = parse_keys(text);
  if (!parsed) return martlet::Error("a JWK Set is no good JSON, or has a name twice");
  return from_jwks(*parsed);
}

Result<Keys> Keys::from_jwks(const Json& set) {
  const Json* const list = set.find("keys");
  if (!list || !list->is_array()) return martlet::Error("a JWK Set has an array of keys");
  Keys keys;
  for (const Json& one : list->items()) {
    Result<Key> key = Key::from_jwk(one);
    if (key && !keys.add(*key)) return martlet::Error("a JWK Set has more than 32 keys");
  }
  if (keys.size() == 0) return martlet::Error("a JWK Set has no key for RS256 or ES256");
  return keys;
}

}  // namespace martlet::jwt

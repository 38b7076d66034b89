// Tokens that are made here. See martlet/jwt.h.
#include <martlet/json_writer.h>

#include "codec/base64.h"
#include "guards/jwt_token.h"

namespace martlet::jwt {

namespace {

void append_base64url(std::string& to, base::ByteSpan bytes) {
  const size_t before = to.size();
  to.resize(before + codec::base64_encoded_size(bytes.size()));
  to.resize(before + codec::encode_base64url(bytes, to.data() + before));
}

void write_header(JsonWriter& out, const SignOptions& options) noexcept {
  out.begin_object();
  out.member("alg", name_of(options.algorithm));
  if (!options.type.empty()) out.member("typ", options.type);
  if (!options.key_id.empty()) out.member("kid", options.key_id);
  out.end_object();
}

int64_t seconds_of(std::chrono::system_clock::time_point time) noexcept {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

void write_claims(JsonWriter& out, const Json& claims, int64_t now, std::optional<std::chrono::seconds> lifetime) noexcept {
  out.begin_object();
  for (const auto [name, value] : claims.members()) {
    out.key(name);
    out.value(value);
  }
  if (!claims.contains("iat")) out.member("iat", now);
  int64_t end = 0;
  if (lifetime && __builtin_add_overflow(now, lifetime->count(), &end)) end = lifetime->count() > 0 ? INT64_MAX : INT64_MIN;
  if (lifetime) out.member("exp", end);
  out.end_object();
}

template <typename Hash>
void append_mac(std::string& token, std::string_view secret) {
  const auto mac = codec::hmac_of<Hash>(codec::hmac_key_of<Hash>(base::as_bytes(secret)), base::as_bytes(token));
  token += '.';
  append_base64url(token, mac);
}

}  // namespace

Result<std::string> sign(const Json& claims, std::string_view secret, std::optional<std::chrono::seconds> lifetime,
                         const SignOptions& options) {
  if (const martlet::Error error = check_secret(secret, options.algorithm, options.short_secret)) return error;
  if (!claims.is_object()) return martlet::Error("the claims of a token are an object");
  if (!claims.complete()) return martlet::Error("the claims of a token are incomplete: memory was out");
  if (lifetime && claims.contains("exp")) return martlet::Error("a token has a lifetime, and its claims say another");
  if (options.key_id.size() > kMostIdBytes) return martlet::Error("the name of a key has more than 255 bytes");
  JsonWriter header, body;
  write_header(header, options);
  write_claims(body, claims, seconds_of(options.now.value_or(std::chrono::system_clock::now())), lifetime);
  if (!header.ok() || !body.ok()) return martlet::Error("memory is out");
  std::string token;
  token.reserve(codec::base64_encoded_size(header.text().size()) + codec::base64_encoded_size(body.text().size()) + 90);
  append_base64url(token, base::as_bytes(header.text()));
  token += '.';
  append_base64url(token, base::as_bytes(body.text()));
  switch (options.algorithm) {
    case Algorithm::hs384: append_mac<codec::Sha384>(token, secret); break;
    case Algorithm::hs512: append_mac<codec::Sha512>(token, secret); break;
    default: append_mac<codec::Sha256>(token, secret); break;
  }
  return token;
}

}  // namespace martlet::jwt

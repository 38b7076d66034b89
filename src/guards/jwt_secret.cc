// Secrets: what they must be, and what is signed with them. See martlet/jwt.h.
#include <algorithm>

#include "base/constant_time.h"
#include "guards/jwt_token.h"

namespace martlet::jwt {

template <typename Hash>
bool Secret<Hash>::check_mac(const Material& self, base::ByteSpan message, base::ByteSpan signature) noexcept {
  return base::equal_in_constant_time(codec::hmac_of<Hash>(static_cast<const Secret&>(self).key, message), signature);
}

template struct Secret<codec::Sha256>;
template struct Secret<codec::Sha384>;
template struct Secret<codec::Sha512>;

namespace {

// As large as the digest (RFC 7518 §3.2); 0: no algorithm of secrets.
size_t least_bytes(Algorithm algorithm) noexcept {
  switch (algorithm) {
    case Algorithm::hs256: return sizeof(codec::Sha256Digest);
    case Algorithm::hs384: return sizeof(codec::Sha384Digest);
    case Algorithm::hs512: return sizeof(codec::Sha512Digest);
    default: return 0;
  }
}

// Someone who takes a public key for a secret would believe tokens that anybody can make.
bool is_public_key(std::string_view text) noexcept {
  if (text.find("-----BEGIN ") != text.npos || text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-")) return true;
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != text.npos && text[begin] == '{' && text.find("\"kty\"") != text.npos;
}

}  // namespace

martlet::Error check_secret(std::string_view secret, Algorithm algorithm, bool short_secret) noexcept {
  const size_t least = least_bytes(algorithm);
  if (least == 0) return "this algorithm is not one of secrets";
  if (secret.empty()) return "a secret for tokens is empty";
  if (is_public_key(secret)) return "a secret for tokens is a key that is not secret, or not one of this kind";
  if (secret.size() < least && !short_secret) return "a secret for tokens has fewer bytes than its digests: 32, 48 or 64";
  return {};
}

Result<Key> Key::secret(std::string_view secret, const SecretOptions& options) {
  if (const martlet::Error error = check_secret(secret, options.algorithm, options.short_secret)) return error;
  if (options.id.size() > kMostIdBytes) return martlet::Error("the name of a key has more than 255 bytes");
  switch (options.algorithm) {
    case Algorithm::hs384: return Access::make(new Secret<codec::Sha384>(options.algorithm, secret, options.id));
    case Algorithm::hs512: return Access::make(new Secret<codec::Sha512>(options.algorithm, secret, options.id));
    default: return Access::make(new Secret<codec::Sha256>(options.algorithm, secret, options.id));
  }
}

}  // namespace martlet::jwt

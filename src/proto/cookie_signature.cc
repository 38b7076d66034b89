// See cookie_signature.h, and CookieKeys of martlet/cookie.h.
#include "proto/cookie_signature.h"

#include <bit>
#include <cstring>

#include "base/constant_time.h"
#include "codec/base64.h"
#include "codec/hmac.h"

namespace martlet {

namespace proto {

struct CookieKeysAccess {
  static codec::HmacKey key(const CookieKeys& keys, size_t i) noexcept {
    return std::bit_cast<codec::HmacKey>(keys.keys_[i]);
  }
  template <typename Secrets>
  static Result<CookieKeys> make(const Secrets& secrets) noexcept {
    if (secrets.size() == 0) return Error("signed cookies need a key");
    if (secrets.size() > CookieKeys::kMost) return Error("signed cookies have 8 keys at most");
    CookieKeys keys;
    for (const std::string_view secret : secrets) {
      if (secret.size() < CookieKeys::kLeastBytes) return Error("a key for signed cookies has less than 16 bytes");
      keys.keys_[keys.count_++] = std::bit_cast<CookieKeys::Key>(codec::hmac_key(base::as_bytes(secret)));
    }
    return keys;
  }
};

namespace {

constexpr size_t kDigestChars = 43;  // 32 bytes in base64url
constexpr size_t kSuffixChars = kDigestChars + 1;

}  // namespace

SetCookie encode_signed_cookie(std::string_view name, std::string_view value, const CookieKeys& keys,
                               const CookieOptions& options, SetCookieRoom room) noexcept {
  if (keys.size() == 0) return {.error = CookieError::no_keys};
  if (options.raw && value.starts_with('"')) return {.error = CookieError::bad_value};  // quotes enclose all or nothing
  const SetCookie plain = encode_set_cookie(name, value, options, room);
  if (plain.error != CookieError::none) return plain;
  if (plain.text.size() + kSuffixChars > room.size()) return {.error = CookieError::too_large};
  // The field begins with what is signed; the signature goes between that and the attributes.
  const std::string_view pair = plain.text.substr(0, plain.text.find(';'));
  const auto digest = codec::hmac_sha256(CookieKeysAccess::key(keys, 0), base::as_bytes(pair));
  char* const end = room.data() + pair.size();
  std::memmove(end + kSuffixChars, end, plain.text.size() - pair.size());
  *end = '.';
  codec::encode_base64url(digest, end + 1);
  return {.text = {room.data(), plain.text.size() + kSuffixChars}};
}

std::optional<SignedValue> verify_signed_cookie(std::string_view name, std::string_view value,
                                                const CookieKeys& keys) noexcept {
  if (value.size() < kSuffixChars || value[value.size() - kSuffixChars] != '.') return std::nullopt;
  const std::string_view text = value.substr(0, value.size() - kSuffixChars);
  uint8_t said[codec::base64_decoded_bound(kDigestChars)];
  const std::optional<size_t> size = codec::decode_base64url(value.substr(text.size() + 1), said);
  if (!size) return std::nullopt;
  for (size_t i = 0; i < keys.size(); i++) {
    codec::HmacSha256 mac(CookieKeysAccess::key(keys, i));
    mac.update(base::as_bytes(name));
    mac.update(base::as_bytes("="));
    mac.update(base::as_bytes(text));
    if (base::equal_in_constant_time(mac.finish(), base::ByteSpan(said, *size))) return SignedValue{text, i};
  }
  return std::nullopt;
}

}  // namespace proto

Result<CookieKeys> CookieKeys::of(std::initializer_list<std::string_view> secrets) noexcept {
  return proto::CookieKeysAccess::make(secrets);
}

Result<CookieKeys> CookieKeys::of(std::span<const std::string> secrets) noexcept {
  return proto::CookieKeysAccess::make(secrets);
}

}  // namespace martlet

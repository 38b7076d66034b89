// Tokens as nobody's library would make them: any header and any claims, well signed.
#pragma once

#include <martlet/jwt.h>

#include <ostream>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "codec/base64.h"
#include "codec/hmac.h"

namespace martlet::test {

inline const std::string kSecret = "a secret of thirty-two bytes, or";  // 32 bytes
inline constexpr int64_t kNow = 1'800'000'000;

inline std::chrono::system_clock::time_point at(int64_t seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

inline std::string url64(std::string_view bytes) {
  std::string text(codec::base64_encoded_size(bytes.size()), 0);
  text.resize(codec::encode_base64url(base::as_bytes(bytes), text.data()));
  return text;
}

inline std::string from_url64(std::string_view text) {
  std::string bytes(codec::base64_decoded_bound(text.size()), 0);
  bytes.resize(codec::decode_base64url(text, reinterpret_cast<uint8_t*>(bytes.data())).value_or(0));
  return bytes;
}

template <typename Hash = codec::Sha256>
std::string mac_of(std::string_view message, std::string_view secret) {
  const auto mac = codec::hmac_of<Hash>(codec::hmac_key_of<Hash>(base::as_bytes(secret)), base::as_bytes(message));
  return std::string(base::as_text(mac));
}

// Of parts that are in base64url already.
template <typename Hash = codec::Sha256>
std::string signed_parts(const std::string& header, const std::string& claims, std::string_view secret = kSecret) {
  const std::string message = header + "." + claims;
  return message + "." + url64(mac_of<Hash>(message, secret));
}

template <typename Hash = codec::Sha256>
std::string token_of(std::string_view header, std::string_view claims, std::string_view secret = kSecret) {
  return signed_parts<Hash>(url64(header), url64(claims), secret);
}

// With the usual header.
inline std::string claiming(std::string_view claims) { return token_of(R"({"alg":"HS256","typ":"JWT"})", claims); }

inline jwt::Verifier verifier(const jwt::VerifyOptions& options = {}) { return jwt::Verifier(*jwt::Key::secret(kSecret), options); }

// What becomes of a token at kNow.
inline jwt::Error judge(const std::string& token, const jwt::VerifyOptions& options = {}) {
  return verifier(options).verify(token, at(kNow)).error();
}
inline jwt::Error judge_header(std::string_view header, const jwt::VerifyOptions& options = {}) {
  return judge(token_of(header, R"({"sub":"7"})"), options);
}
inline jwt::Error judge_claims(std::string_view claims, const jwt::VerifyOptions& options = {}) {
  return judge(claiming(claims), options);
}

}  // namespace martlet::test

// So that a failed check says which it was.
namespace martlet::jwt {
inline std::ostream& operator<<(std::ostream& out, Error error) { return out << std::string(name_of(error)); }
}  // namespace martlet::jwt

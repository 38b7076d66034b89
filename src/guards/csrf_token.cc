// See csrf_token.h.
#include "guards/csrf_token.h"

#include <martlet/random.h>

#include "base/bytes.h"
#include "base/constant_time.h"
#include "codec/base64.h"

namespace martlet::guards {

namespace {

constexpr size_t kRandomLetters = 22;     // of 16 bytes
constexpr size_t kSignatureLetters = 43;  // of 32 bytes

struct Signature {
  char letters[codec::base64_encoded_size(32)];
  std::string_view text() const noexcept { return {letters, kSignatureLetters}; }
};

Signature sign(const codec::HmacKey& key, std::string_view bound_to, std::string_view random) noexcept {
  uint8_t size[8];
  base::store_be64(size, bound_to.size());
  codec::HmacSha256 mac(key);
  mac.update(size);
  mac.update(base::as_bytes(bound_to));
  mac.update(base::as_bytes(random));
  Signature signature;
  codec::encode_base64url(mac.finish(), signature.letters);
  return signature;
}

}  // namespace

std::string make_csrf_token(const codec::HmacKey& key, std::string_view bound_to) {
  std::string token = random_text(16);
  const Signature signature = sign(key, bound_to, token);
  return token.append(".").append(signature.text());
}

bool is_csrf_token(std::string_view token, std::string_view bound_to, std::span<const codec::HmacKey> keys) noexcept {
  if (token.size() != kRandomLetters + 1 + kSignatureLetters || token[kRandomLetters] != '.') return false;
  bool is_ours = false;
  for (const codec::HmacKey& key : keys) {
    const Signature signature = sign(key, bound_to, token.substr(0, kRandomLetters));
    is_ours |= base::equal_in_constant_time(signature.text(), token.substr(kRandomLetters + 1));
  }
  return is_ours;
}

}  // namespace martlet::guards

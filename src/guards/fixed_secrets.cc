// Secrets that are known when the program starts. Digests are compared, so that neither the time nor the length of what is kept
// tells anything: all of them are compared, whoever asks.
#include <martlet/auth.h>

#include <bit>

#include "base/bytes.h"
#include "base/constant_time.h"
#include "codec/sha256.h"

namespace martlet {

namespace {

// The length of the first one is hashed, too: "ab" and "c" are not "a" and "bc".
SecretDigest digest_of(std::string_view first, std::string_view second) {
  uint8_t size[8];
  base::store_be64(size, first.size());
  codec::Sha256 hash;
  hash.update(size);
  hash.update(base::as_bytes(first));
  hash.update(base::as_bytes(second));
  return std::bit_cast<SecretDigest>(hash.finish());
}

bool is_one_of(const std::vector<SecretDigest>& digests, const SecretDigest& digest) noexcept {
  bool found = false;
  for (const SecretDigest& known : digests) found |= base::equal_in_constant_time(base::ByteSpan(known.bytes), base::ByteSpan(digest.bytes));
  return found;
}

}  // namespace

bool same_secret(std::string_view a, std::string_view b) noexcept { return base::equal_in_constant_time(a, b); }

FixedUsers::FixedUsers(std::initializer_list<User> users) {
  for (const User& user : users) digests_.push_back(digest_of(user.name, user.password));
}

bool FixedUsers::operator()(std::string_view name, std::string_view password) const noexcept {
  return is_one_of(digests_, digest_of(name, password));
}

FixedTokens::FixedTokens(std::initializer_list<std::string_view> tokens) {
  for (const std::string_view token : tokens) digests_.push_back(digest_of({}, token));
}

bool FixedTokens::operator()(std::string_view token) const noexcept { return is_one_of(digests_, digest_of({}, token)); }

}  // namespace martlet

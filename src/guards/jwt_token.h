// What the files of JWT share: a key as it is used, and the check of one token. See martlet/jwt.h.
#pragma once

#include <martlet/jwt.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "codec/hmac.h"

namespace martlet::jwt {

// A key of any kind. What kind it is only its own file knows, so that a program is linked with the kinds it makes.
struct Material : detail::Counted {
  using Check = bool (*)(const Material& key, base::ByteSpan message, base::ByteSpan signature) noexcept;

  Material(Algorithm a, Check c, std::string_view name, void (*d)(Counted*) noexcept)
      : Counted(d), algorithm(a), check(c), id(name) {}
  Algorithm algorithm;
  Check check;
  std::string id;
};

inline constexpr size_t kMostIdBytes = 255;

struct Access {
  static const Material& material(const Key& key) noexcept { return *static_cast<const Material*>(key.body_.get()); }
  // Takes the reference that the material was made with.
  static Key make(Material* material) noexcept { return Key(detail::CountedPointer(material)); }
};

// A secret, made ready for its hash.
template <typename Hash>
struct Secret final : Material {
  Secret(Algorithm a, std::string_view secret, std::string_view name)
      : Material(a, check_mac, name, [](Counted* self) noexcept { delete static_cast<Secret*>(self); }),
        key(codec::hmac_key_of<Hash>(base::as_bytes(secret))) {}
  static bool check_mac(const Material& self, base::ByteSpan message, base::ByteSpan signature) noexcept;
  codec::HmacKeyOf<Hash> key;
};

// No error, unless the secret must not be used: jwt.h says when.
martlet::Error check_secret(std::string_view secret, Algorithm algorithm, bool short_secret) noexcept;

using Materials = std::span<const Material* const>;

// All of it: form, header, key, signature, claims.
Verified check_token(std::string_view token, Materials keys, const VerifyOptions& options,
                     std::chrono::system_clock::time_point now) noexcept;

}  // namespace martlet::jwt

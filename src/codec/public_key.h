// Public keys as files have them: PEM (RFC 7468) around DER, and in that a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) or an
// RSAPublicKey (RFC 8017 A.1.1). Only what is needed of ASN.1, and strictly: definite lengths in the fewest bytes, whole
// numbers that are not negative, nothing behind the end. No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace martlet::codec {

// The two numbers of a key, big-endian, in the bytes that were read: modulus and exponent, or x and y.
struct PublicKeyNumbers {
  enum class Kind : uint8_t { rsa, p256 };
  Kind kind;
  base::ByteSpan first, second;
};

// Nothing for what is no key of the two kinds.
std::optional<PublicKeyNumbers> parse_subject_public_key(base::ByteSpan der) noexcept;
std::optional<PublicKeyNumbers> parse_rsa_public_key(base::ByteSpan der) noexcept;

// What a text has between "-----BEGIN label-----" and "-----END label-----", the first time.
std::optional<std::string_view> find_pem(std::string_view text, std::string_view label) noexcept;
// Decodes that into `out`, white space left out. How many bytes; nothing when it is not Base64, or more than there is room for.
std::optional<size_t> decode_pem(std::string_view body, base::MutableByteSpan out) noexcept;

}  // namespace martlet::codec

// Base64 (RFC 4648 §4, with padding) and base64url (§5, without). Decoding is strict: no white space, no missing
// padding, no bits left over. No allocation; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace martlet::codec {

constexpr size_t base64_encoded_size(size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }
constexpr size_t base64_decoded_bound(size_t chars) noexcept { return chars / 4 * 3 + 3; }

// Writes base64_encoded_size(bytes.size()) characters to out; answers how many.
size_t encode_base64(base::ByteSpan bytes, char* out) noexcept;
// The same with the URL alphabet and without padding.
size_t encode_base64url(base::ByteSpan bytes, char* out) noexcept;

// Decodes into out (base64_decoded_bound() bytes of room). How many bytes, or nothing when the text is not Base64.
std::optional<size_t> decode_base64(std::string_view text, uint8_t* out) noexcept;
std::optional<size_t> decode_base64url(std::string_view text, uint8_t* out) noexcept;

}  // namespace martlet::codec

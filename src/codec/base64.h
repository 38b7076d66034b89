// Base64 (RFC 4648 §4, with padding) and base64url (§5, without). Decoding is strict: no white space, no missing
// padding, and no bits left over unless they are asked for. No allocation; any thread.
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

// The last letter of a text may say more bits than its bytes have. They should be zero, and a decoder may insist on it
// (RFC 4648 §3.5): then bytes have one text only, which is what signed tokens and keys of maps want. Where a protocol
// has its letters written by others, some write anything there.
enum class UnusedBits : uint8_t { must_be_zero, ignored };

// Decodes into out (base64_decoded_bound() bytes of room; those behind the result are of no meaning). How many bytes, or nothing
// when the text is not Base64.
std::optional<size_t> decode_base64(std::string_view text, uint8_t* out,
                                    UnusedBits unused = UnusedBits::must_be_zero) noexcept;
std::optional<size_t> decode_base64url(std::string_view text, uint8_t* out) noexcept;

}  // namespace martlet::codec

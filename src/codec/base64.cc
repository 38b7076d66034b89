// Base64 both ways: three bytes are four characters. The two alphabets differ in their last two characters only, and
// each has its own table for decoding, made at compile time.
#include "codec/base64.h"

#include <bit>
#include <cstring>

namespace martlet::codec {

namespace {

constexpr char kStandard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUrl[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr uint32_t kBad = 0xFF000000;  // above the 24 bits of four characters, so an OR keeps it

struct Values {
  uint32_t of[256];
};

constexpr Values values_of(const char (&alphabet)[65]) {
  Values values{};
  for (uint32_t& value : values.of) value = kBad;
  for (uint32_t i = 0; i < 64; i++) values.of[static_cast<unsigned char>(alphabet[i])] = i;
  return values;
}

constexpr Values kStandardValues = values_of(kStandard);
constexpr Values kUrlValues = values_of(kUrl);

// Encodes; answers how many characters. One or two bytes at the end become two or three characters.
size_t encode(base::ByteSpan bytes, const char (&alphabet)[65], char* out) {
  const char* const begin = out;
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 3; p += 3, left -= 3) {
    const uint32_t bits = static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = alphabet[bits >> shift & 63];
  }
  if (left > 0) {
    const uint32_t bits = static_cast<uint32_t>(p[0]) << 16 | (left > 1 ? static_cast<uint32_t>(p[1]) << 8 : 0);
    *out++ = alphabet[bits >> 18];
    *out++ = alphabet[bits >> 12 & 63];
    if (left > 1) *out++ = alphabet[bits >> 6 & 63];
  }
  return static_cast<size_t>(out - begin);
}

// Three bytes at the top of a word, and a fourth of no meaning, which the next three overwrite.
inline void store_three(uint8_t* out, uint32_t bits) {
  if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap32(bits);
  std::memcpy(out, &bits, sizeof bits);
}

// Decodes text without padding. Behind what whole groups of four characters become there is always room for a byte more.
std::optional<size_t> decode(std::string_view text, const Values& values, UnusedBits unused, uint8_t* out) {
  const uint8_t* const begin = out;
  const auto* from = reinterpret_cast<const uint8_t*>(text.data());
  for (const uint8_t* const end = from + text.size() / 4 * 4; from != end; from += 4, out += 3) {
    const uint32_t a = values.of[from[0]], b = values.of[from[1]], c = values.of[from[2]], d = values.of[from[3]];
    if ((a | b | c | d) & kBad) return std::nullopt;
    store_three(out, a << 26 | b << 20 | c << 14 | d << 8);
  }
  text.remove_prefix(text.size() / 4 * 4);
  const auto value = [&](size_t i) { return values.of[static_cast<unsigned char>(text[i])]; };
  if (text.size() == 1) return std::nullopt;
  if (!text.empty()) {
    const uint32_t third = text.size() == 3 ? value(2) : 0;
    const uint32_t bits = value(0) << 18 | value(1) << 12 | third << 6;
    const uint32_t left_over = bits & (text.size() == 3 ? 0xFF : 0xFFFF);
    if ((value(0) | value(1) | third) & kBad) return std::nullopt;
    if (left_over && unused == UnusedBits::must_be_zero) return std::nullopt;
    *out++ = static_cast<uint8_t>(bits >> 16);
    if (text.size() == 3) *out++ = static_cast<uint8_t>(bits >> 8);
  }
  return static_cast<size_t>(out - begin);
}

}  // namespace

size_t encode_base64(base::ByteSpan bytes, char* out) noexcept {
  size_t size = encode(bytes, kStandard, out);
  while (size % 4 != 0) out[size++] = '=';
  return size;
}

size_t encode_base64url(base::ByteSpan bytes, char* out) noexcept { return encode(bytes, kUrl, out); }

std::optional<size_t> decode_base64(std::string_view text, uint8_t* out, UnusedBits unused) noexcept {
  if (text.size() % 4 != 0) return std::nullopt;
  if (text.ends_with("==")) {
    text.remove_suffix(2);
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  return decode(text, kStandardValues, unused, out);
}

std::optional<size_t> decode_base64url(std::string_view text, uint8_t* out) noexcept {
  return decode(text, kUrlValues, UnusedBits::must_be_zero, out);
}

}  // namespace martlet::codec

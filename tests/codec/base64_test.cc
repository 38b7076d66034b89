// Base64 against the vectors of RFC 4648, both ways for all lengths, and what strict decoding refuses.
#include "codec/base64.h"

#include <doctest/doctest.h>

#include <string>

#include "support/guarded.h"

using namespace martlet::codec;
using martlet::base::as_bytes;
using martlet::test::Guarded;

namespace {

std::string encoded(std::string_view bytes, bool url = false) {
  std::string text(base64_encoded_size(bytes.size()) + 1, '\0');
  const Guarded guarded(bytes);
  text.resize(url ? encode_base64url(guarded.span(), text.data()) : encode_base64(guarded.span(), text.data()));
  return text;
}

std::optional<std::string> decoded(std::string_view text, bool url = false) {
  std::string bytes(base64_decoded_bound(text.size()), '\0');
  auto* out = reinterpret_cast<uint8_t*>(bytes.data());
  const Guarded guarded(text);
  const std::string_view view = martlet::base::as_text(guarded.span());
  const std::optional<size_t> size = url ? decode_base64url(view, out) : decode_base64(view, out);
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

}  // namespace

TEST_CASE("base64: the vectors of RFC 4648 section 10") {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, text] : vectors) {
    CHECK(encoded(plain) == text);
    CHECK(decoded(text) == std::string(plain));
  }
}

TEST_CASE("base64: the alphabets differ in their last two characters, and base64url has no padding") {
  CHECK(encoded("\xFB\xEF\xBE\xFF") == "++++/w==");
  CHECK(encoded("\xFB\xEF\xBE\xFF", true) == "----_w");
  CHECK(decoded("----_w", true) == std::string("\xFB\xEF\xBE\xFF"));
  CHECK(!decoded("----"));
  CHECK(!decoded("++++", true));
  CHECK(!decoded("____"));
  CHECK(!decoded("////", true));
}

TEST_CASE("base64: all lengths go there and back") {
  for (size_t length = 0; length < 300; length++) {
    std::string bytes(length, 0);
    for (size_t i = 0; i < length; i++) bytes[i] = static_cast<char>(i * 151 + length * 3);
    for (const bool url : {false, true}) {
      const std::string text = encoded(bytes, url);
      CHECK(text.size() == (url ? (length * 4 + 2) / 3 : base64_encoded_size(length)));
      CHECK(decoded(text, url) == bytes);
    }
  }
}

TEST_CASE("base64: every character outside the alphabet is refused, at every place") {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int c = 0; c < 256; c++) {
    const bool in_alphabet = c != 0 && alphabet.find(static_cast<char>(c)) != std::string::npos;
    for (size_t place = 0; place < 8; place++) {
      std::string text = "AAAAAAAA";
      text[place] = static_cast<char>(c);
      const bool padding = c == '=' && place == 7;
      CHECK_MESSAGE(decoded(text).has_value() == (in_alphabet || padding), c << " at " << place);
    }
  }
}

TEST_CASE("base64: missing, misplaced and superfluous padding is refused") {
  for (const char* text :
       {"Zg", "Zg=", "Zm8", "Z", "Z===", "====", "=", "==", "Zg==Zg==", "Zg=a", "Zm9vYg=", "Zm9v="}) {
    CHECK_MESSAGE(!decoded(text), text);
  }
  for (const char* text : {"Zg==", "Zm8=", "Z", "Zm9vY", "="}) CHECK_MESSAGE(!decoded(text, true), text);
}

TEST_CASE("base64: bits left over must be zero") {
  CHECK(decoded("Zg=="));
  CHECK(!decoded("Zh=="));
  CHECK(!decoded("Zv=="));
  CHECK(decoded("Zm8="));
  CHECK(!decoded("Zm9="));
  CHECK(!decoded("Zh", true));
  CHECK(!decoded("Zm9", true));
}

TEST_CASE("base64: bits left over do not count where they are ignored, anything else still does") {
  const auto lenient = [](std::string_view text) -> std::optional<std::string> {
    std::string bytes(base64_decoded_bound(text.size()), '\0');
    const Guarded guarded(text);
    const auto size = decode_base64(martlet::base::as_text(guarded.span()), reinterpret_cast<uint8_t*>(bytes.data()),
                                    UnusedBits::ignored);
    if (!size) return std::nullopt;
    bytes.resize(*size);
    return bytes;
  };
  for (const char* text : {"Zg==", "Zh==", "Zv=="}) CHECK_MESSAGE(lenient(text) == "f", text);
  for (const char* text : {"Zm8=", "Zm9=", "Zm+="}) CHECK_MESSAGE(lenient(text).has_value(), text);
  CHECK(lenient("Zm9=") == "fo");
  for (const char* text : {"Zh=", "Zh", "Z===", "Z!==", "Zh==Zh==", "Z\xFF=="}) CHECK_MESSAGE(!lenient(text), text);
}

TEST_CASE("base64: white space is refused") {
  for (const char* text : {"Zm9v\n", "Zm 9v", " Zm9", "Zm9v\r\n\r\n"}) CHECK(!decoded(text));
}

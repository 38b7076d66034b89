// Base64: what is decoded encodes to the same text (there is one text for some bytes), what is encoded decodes to the
// same bytes, and nothing is written beyond what the header promises. Where bits left over are ignored, the text differs
// in the last letter at most, and only by those.
#include "codec/base64.h"
#include "fuzz/fuzz.h"

using namespace martlet;

namespace {

void check_text(std::string_view text, bool url) {
  const auto room = std::make_unique<uint8_t[]>(codec::base64_decoded_bound(text.size()));
  const auto size = url ? codec::decode_base64url(text, room.get()) : codec::decode_base64(text, room.get());
  if (!size) return;
  FUZZ_CHECK(*size <= codec::base64_decoded_bound(text.size()));
  const auto back = std::make_unique<char[]>(codec::base64_encoded_size(*size));
  const base::ByteSpan bytes(room.get(), *size);
  const size_t length = url ? codec::encode_base64url(bytes, back.get()) : codec::encode_base64(bytes, back.get());
  FUZZ_CHECK(std::string_view(back.get(), length) == text);
}

void check_lenient(std::string_view text) {
  const auto room = std::make_unique<uint8_t[]>(codec::base64_decoded_bound(text.size()));
  const auto size = codec::decode_base64(text, room.get(), codec::UnusedBits::ignored);
  const auto strict_room = std::make_unique<uint8_t[]>(codec::base64_decoded_bound(text.size()));
  const auto strict = codec::decode_base64(text, strict_room.get());
  if (strict) FUZZ_CHECK(strict == size && base::as_text({room.get(), *size}) == base::as_text({strict_room.get(), *strict}));
  if (!size) return;
  const auto back = std::make_unique<char[]>(codec::base64_encoded_size(*size));
  const size_t length = codec::encode_base64({room.get(), *size}, back.get());
  FUZZ_CHECK(length == text.size());
  const size_t letters = text.size() - (3 - *size % 3) % 3;
  for (size_t i = 0; i < length; i++) FUZZ_CHECK(back[i] == text[i] || (!strict && i + 1 == letters));
}

void check_bytes(base::ByteSpan bytes, bool url) {
  const auto text = std::make_unique<char[]>(codec::base64_encoded_size(bytes.size()));
  const size_t length = url ? codec::encode_base64url(bytes, text.get()) : codec::encode_base64(bytes, text.get());
  FUZZ_CHECK(length <= codec::base64_encoded_size(bytes.size()));
  const std::string_view encoded(text.get(), length);
  const auto back = std::make_unique<uint8_t[]>(codec::base64_decoded_bound(length));
  const auto size = url ? codec::decode_base64url(encoded, back.get()) : codec::decode_base64(encoded, back.get());
  FUZZ_CHECK(size && base::as_text({back.get(), *size}) == base::as_text(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Exact input({data, size});
  check_lenient(base::as_text(input.span()));
  for (const bool url : {false, true}) {
    check_text(base::as_text(input.span()), url);
    check_bytes(input.span(), url);
  }
  return 0;
}

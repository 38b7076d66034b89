// Credentials of an Authorization field: of Basic, what is taken has no control characters, is UTF-8, and encodes to the same
// letters again; nothing is written beyond the room. Of tokens, among subprotocols too, what is taken has their letters.
#include "codec/base64.h"
#include "codec/utf8.h"
#include "fuzz/fuzz.h"
#include "guards/basic_credentials.h"
#include "guards/request_origin.h"
#include "guards/session_value.h"
#include "guards/token_source.h"

using namespace martlet;

namespace {

void check_basic(std::string_view field) {
  const auto room = std::make_unique<uint8_t[]>(guards::kBasicRoom);
  const guards::BasicCredentials credentials = guards::parse_basic(field, room.get());
  if (credentials.state != guards::BasicCredentials::State::good) return;
  FUZZ_CHECK(credentials.name.find(':') == std::string_view::npos);
  const std::string text = std::string(credentials.name) + ":" + std::string(credentials.password);
  for (const char c : text) FUZZ_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  FUZZ_CHECK(codec::is_valid_utf8(base::as_bytes(text)));
  std::string letters(codec::base64_encoded_size(text.size()), '\0');
  letters.resize(codec::encode_base64(base::as_bytes(text), letters.data()));
  FUZZ_CHECK(field.ends_with(" " + letters));
}

void check_token(std::string_view text) {
  const guards::SentToken sent = guards::token_of_protocols(text);
  if (sent.state == guards::SentToken::State::good) FUZZ_CHECK(guards::is_token_text(sent.text));
  if (guards::is_token_text(text)) FUZZ_CHECK(text.find_first_of(" ,\"\r\n") == std::string_view::npos && !text.empty());
}

void check_origin(std::string_view text) {
  const std::string_view origin = guards::origin_of_url(text);
  FUZZ_CHECK(text.starts_with(origin));
  if (!guards::is_origin_text(text)) return;
  FUZZ_CHECK(origin == text);
  const std::string_view host = text.substr(text.find("://") + 3);
  FUZZ_CHECK(guards::is_of_host(text, host));
  FUZZ_CHECK(!guards::is_of_host(text, std::string(host) + "x"));
}

void check_session(std::string_view text) {
  const auto value = guards::parse_session_value(text);
  if (!value) return;
  FUZZ_CHECK(value->expires >= 0 && value->born >= 0 && value->id.size() == guards::kSessionIdLetters);
  FUZZ_CHECK(text.ends_with(value->data));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Exact input({data, size});
  const std::string_view text = base::as_text(input.span());
  check_basic(text);
  check_token(text);
  check_origin(text);
  check_session(text);
  return 0;
}

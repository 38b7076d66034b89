// Percent-decoding beside a plain decoder, in place and aside, and the walk over a query string.
#include "codec/percent.h"
#include "fuzz/fuzz.h"

using namespace martlet;

namespace {

int digit(char c) {
  const std::string_view digits = "0123456789abcdef";
  const size_t at = digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool decode_plainly(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3 || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return false;
    out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
    i += 2;
  }
  return true;
}

void check(base::ByteSpan bytes) {
  const fuzz::Exact text(bytes);
  const fuzz::Exact out(bytes);
  auto* room = reinterpret_cast<char*>(out.data());
  const auto size = codec::decode_percent(base::as_text(text.span()), room);
  std::string plain;
  FUZZ_CHECK(size.has_value() == decode_plainly(base::as_text(bytes), plain));
  if (size) FUZZ_CHECK(std::string_view(room, *size) == plain);
  if (codec::is_plain(base::as_text(bytes))) FUZZ_CHECK(size && plain == base::as_text(bytes));
  const fuzz::Exact in_place(bytes);
  auto* same = reinterpret_cast<char*>(in_place.data());
  const auto again = codec::decode_percent({same, in_place.size()}, same);
  FUZZ_CHECK(again == size);
  if (again) FUZZ_CHECK(std::string_view(same, *again) == plain);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check({data, size});
  const fuzz::Exact query({data, size});
  codec::QueryPairs pairs(base::as_text(query.span()));
  std::string_view key;
  std::string_view value;
  size_t walked = 0;
  while (pairs.next(key, value)) {
    walked += key.size() + value.size();
    FUZZ_CHECK(walked <= size);
    FUZZ_CHECK(key.find_first_of("=&") == std::string_view::npos && value.find('&') == std::string_view::npos);
  }
  return 0;
}

// Forms: the walk, the decoding and the comparing beside plain ones that copy; and what a browser would write comes back.
#include "fuzz/fuzz.h"
#include "proto/form.h"

using namespace martlet;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string decode_plainly(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%' && text.size() - i > 2 && std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

Pairs walk_plainly(std::string_view text) {
  Pairs all;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('&', at), text.size());
    const std::string_view pair = text.substr(at, end - at);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty()) {
      all.emplace_back(decode_plainly(pair.substr(0, equals)),
                       decode_plainly(pair.substr(std::min(equals + 1, pair.size()))));
    }
    at = end + 1;
  }
  return all;
}

std::string decoded(std::string_view encoded) {
  const fuzz::Exact room(proto::decoded_form_size(encoded));
  FUZZ_CHECK(room.size() <= encoded.size());
  auto* out = reinterpret_cast<char*>(room.data());
  FUZZ_CHECK(proto::decode_form_text(encoded, out) == room.size());
  const fuzz::Exact same(base::as_bytes(encoded));
  auto* in_place = reinterpret_cast<char*>(same.data());
  FUZZ_CHECK(proto::decode_form_text({in_place, same.size()}, in_place) == room.size());
  FUZZ_CHECK(std::string_view(in_place, room.size()) == std::string_view(out, room.size()));
  return {out, room.size()};
}

void check_walk(std::string_view text, uint32_t max_pairs) {
  const Pairs wanted = walk_plainly(text);
  FUZZ_CHECK(proto::count_form_pairs(text) == wanted.size());
  proto::FormScanner scanner(text, max_pairs);
  proto::FormPair pair;
  Pairs found;
  proto::FormStep step;
  while ((step = scanner.next(pair)) == proto::FormStep::pair) found.emplace_back(decoded(pair.name), decoded(pair.value));
  FUZZ_CHECK((step == proto::FormStep::too_many) == (wanted.size() > max_pairs));
  FUZZ_CHECK(found.size() == std::min<size_t>(wanted.size(), max_pairs));
  FUZZ_CHECK(std::equal(found.begin(), found.end(), wanted.begin()));
}

void check_values(std::string_view text, const std::string& name) {
  std::vector<std::string> wanted;
  for (const auto& [other, value] : walk_plainly(text)) {
    if (other == name) wanted.push_back(value);
  }
  proto::FormValues values(text, name, 10000);
  std::vector<std::string> found;
  for (std::string_view value; values.next(value);) found.push_back(decoded(value));
  FUZZ_CHECK(found == wanted && !values.too_many());
  const auto first = proto::find_form_value(text, name, 10000);
  FUZZ_CHECK(first.has_value() == !wanted.empty() && (!first || decoded(*first) == wanted[0]));
}

// WHATWG URL §5.2.
std::string encode_plainly(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char escape[4];
    std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned char>(c));
    out += std::isalnum(static_cast<unsigned char>(c)) || (c && std::strchr("*-._", c)) ? std::string(1, c)
           : c == ' '                                                                   ? "+"
                                                                                        : escape;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t max_pairs = input.control();
  const fuzz::Exact bytes(input.rest());
  const std::string_view text = base::as_text(bytes.span());
  check_walk(text, max_pairs);
  const Pairs pairs = walk_plainly(text);
  check_values(text, pairs.empty() ? "a" : pairs[max_pairs % pairs.size()].first);
  std::string again;
  for (const auto& [name, value] : pairs) again += (again.empty() ? "" : "&") + encode_plainly(name) + "=" + encode_plainly(value);
  FUZZ_CHECK(walk_plainly(again) == pairs);
  check_walk(again, 10000);
  const size_t half = text.size() / 2;
  FUZZ_CHECK(proto::form_text_equals(text.substr(0, half), text.substr(half)) ==
             (decode_plainly(text.substr(0, half)) == text.substr(half)));
  return 0;
}

// Negotiation beside a plain one: the lines of the input (its "\n" separate them) are taken apart with strings and vectors,
// every element judged for every offer by the rules of accept.h, and the choice made by sorting. The last byte of the input
// chooses offers. What a Content-Type is, by patterns that are tried one by one.
#include <map>
#include <optional>

#include "fuzz/fuzz.h"
#include "proto/accept.h"
#include "proto/http_chars.h"
#include "proto/short_types.h"

using namespace martlet;

namespace {

using Strings = std::vector<std::string>;

// Split where `at` stands outside of quotes, trimmed.
Strings split(const std::string& text, char at) {
  Strings all(1);
  bool quoted = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (quoted && text[i] == '\\' && i + 1 < text.size()) {
      all.back() += text[i++];
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == at && !quoted) {
      all.emplace_back();
      continue;
    }
    all.back() += text[i];
  }
  for (std::string& one : all) {
    const size_t first = one.find_first_not_of(" \t");
    one = first == one.npos ? "" : one.substr(first, one.find_last_not_of(" \t") + 1 - first);
  }
  return all;
}

// The value, unquoted and in lower case; nothing when it is neither a token nor a quoted string.
std::optional<std::string> value_of(const std::string& text) {
  if (proto::is_token(text)) return fuzz::lower(text);
  if (text.size() < 2 || text[0] != '"') return std::nullopt;
  std::string value;
  size_t i = 1;
  for (; i < text.size() && text[i] != '"'; i++) {
    if (text[i] == '\\') i++;
    if (i < text.size()) value += text[i];
  }
  if (i + 1 != text.size()) return std::nullopt;
  return fuzz::lower(value);
}

// Thousandths, by rational arithmetic on digits; -1 when malformed.
int weight_of(const std::string& text) {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string whole = text.substr(0, point);
  std::string digits = point < text.size() ? text.substr(point + 1) : "";
  for (const char c : digits) {
    if (!std::isdigit(static_cast<unsigned char>(c))) return -1;
  }
  const bool zero = digits.find_first_not_of('0') == digits.npos;
  if (whole == "1") return zero ? 1000 : -1;
  if (whole != "0" && !(whole.empty() && !digits.empty())) return -1;
  digits = (digits + "000").substr(0, 3);
  return std::max(std::stoi(digits), zero ? 0 : 1);
}

struct PlainElement {
  std::string value;
  std::vector<std::pair<std::string, std::string>> parameters;
  int weight = 1000;
};

std::optional<PlainElement> element_of(const std::string& text) {
  const Strings pieces = split(text, ';');
  PlainElement element;
  element.value = fuzz::lower(pieces[0]);
  bool weighed = false;
  for (size_t i = 1; i < pieces.size(); i++) {
    if (pieces[i].empty()) continue;
    const size_t equals = pieces[i].find('=');
    if (equals == std::string::npos || !proto::is_token(pieces[i].substr(0, equals))) return std::nullopt;
    const std::string name = fuzz::lower(pieces[i].substr(0, equals));
    const std::string written = pieces[i].substr(equals + 1);
    const auto value = value_of(written);
    if (!value) return std::nullopt;
    if (name != "q") {
      element.parameters.emplace_back(name, *value);
      continue;
    }
    element.weight = weight_of(written);
    if (weighed || element.weight < 0) return std::nullopt;
    weighed = true;
  }
  return element;
}

enum Field { media, language, encoding, charset };

bool is_well_formed(Field field, std::string& value) {
  if (field != media) {
    if (field == encoding && (value == "x-gzip" || value == "x-compress")) value = value.substr(2);
    return proto::is_token(value);
  }
  if (value == "*") value = "*/*";
  const size_t slash = value.find('/');
  if (slash == value.npos || !proto::is_token(value.substr(0, slash)) || !proto::is_token(value.substr(slash + 1))) return false;
  return value[0] != '*' || slash != 1 || value == "*/*";
}

std::vector<PlainElement> elements_of(Field field, const Strings& lines) {
  std::vector<PlainElement> all;
  size_t count = 0;
  for (const std::string& line : lines) {
    for (const std::string& text : split(line, ',')) {
      if (text.empty()) continue;
      if (count++ == proto::kMaxAcceptElements) return all;
      auto element = element_of(text);
      if (element && is_well_formed(field, element->value)) all.push_back(*element);
    }
  }
  return all;
}

// Three numbers, the greater the more specific; nothing when it does not match.
using Specificity = std::optional<std::pair<int, size_t>>;

Specificity match_media(const PlainElement& element, const std::string& offer) {
  const PlainElement offered = *element_of(offer);
  std::string type = offered.value;
  if (type.find('/') == type.npos) type = proto::media_type_of(type);
  if (type.empty()) return std::nullopt;
  const std::string prefix = type.substr(0, type.find('/'));
  const int names = element.value == type ? 3 : element.value == prefix + "/*" ? 2 : element.value == "*/*" ? 1 : 0;
  if (names == 0) return std::nullopt;
  std::map<std::string, std::string> has(offered.parameters.begin(), offered.parameters.end());
  size_t matched = 0;
  for (const auto& [name, value] : element.parameters) {
    if (!has.count(name) && name == "charset") continue;
    if (!has.count(name) || has[name] != value) return std::nullopt;
    matched++;
  }
  return std::make_pair(names, matched);
}

Specificity match(Field field, const PlainElement& element, std::string offer) {
  if (field == media) return match_media(element, offer);
  offer = fuzz::lower(offer);
  if (field == encoding && offer.starts_with("x-")) offer = offer.substr(2);
  if (element.value == offer) return std::make_pair(4, size_t{0});
  if (field == language && offer.starts_with(element.value + "-")) return std::make_pair(3, element.value.size());
  if (field == language && element.value.starts_with(offer + "-") && element.weight > 0) return std::make_pair(2, offer.size());
  if (element.value == "*") return std::make_pair(1, size_t{0});
  return std::nullopt;
}

std::optional<size_t> plain_choice(Field field, const Strings& lines, const std::vector<std::string_view>& offers) {
  const std::vector<PlainElement> elements = elements_of(field, lines);
  if (elements.empty() && field != encoding) return 0;
  using Rank = std::pair<int, Specificity>;
  std::vector<std::pair<Rank, size_t>> ranked;
  for (size_t i = 0; i < offers.size(); i++) {
    std::optional<std::pair<Specificity, int>> said;
    for (const PlainElement& element : elements) {
      const Specificity specificity = match(field, element, std::string(offers[i]));
      if (specificity) said = std::max(said, std::make_optional(std::make_pair(specificity, element.weight)));
    }
    if (said && said->second > 0) ranked.push_back({{said->second, said->first}, i});
    if (!said && field == encoding && offers[i] == "identity") ranked.push_back({{0, std::nullopt}, i});
  }
  if (ranked.empty()) return std::nullopt;
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  return ranked[0].second;
}

const std::vector<std::string_view> kOffers[] = {
    {"json", "html", "text/html;level=1", "text/plain; charset=utf-8", "nonsense"}, {"en", "de", "de-AT", "en-US", "de-AT-1996"},
    {"br", "gzip", "x-compress", "identity"}, {"utf-8", "iso-8859-1"}};
constexpr std::optional<size_t> (*kNegotiate[])(proto::Views, proto::Views) noexcept = {
    proto::accept_media_type, proto::accept_language, proto::accept_encoding, proto::accept_charset};

void check_content_type(const std::string& text) {
  const std::vector<std::string_view> types = {"json", "+json", "text/*", "multipart", "urlencoded", "*/*"};
  std::string media = fuzz::lower(text.substr(0, text.find(';')));
  media = media.find_first_not_of(" \t") == media.npos ? "" : media.substr(media.find_first_not_of(" \t"), media.find_last_not_of(" \t") + 1 - media.find_first_not_of(" \t"));
  const size_t slash = std::min(media.find('/'), media.size());
  const bool good = proto::is_token(media.substr(0, slash)) && slash < media.size() && proto::is_token(media.substr(slash + 1));
  const bool suffix = media.ends_with("+json") && media.size() - slash > 6;
  const bool is[] = {media == "application/json" || suffix, suffix, media.starts_with("text/"), media.starts_with("multipart/"),
                     media == "application/x-www-form-urlencoded", true};
  for (size_t i = 0; i < types.size(); i++) {
    FUZZ_CHECK(proto::is_media_type(text, proto::Views(types).subspan(i, 1)).has_value() == (good && is[i]));
  }
  const auto first = proto::is_media_type(text, types);
  FUZZ_CHECK(first.has_value() == good && (!first || is[*first]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint8_t how = input.control();
  const auto field = static_cast<Field>(how & 3);
  Strings lines;
  if (!(how & 4)) {
    std::string rest(base::as_text(input.rest()));
    for (size_t at = 0; at <= rest.size();) {
      const size_t end = std::min(rest.find('\n', at), rest.size());
      lines.push_back(rest.substr(at, end - at));
      at = end + 1;
    }
  }
  std::vector<fuzz::Exact> exact;
  std::vector<std::string_view> views;
  for (const std::string& line : lines) {
    exact.emplace_back(base::as_bytes(line));
    views.push_back(base::as_text(exact.back().span()));
  }
  std::vector<std::string_view> offers = kOffers[field];
  std::rotate(offers.begin(), offers.begin() + (how >> 3) % static_cast<int>(offers.size()), offers.end());
  FUZZ_CHECK(kNegotiate[field](views, offers) == plain_choice(field, lines, offers));
  FUZZ_CHECK(!kNegotiate[field](views, {}));
  if (!lines.empty()) check_content_type(lines[0]);
  return 0;
}

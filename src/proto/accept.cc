// See accept.h. The elements are read into a table once; each offer is then held against all of them. What differs between
// the four fields is one function: how specifically an element names an offer, 0 when it does not.
#include "proto/accept.h"

#include <algorithm>

#include "base/text.h"
#include "proto/http_chars.h"
#include "proto/parameters.h"
#include "proto/short_types.h"

namespace martlet::proto {

namespace {

// The next parameter of those in `text`, which are well-formed or those of an offer.
bool take_parameter(std::string_view& text, Parameter& parameter) noexcept {
  while (!text.empty()) {
    if (split_parameter(take_piece(text, ';'), parameter)) return true;
  }
  return false;
}

constexpr uint16_t kMost = 1000;

// qvalue (RFC 9110 §12.4.2), with any number of digits and without the 0: what is above 0 stays above it.
bool parse_weight(std::string_view text, uint16_t& weight) noexcept {
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view digits = text.substr(std::min(point + 1, text.size()));
  if (digits.find_first_not_of("0123456789") != digits.npos) return false;
  const bool some = digits.find_first_not_of('0') != digits.npos;
  if (whole == "1") {
    weight = kMost;
    return !some;
  }
  if (whole != "0" && (!whole.empty() || digits.empty())) return false;
  weight = 0;
  for (size_t i = 0; i < 3; i++) {
    weight = static_cast<uint16_t>(weight * 10 + (i < digits.size() ? digits[i] - '0' : 0));
  }
  if (some) weight = std::max<uint16_t>(weight, 1);
  return true;
}

struct Element {
  std::string_view value;
  std::string_view parameters;  // behind the ';', all well-formed
  uint16_t weight;
};

struct Elements {
  Element list[kMaxAcceptElements];
  size_t count = 0;
};

// Recipients take any parameter "q" for the weight, wherever it stands (RFC 9110 §12.5.1).
bool settle_weight(Element& element) noexcept {
  bool weighed = false;
  for (std::string_view rest = element.parameters; !rest.empty();) {
    const std::string_view piece = take_piece(rest, ';');
    if (piece.empty()) continue;
    Parameter parameter;
    if (!split_parameter(piece, parameter)) return false;
    if (!base::same_text(parameter.name, "q")) continue;
    if (weighed || !parse_weight(parameter.value, element.weight)) return false;
    weighed = true;
  }
  return true;
}

bool parse_element(std::string_view text, Element& element) noexcept {
  element.value = take_piece(text, ';');
  element.parameters = text;
  element.weight = kMost;
  return settle_weight(element);
}

// Reads the elements whose value is `well_formed`, which may put another in its place.
template <typename WellFormed>
void read_elements(Views lines, Elements& elements, WellFormed well_formed) noexcept {
  size_t looked_at = 0;
  for (std::string_view line : lines) {
    while (!line.empty()) {
      const std::string_view text = take_piece(line, ',');
      if (text.empty()) continue;
      if (looked_at++ == kMaxAcceptElements) return;
      Element& element = elements.list[elements.count];
      if (parse_element(text, element) && well_formed(element.value)) elements.count++;
    }
  }
}

struct Wish {
  uint32_t weight = 0;       // twice the thousandths of q, so that there is something less than the least of them
  uint32_t specificity = 0;  // 0: nothing is said

  bool less_than(const Wish& other) const noexcept {
    return weight != other.weight ? weight < other.weight : specificity < other.specificity;
  }
};

template <typename Match>
Wish wish_for(const Elements& elements, std::string_view offer, Match match) noexcept {
  Wish wish;
  for (size_t i = 0; i < elements.count; i++) {
    const Element& element = elements.list[i];
    const Wish said{uint32_t{element.weight} * 2, match(element, offer)};
    if (said.specificity == 0 || said.specificity < wish.specificity) continue;
    if (said.specificity > wish.specificity || said.weight > wish.weight) wish = said;
  }
  return wish;
}

template <typename WishFor>
std::optional<size_t> choose(Views offers, WishFor wish_for_offer) noexcept {
  std::optional<size_t> chosen;
  Wish most;
  for (size_t i = 0; i < offers.size(); i++) {
    const Wish wish = wish_for_offer(offers[i]);
    if (wish.weight == 0 || (chosen && !most.less_than(wish))) continue;
    most = wish;
    chosen = i;
  }
  return chosen;
}

template <typename WellFormed, typename Match>
std::optional<size_t> negotiate(Views lines, Views offers, WellFormed well_formed, Match match) noexcept {
  if (offers.empty()) return std::nullopt;
  Elements elements;
  read_elements(lines, elements, well_formed);
  if (elements.count == 0) return 0;
  return choose(offers, [&](std::string_view offer) { return wish_for(elements, offer, match); });
}

struct MediaType {
  std::string_view type, subtype;
};

bool split_media_type(std::string_view text, MediaType& media) noexcept {
  const size_t slash = text.find('/');
  if (slash == text.npos) return false;
  media = {text.substr(0, slash), text.substr(slash + 1)};
  return is_token(media.type) && is_token(media.subtype);
}

// media-range; "*" stands for all where old clients send it.
bool settle_media_range(std::string_view& value) noexcept {
  if (value == "*") value = "*/*";
  MediaType media;
  return split_media_type(value, media) && (media.type != "*" || media.subtype == "*");
}

// How many of the element's parameters are the offer's, or -1 when one is not.
int match_parameters(std::string_view wanted, std::string_view offered) noexcept {
  int matched = 0;
  for (Parameter want; take_parameter(wanted, want);) {
    if (base::same_text(want.name, "q")) continue;
    bool named = false;
    bool same = false;
    std::string_view rest = offered;
    for (Parameter offer; !named && take_parameter(rest, offer);) {
      named = base::same_text(offer.name, want.name);
      same = named && same_value(offer.value, want.value);
    }
    if (!same && (named || !base::same_text(want.name, "charset"))) return -1;
    matched += same;
  }
  return matched;
}

uint32_t match_media(const Element& element, std::string_view offer) noexcept {
  std::string_view parameters = offer;
  std::string_view name = take_piece(parameters, ';');
  if (name.find('/') == name.npos) name = media_type_of(name);
  MediaType want;
  MediaType media;
  if (!split_media_type(name, media) || !split_media_type(element.value, want)) return 0;
  if (want.type != "*" && !base::same_text(want.type, media.type)) return 0;
  if (want.subtype != "*" && !base::same_text(want.subtype, media.subtype)) return 0;
  const int matched = match_parameters(element.parameters, parameters);
  if (matched < 0) return 0;
  const uint32_t names = want.type == "*" ? 1 : want.subtype == "*" ? 2 : 3;
  return names << 16 | static_cast<uint32_t>(matched);
}

// Whether `tag` is `range`, or begins with it and a '-'.
bool is_within(std::string_view tag, std::string_view range) noexcept {
  return tag.size() > range.size() && tag[range.size()] == '-' && base::same_text(tag.substr(0, range.size()), range);
}

uint32_t match_language(const Element& element, std::string_view offer) noexcept {
  const auto length = [](std::string_view tag) { return static_cast<uint32_t>(std::min<size_t>(tag.size(), 0xFFFF)); };
  if (base::same_text(element.value, offer)) return 3 << 16;
  if (is_within(offer, element.value)) return 2 << 16 | length(element.value);
  // Who does not want "en-US" has not said that about "en".
  if (is_within(element.value, offer) && element.weight > 0) return 1 << 16 | length(offer);
  return element.value == "*" ? 1 : 0;
}

uint32_t match_name(const Element& element, std::string_view offer) noexcept {
  return base::same_text(element.value, offer) ? 2 : element.value == "*" ? 1 : 0;
}

std::string_view coding_of(std::string_view name) noexcept {
  const bool old = base::same_text(name, "x-gzip") || base::same_text(name, "x-compress");  // RFC 9110 §8.4.1
  return old ? name.substr(2) : name;
}

Wish wish_for_coding(const Elements& elements, std::string_view offer) noexcept {
  const std::string_view coding = coding_of(offer);
  const Wish wish = wish_for(elements, coding, match_name);
  const bool unsaid = wish.specificity == 0 && base::same_text(coding, "identity");
  return unsaid ? Wish{1, 0} : wish;
}

bool ends_with_text(std::string_view text, std::string_view end) noexcept {
  return text.size() > end.size() && base::same_text(text.substr(text.size() - end.size()), end);
}

// A subtype may be "*", "*+json", or one.
bool is_subtype(std::string_view subtype, std::string_view wanted) noexcept {
  if (wanted == "*") return true;
  return wanted.starts_with("*+") ? ends_with_text(subtype, wanted.substr(1)) : base::same_text(subtype, wanted);
}

bool is_of_short_name(const MediaType& media, std::string_view name) noexcept {
  if (base::same_text(name, "multipart")) return base::same_text(media.type, name);
  const bool xml = base::same_text(name, "xml");
  if (xml && base::same_text(media.type, "text") && base::same_text(media.subtype, name)) return true;  // RFC 7303 §9.2
  if (xml && ends_with_text(media.subtype, "+xml")) return true;
  if (base::same_text(name, "json") && ends_with_text(media.subtype, "+json")) return true;
  MediaType wanted;
  return split_media_type(media_type_of(name), wanted) && base::same_text(media.type, wanted.type) &&
         base::same_text(media.subtype, wanted.subtype);
}

bool is_of_type(const MediaType& media, std::string_view type) noexcept {
  if (type.starts_with('+')) return ends_with_text(media.subtype, type);
  if (type.find('/') == type.npos) return is_of_short_name(media, type);
  MediaType wanted;
  if (!split_media_type(type, wanted)) return false;
  return (wanted.type == "*" || base::same_text(media.type, wanted.type)) && is_subtype(media.subtype, wanted.subtype);
}

}  // namespace

std::optional<size_t> accept_media_type(Views lines, Views offers) noexcept {
  return negotiate(lines, offers, settle_media_range, match_media);
}

std::optional<size_t> accept_language(Views lines, Views offers) noexcept {
  return negotiate(lines, offers, [](std::string_view value) { return is_token(value); }, match_language);
}

std::optional<size_t> accept_charset(Views lines, Views offers) noexcept {
  return negotiate(lines, offers, [](std::string_view value) { return is_token(value); }, match_name);
}

std::optional<size_t> accept_encoding(Views lines, Views offers) noexcept {
  Elements elements;
  read_elements(lines, elements, [](std::string_view& value) {
    value = coding_of(value);
    return is_token(value);
  });
  return choose(offers, [&](std::string_view offer) { return wish_for_coding(elements, offer); });
}

std::optional<size_t> is_media_type(std::string_view content_type, Views types) noexcept {
  MediaType media;
  if (!split_media_type(base::trimmed(content_type.substr(0, content_type.find(';'))), media)) return std::nullopt;
  for (size_t i = 0; i < types.size(); i++) {
    if (is_of_type(media, types[i])) return i;
  }
  return std::nullopt;
}

}  // namespace martlet::proto

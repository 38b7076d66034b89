// See permessage_deflate.h, and ws_extensions.h for the grammar. A field that breaks it ends there: what stood before
// counts. (The handshake has refused such a request.)
#include "proto/permessage_deflate.h"

#include <cstring>

#include "base/bytes.h"
#include "proto/ws_extensions.h"

namespace martlet::proto {

namespace {

constexpr std::string_view kName = "permessage-deflate";
constexpr std::string_view kServerTakeover = "server_no_context_takeover";
constexpr std::string_view kClientTakeover = "client_no_context_takeover";
constexpr std::string_view kServerBits = "server_max_window_bits";
constexpr std::string_view kClientBits = "client_max_window_bits";

struct Offer {
  bool good = true;  // nothing in it that we must decline
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  uint8_t server_max_window_bits = 0;  // 0: not there
  uint8_t client_max_window_bits = 0;  // 0: not there; 15 also when it has no value
};

// 8 to 15 in decimal without leading zeros; else 0.
uint8_t window_bits(std::string_view value) noexcept {
  if (value == "8" || value == "9") return static_cast<uint8_t>(value[0] - '0');
  const bool two = value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5';
  return two ? static_cast<uint8_t>(10 + value[1] - '0') : 0;
}

// One parameter into the offer. False: unknown, twice, with a value that it may not have or without one that it needs.
bool note(Offer& offer, std::string_view name, bool valued, std::string_view value) noexcept {
  const auto flag = [valued](bool& there) {
    if (valued || there) return false;
    return there = true;
  };
  const auto bits = [value](uint8_t& there) {
    if (there) return false;
    there = window_bits(value);
    return there != 0;
  };
  if (base::equals_lower(name, kServerTakeover)) return flag(offer.server_no_context_takeover);
  if (base::equals_lower(name, kClientTakeover)) return flag(offer.client_no_context_takeover);
  if (base::equals_lower(name, kServerBits)) return valued && bits(offer.server_max_window_bits);
  if (!base::equals_lower(name, kClientBits)) return false;
  if (valued) return bits(offer.client_max_window_bits);
  if (offer.client_max_window_bits) return false;
  offer.client_max_window_bits = 15;
  return true;
}

// The parameters of an extension, to its end. False: the grammar is broken.
bool read_parameters(ExtensionScanner& scanner, Offer& offer) noexcept {
  while (scanner.take(';')) {
    std::string_view name;
    char value[4];  // no value of ours is longer
    size_t size = 0;
    if (!scanner.take_token(name)) return false;
    const bool valued = scanner.take('=');
    if (valued && !scanner.take_value(value, sizeof value, size)) return false;
    const bool fits = size <= sizeof value;
    offer.good = fits && offer.good && note(offer, name, valued, {value, size});
  }
  return scanner.at_end_of_element();
}

uint8_t least(uint8_t a, uint8_t b) noexcept { return a < b ? a : b; }

bool accept(const Offer& offer, const DeflatePreferences& preferences, DeflateTerms& terms) noexcept {
  if (!offer.good) return false;
  const uint8_t server_bits = offer.server_max_window_bits ? offer.server_max_window_bits : 15;
  terms.server_context_takeover = preferences.server_context_takeover && !offer.server_no_context_takeover;
  terms.client_context_takeover = preferences.client_context_takeover && !offer.client_no_context_takeover;
  terms.server_max_window_bits = least(server_bits, preferences.server_max_window_bits);
  terms.answers_server_bits = offer.server_max_window_bits != 0;
  // A client that does not offer it may use all 15 (§7.1.2.2).
  const bool may_limit = offer.client_max_window_bits != 0;
  terms.client_max_window_bits = may_limit ? least(offer.client_max_window_bits, preferences.client_max_window_bits) : 15;
  terms.answers_client_bits = may_limit && terms.client_max_window_bits < 15;
  return true;
}

// The first acceptable offer of one field.
bool negotiate_field(std::string_view field, const DeflatePreferences& preferences, uint32_t& seen,
                     DeflateTerms& terms) noexcept {
  ExtensionScanner scanner(field);
  do {
    std::string_view name;
    if (!scanner.take_token(name)) continue;  // an empty element, or the end
    if (seen++ == kMaxExtensions) return false;
    Offer offer;
    if (!read_parameters(scanner, offer)) return false;
    if (base::equals_lower(name, kName) && accept(offer, preferences, terms)) return true;
  } while (scanner.take(','));
  return false;
}

}  // namespace

bool negotiate_deflate(const RequestHead& head, const uint8_t* base, const DeflatePreferences& preferences,
                       DeflateTerms& terms) noexcept {
  uint32_t seen = 0;
  for (uint32_t i = 0; i < head.field_count && seen <= kMaxExtensions; i++) {
    if (head.fields[i].name != FieldName::sec_websocket_extensions) continue;
    if (negotiate_field(head.value(base, head.fields[i]), preferences, seen, terms)) return true;
  }
  return false;
}

size_t encode_deflate_answer(const DeflateTerms& terms, char* out) noexcept {
  size_t size = 0;
  const auto put = [&](std::string_view text) {
    std::memcpy(out + size, text.data(), text.size());
    size += text.size();
  };
  const auto put_parameter = [&](std::string_view name) {
    put("; ");
    put(name);
  };
  const auto put_bits = [&](std::string_view name, uint8_t bits) {
    const char digits[] = {'=', '1', static_cast<char>('0' + bits % 10)};
    put_parameter(name);
    put({digits, 1});
    put(bits < 10 ? std::string_view(digits + 2, 1) : std::string_view(digits + 1, 2));
  };
  put(kName);
  if (!terms.server_context_takeover) put_parameter(kServerTakeover);
  if (!terms.client_context_takeover) put_parameter(kClientTakeover);
  if (terms.answers_server_bits) put_bits(kServerBits, terms.server_max_window_bits);
  if (terms.answers_client_bits) put_bits(kClientBits, terms.client_max_window_bits);
  return size;
}

}  // namespace martlet::proto

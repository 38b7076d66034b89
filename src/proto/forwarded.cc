// See forwarded.h.
#include "proto/forwarded.h"

#include <algorithm>

#include "base/text.h"
#include "proto/field_views.h"
#include "proto/http_chars.h"
#include "proto/http_rules.h"
#include "proto/parameters.h"

namespace martlet::proto {

namespace {

using Views = ForwardedLines::Views;
using codec::IpAddress;

enum class Quotes : bool { none, strings };

// The elements of a list from the last to the first, through all lines. Empty ones are none (RFC 9110 §5.6.1.2).
class BackwardElements {
 public:
  BackwardElements(Views lines, Quotes quotes) noexcept : lines_(lines), quotes_(quotes) {}

  bool next(std::string_view& element) noexcept {
    for (;;) {
      while (!rest_.empty()) {
        element = quotes_ == Quotes::strings ? take_last_piece(rest_, ',') : take_behind_comma();
        if (!element.empty()) return true;
      }
      if (lines_.empty()) return false;
      rest_ = lines_.back();
      lines_ = lines_.first(lines_.size() - 1);
    }
  }

 private:
  std::string_view take_behind_comma() noexcept {
    const size_t comma = rest_.rfind(',');
    const size_t begin = comma == rest_.npos ? 0 : comma + 1;
    const std::string_view piece = base::trimmed(rest_.substr(begin));
    rest_ = rest_.substr(0, begin == 0 ? 0 : comma);
    return piece;
  }

  Views lines_;
  std::string_view rest_;
  Quotes quotes_;
};

// obfnode and obfport (RFC 7239 §6): "_" and letters, figures, '.', '_', '-'.
bool is_obfuscated(std::string_view text) noexcept {
  const auto fits = [](char c) {
    const char lower = base::ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return text.size() > 1 && text[0] == '_' && std::all_of(text.begin(), text.end(), fits);
}

bool parse_number(std::string_view text, uint16_t& number) noexcept {
  uint32_t value = 0;
  for (const char c : text) {
    if (!has_class(static_cast<uint8_t>(c), char_class::digit)) return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  number = static_cast<uint16_t>(value);
  return !text.empty() && text.size() <= 5 && value <= 65535;
}

// What may stand behind an address.
bool is_node_end(std::string_view text) noexcept {
  uint16_t port;
  return text.empty() || (text[0] == ':' && (parse_number(text.substr(1), port) || is_obfuscated(text.substr(1))));
}

enum class Node : uint8_t { malformed, hidden, known };

// node (RFC 7239 §6): an IPv4 address, an IPv6 one in brackets, "unknown" or an obfuscated name; with a port or without.
Node parse_node(std::string_view text, IpAddress& address) noexcept {
  const bool bracket = text.starts_with('[');
  const size_t end = std::min(text.find(bracket ? ']' : ':'), text.size());
  if (bracket && end == text.size()) return Node::malformed;
  if (!is_node_end(text.substr(bracket ? end + 1 : end))) return Node::malformed;
  const std::string_view name = bracket ? text.substr(1, end - 1) : text.substr(0, end);
  if (!bracket && (base::same_text(name, "unknown") || is_obfuscated(name))) return Node::hidden;
  const std::optional<IpAddress> parsed = bracket ? codec::parse_ipv6(name) : codec::parse_ipv4(name);
  if (!parsed) return Node::malformed;
  address = *parsed;
  return Node::known;
}

// What proxies write into X-Forwarded-For: the same, and IPv6 addresses as they are.
Node parse_x_node(std::string_view text, IpAddress& address) noexcept {
  const Node node = parse_node(text, address);
  if (node != Node::malformed) return node;
  const std::optional<IpAddress> parsed = codec::parse_ipv6(text);
  if (!parsed) return Node::malformed;
  address = *parsed;
  return Node::known;
}

Scheme parse_scheme(std::string_view text) noexcept {
  if (base::same_text(text, "https") || base::same_text(text, "wss")) return Scheme::https;
  if (base::same_text(text, "http") || base::same_text(text, "ws")) return Scheme::http;
  return Scheme::unsaid;
}

// Notes one more address; whether the walk goes on behind it.
bool add_hop(const codec::IpRanges& trusted, const IpAddress& address, ClientOrigin& origin) noexcept {
  origin.hops[origin.hop_count++] = address;
  origin.client = address;
  return trusted.contains(address) && origin.hop_count < kMaxForwardedHops;
}

// forwarded-element (RFC 7239 §4).
struct ForwardedElement {
  std::string_view of_for, of_by, of_host, of_proto;  // as written; empty: not there

  std::string_view* find(std::string_view name) noexcept {
    if (base::same_text(name, "for")) return &of_for;
    if (base::same_text(name, "by")) return &of_by;
    if (base::same_text(name, "host")) return &of_host;
    return base::same_text(name, "proto") ? &of_proto : nullptr;
  }
};

bool parse_element(std::string_view text, ForwardedElement& element) noexcept {
  while (!text.empty()) {
    const std::string_view piece = take_piece(text, ';');
    if (piece.empty()) continue;
    Parameter parameter;
    if (!split_parameter(piece, parameter)) return false;
    std::string_view* const place = element.find(parameter.name);
    if (!place) continue;
    if (!place->empty()) return false;  // once at most
    *place = parameter.value;
  }
  return true;
}

// Of values with quoted pairs nothing is understood: no address, host or scheme needs one.
bool take_element(const ForwardedPolicy& policy, std::string_view text, ClientOrigin& origin) noexcept {
  ForwardedElement element;
  if (!parse_element(text, element)) return false;
  IpAddress address;
  const Node node = element.of_for.empty() ? Node::hidden : parse_node(unquoted(element.of_for), address);
  if (node == Node::malformed) return false;
  const Scheme scheme = parse_scheme(unquoted(element.of_proto));
  if (policy.believes_proto && scheme != Scheme::unsaid) origin.scheme = scheme;
  const std::string_view host = unquoted(element.of_host);
  if (policy.believes_host && is_host(host)) origin.host = host;
  return node == Node::known && add_hop(*policy.trusted, address, origin);
}

void read_forwarded(const ForwardedPolicy& policy, Views lines, ClientOrigin& origin) noexcept {
  BackwardElements elements(lines, Quotes::strings);
  for (std::string_view element; elements.next(element) && take_element(policy, element, origin);) {
  }
}

size_t count_elements(Views lines) noexcept {
  size_t count = 0;
  BackwardElements elements(lines, Quotes::none);
  for (std::string_view element; elements.next(element);) count++;
  return count;
}

// Walks X-Forwarded-For; answers which element, counted from the end, the last believed hop has written.
size_t walk_x_for(const codec::IpRanges& trusted, Views lines, ClientOrigin& origin) noexcept {
  BackwardElements elements(lines, Quotes::none);
  size_t place = 0;
  for (std::string_view element; elements.next(element); place++) {
    IpAddress address;
    const Node node = parse_x_node(element, address);
    if (node == Node::malformed) break;
    if (node == Node::hidden || !add_hop(trusted, address, origin)) return place;
  }
  return place > 0 ? place - 1 : 0;
}

// The element of another list that belongs to that place.
std::string_view element_beside(Views lines, size_t for_count, size_t place) noexcept {
  if (count_elements(lines) != for_count) place = 0;
  std::string_view element;
  BackwardElements elements(lines, Quotes::none);
  for (size_t i = 0; i <= place; i++) {
    if (!elements.next(element)) return {};
  }
  return element;
}

void read_x_forwarded(const ForwardedPolicy& policy, const ForwardedLines& lines, ClientOrigin& origin) noexcept {
  const size_t place = walk_x_for(*policy.trusted, lines.x_for, origin);
  const size_t count = count_elements(lines.x_for);
  if (policy.believes_proto) origin.scheme = parse_scheme(element_beside(lines.x_proto, count, place));
  if (!policy.believes_host) return;
  const std::string_view host = element_beside(lines.x_host, count, place);
  if (is_host(host)) origin.host = host;
  if (!parse_number(element_beside(lines.x_port, count, place), origin.port)) origin.port = 0;
}

}  // namespace

ClientOrigin find_client(const Peer& peer, const ForwardedPolicy& policy, const ForwardedLines& lines) noexcept {
  ClientOrigin origin;
  origin.client = peer.address;
  origin.peer_trusted = policy.trusted && peer.is_in(*policy.trusted);
  if (!origin.peer_trusted) return origin;
  if (policy.family == ForwardedFamily::forwarded) read_forwarded(policy, lines.forwarded, origin);
  if (policy.family == ForwardedFamily::x_forwarded) read_x_forwarded(policy, lines, origin);
  return origin;
}

ClientOrigin find_client(const Peer& peer, const ForwardedPolicy& policy, const RequestHead& head,
                         const uint8_t* base) noexcept {
  if (!policy.trusted || !peer.is_in(*policy.trusted)) return find_client(peer, policy, ForwardedLines{});
  const auto last = [&](std::string_view name) { return FieldViews::last(head, base, name); };
  if (policy.family == ForwardedFamily::forwarded) {
    const FieldViews forwarded = last("forwarded");
    return find_client(peer, policy, ForwardedLines{.forwarded = forwarded.lines()});
  }
  const FieldViews x_for = last("x-forwarded-for");
  const FieldViews x_proto = last("x-forwarded-proto");
  const FieldViews x_host = last("x-forwarded-host");
  const FieldViews x_port = last("x-forwarded-port");
  return find_client(peer, policy, ForwardedLines{{}, x_for.lines(), x_proto.lines(), x_host.lines(), x_port.lines()});
}

}  // namespace martlet::proto

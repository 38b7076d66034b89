// Forwarded and X-Forwarded-*: what the client wrote must not matter. Of each input the client is found as the rules of
// forwarded.h say, by a plain walk over strings; then a proxy appends an element, and the answer must be that of the element
// alone, whatever stood before it. "\n" separates lines, an empty one fields.
#include "fuzz/fuzz.h"
#include "proto/forwarded.h"
#include "proto/http_rules.h"
#include "proto/parameters.h"

using namespace martlet;

namespace {

using proto::ClientOrigin;
using proto::ForwardedFamily;
using Strings = std::vector<std::string>;

const codec::IpRanges& proxies() {
  static const codec::IpRanges ranges = [] {
    codec::IpRanges all;
    FUZZ_CHECK(all.add("10.0.0.0/8,fd00::/8"));
    return all;
  }();
  return ranges;
}

Strings split(const std::string& text, const std::string& at) {
  Strings all;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    all.push_back(text.substr(begin, end - begin));
    begin = end + at.size();
  }
  return all;
}

struct Fields {
  Strings lines[5];
};

ClientOrigin find(const Fields& fields, ForwardedFamily family, const char* peer = "10.0.0.1") {
  std::vector<fuzz::Exact> exact;
  std::vector<std::string_view> views[5];
  for (size_t i = 0; i < 5; i++) {
    for (const std::string& line : fields.lines[i]) {
      exact.emplace_back(base::as_bytes(line));
      views[i].push_back(base::as_text(exact.back().span()));
    }
  }
  ClientOrigin origin = proto::find_client({codec::parse_ip_address(peer)}, {.trusted = &proxies(), .family = family},
                                           {views[0], views[1], views[2], views[3], views[4]});
  FUZZ_CHECK(origin.hop_count <= proto::kMaxForwardedHops && origin.client);
  FUZZ_CHECK(*origin.client == (origin.hop_count ? origin.ip(0) : *codec::parse_ip_address(peer)));
  for (size_t i = 1; i < origin.hop_count; i++) FUZZ_CHECK(proxies().contains(origin.ip(i)));
  FUZZ_CHECK(origin.host.empty() || proto::is_host(origin.host));
  origin.host = {};  // its bytes go
  return origin;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// X-Forwarded-For by a plain walk.
codec::IpAddress plain_client(const Strings& lines) {
  Strings elements;
  for (const std::string& line : lines) {
    for (const std::string& element : split(line, ",")) {
      if (!trimmed(element).empty()) elements.push_back(trimmed(element));
    }
  }
  codec::IpAddress client = *codec::parse_ipv4("10.0.0.1");
  for (size_t hops = 0; hops < proto::kMaxForwardedHops && proxies().contains(client) && !elements.empty(); hops++) {
    std::string text = elements.back();
    elements.pop_back();
    const size_t colon = text.rfind(':');
    const std::string port = colon == text.npos ? "" : text.substr(colon + 1);
    const bool number = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == port.npos && std::stoi(port) <= 65535;
    bool obfuscated = port.size() > 1 && port[0] == '_';
    for (const char c : port) obfuscated = obfuscated && (std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-');
    const bool bare = codec::parse_ipv6(text).has_value();
    if (!bare && (number || obfuscated)) text.resize(colon);
    const bool brackets = text.size() > 2 && text.front() == '[' && text.back() == ']';
    const auto address = brackets ? codec::parse_ipv6(text.substr(1, text.size() - 2)) : bare ? codec::parse_ipv6(text) : codec::parse_ipv4(text);
    if (!address) break;
    client = *address;
  }
  return client;
}

void append(Strings& lines, const std::string& element, bool own_line) {
  if (own_line || lines.empty()) lines.push_back(element);
  else lines.back() += (lines.back().empty() ? "" : ", ") + element;
}

// A proxy that appends, with the client's bytes before it and without.
void check_appended(Fields fields, bool own_line) {
  const std::string elements[] = {"for=1.1.1.1", "for=\"[2001:db8::1]:80\";proto=https", "for=\"1.1.1.1:80\";host=\"a.example:8080\";x=\"\\\"\"", "for=unknown", "for=nonsense", "host=a"};
  for (const std::string& element : elements) {
    Fields whole = fields;
    append(whole.lines[0], element, own_line);
    Fields alone;
    alone.lines[0] = {element};
    const ClientOrigin a = find(whole, ForwardedFamily::forwarded);
    const ClientOrigin b = find(alone, ForwardedFamily::forwarded);
    FUZZ_CHECK(a.client == b.client && a.hop_count == b.hop_count && a.scheme == b.scheme);
  }
  append(fields.lines[1], "1.1.1.1", own_line);
  const ClientOrigin x = find(fields, ForwardedFamily::x_forwarded);
  FUZZ_CHECK(x.hop_count == 1 && x.client == codec::parse_ipv4("1.1.1.1"));
}

// What is well-formed has the same elements from both ends.
void check_directions(const std::string& line) {
  Strings forward;
  for (std::string_view rest = line; !rest.empty();) forward.emplace_back(proto::take_piece(rest, ','));
  for (const std::string& element : forward) {
    for (std::string_view rest = element; !rest.empty();) {
      proto::Parameter parameter;
      if (!proto::split_parameter(proto::take_piece(rest, ';'), parameter)) return;
    }
  }
  Strings backward;
  for (std::string_view rest = line; !rest.empty();) backward.emplace_back(proto::take_last_piece(rest, ','));
  std::reverse(backward.begin(), backward.end());
  std::erase(forward, "");
  std::erase(backward, "");
  FUZZ_CHECK(forward == backward);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const bool own_line = input.control() & 1;
  const std::string text(base::as_text(input.rest()));
  Fields fields;
  const Strings parts = split(text, "\n\n");
  for (size_t i = 0; i < std::min<size_t>(parts.size(), 5); i++) fields.lines[i] = split(parts[i], "\n");
  if (parts.size() == 1) fields.lines[1] = fields.lines[0];
  FUZZ_CHECK(*find(fields, ForwardedFamily::x_forwarded).client == plain_client(fields.lines[1]));
  const ClientOrigin stranger = find(fields, ForwardedFamily::forwarded, "11.0.0.1");
  FUZZ_CHECK(!stranger.peer_trusted && stranger.hop_count == 0 && stranger.scheme == proto::Scheme::unsaid && stranger.port == 0);
  Fields other = fields;
  other.lines[0].clear();
  const ClientOrigin with = find(fields, ForwardedFamily::x_forwarded);
  const ClientOrigin without = find(other, ForwardedFamily::x_forwarded);
  FUZZ_CHECK(with.client == without.client && with.scheme == without.scheme && with.port == without.port);
  check_appended(fields, own_line);
  if (!fields.lines[0].empty()) check_directions(fields.lines[0][0]);
  return 0;
}

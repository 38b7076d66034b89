// See origin_pattern.h. A star stands for whole labels in front of the host, or for the port, so that no part of a name can be
// mistaken for another: "https://*.a.example" is not "https://evil-a.example".
#include "codec/origin_pattern.h"

#include "base/bytes.h"

namespace martlet::codec {

namespace {

constexpr std::string_view kAnyPort = ":*";
constexpr std::string_view kAnyLabels = "*.";

bool same(std::string_view a, std::string_view b) noexcept {
  size_t i = 0;
  while (i < a.size() && i < b.size() && base::ascii_lower(a[i]) == base::ascii_lower(b[i])) i++;
  return a.size() == b.size() && i == a.size();
}

// Where the host begins; npos when there is none.
size_t host_at(std::string_view origin) noexcept {
  const size_t at = origin.find("://");
  return at == origin.npos ? at : at + 3;
}

// Takes ":8080" off.
void drop_port(std::string_view& host) noexcept {
  const size_t colon = host.find_last_not_of("0123456789");
  if (colon != host.npos && host[colon] == ':' && colon + 1 < host.size()) host = host.substr(0, colon);
}

// "a" or "b.a": no label is empty, and nothing is in it that belongs in no host.
bool are_labels(std::string_view text) noexcept {
  char before = '.';
  for (const char c : text) {
    const char low = base::ascii_lower(c);
    const bool of_label = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!of_label && (c != '.' || before == '.')) return false;
    before = c;
  }
  return before != '.';
}

}  // namespace

const char* wrong_origin(std::string_view pattern) noexcept {
  const size_t at = host_at(pattern);
  if (at == pattern.npos) {
    return pattern == "*" || pattern == "null" ? nullptr : "an origin is \"scheme://host\" or \"scheme://host:port\"";
  }
  std::string_view host = pattern.substr(at);
  if (host.ends_with(kAnyPort)) host.remove_suffix(kAnyPort.size());
  if (host.starts_with(kAnyLabels)) host.remove_prefix(host.size() > kAnyLabels.size() ? kAnyLabels.size() : 0);
  if (host.find('*') != host.npos || pattern.substr(0, at).find('*') != pattern.npos) {
    return "the '*' of an origin stands for all of it, for its port, or for what is before \".host\"";
  }
  return host.find_first_of("/?#@ ") == host.npos ? nullptr : "an origin has no path: it ends with its host or port";
}

bool is_origin(std::string_view pattern, std::string_view origin) noexcept {
  if (pattern == "*") return true;
  const size_t at = host_at(pattern);
  if (at == pattern.npos || !same(pattern.substr(0, at), origin.substr(0, at))) return at == pattern.npos && same(pattern, origin);
  std::string_view host = pattern.substr(at);
  origin.remove_prefix(at);
  if (host.ends_with(kAnyPort)) {
    host.remove_suffix(kAnyPort.size());
    drop_port(origin);
  }
  if (!host.starts_with(kAnyLabels)) return same(host, origin);
  host.remove_prefix(1);
  if (origin.size() <= host.size()) return false;
  const size_t labels = origin.size() - host.size();
  return same(origin.substr(labels), host) && are_labels(origin.substr(0, labels));
}

}  // namespace martlet::codec

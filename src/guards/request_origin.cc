// See request_origin.h.
#include "guards/request_origin.h"

#include <algorithm>

#include "base/text.h"

namespace martlet::guards {

namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

std::string_view scheme_of(std::string_view url) noexcept {
  for (const std::string_view scheme : {kHttp, kHttps}) {
    if (url.size() > scheme.size() && base::equals_lower(url.substr(0, scheme.size()), scheme)) return scheme;
  }
  return {};
}

std::string_view without_port(std::string_view host, std::string_view port) noexcept {
  return host.ends_with(port) ? host.substr(0, host.size() - port.size()) : host;
}

// Letters of hosts and ports, IPv6 included.
bool is_host_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._:[]").find(c) != std::string_view::npos;
}

}  // namespace

std::string_view origin_of_url(std::string_view url) noexcept {
  const std::string_view scheme = scheme_of(url);
  return scheme.empty() ? scheme : url.substr(0, url.find_first_of("/?#", scheme.size()));
}

bool is_origin_text(std::string_view text) noexcept {
  const std::string_view scheme = scheme_of(text);
  const std::string_view host = text.substr(scheme.size());
  return !scheme.empty() && std::all_of(host.begin(), host.end(), is_host_letter);
}

bool is_of_host(std::string_view origin, std::string_view host) noexcept {
  if (!is_origin_text(origin) || host.empty()) return false;
  const std::string_view scheme = scheme_of(origin);
  const std::string_view own_port = scheme == kHttps ? ":443" : ":80";
  return base::same_text(without_port(origin.substr(scheme.size()), own_port), without_port(host, own_port));
}

}  // namespace martlet::guards

// martlet/proxies.h: which proxies are believed when they say who the client is. A program that names none is linked without
// what reads it.
//
//   App app({.trusted_proxies = {"10.0.0.0/8", "fd00::/8"}});     or one text: "loopback, 192.0.2.7"
//
// Trust only what no client can be: whoever comes from such an address says who it is by a field of the request.
#pragma once

#include <martlet/config.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace martlet {

struct ProxiesAccess;

// Which fields of a trusted proxy are believed: those that it writes, or takes off. What it passes on as it came was written by
// the client.
enum class ProxyFields : uint8_t {
  x_forwarded,      // X-Forwarded-For, -Proto and -Host
  x_forwarded_for,  // X-Forwarded-For alone
  forwarded,        // Forwarded (RFC 7239)
  none,             // none: proxies are trusted for the PROXY protocol and for request ids only
};

// Addresses, ranges of them ("10.0.0.0/8"), "loopback", "linklocal", "uniquelocal", and "unix" for peers on a Unix socket; one
// by one, or with commas between them. Empty: nobody. A mistake in it is the Error of listen().
class MARTLET_LAYOUT TrustedProxies {
 public:
  TrustedProxies() noexcept = default;
  TrustedProxies(std::string_view list);
  TrustedProxies(const char* list) : TrustedProxies(std::string_view(list)) {}
  TrustedProxies(const std::string& list) : TrustedProxies(std::string_view(list)) {}
  TrustedProxies(std::initializer_list<std::string_view> list);
  TrustedProxies(const std::vector<std::string>& list);
  TrustedProxies(const TrustedProxies&) = default;
  TrustedProxies(TrustedProxies&&) = default;
  TrustedProxies& operator=(const TrustedProxies&) = default;
  TrustedProxies& operator=(TrustedProxies&&) = default;
  ~TrustedProxies() = default;

 private:
  friend struct ProxiesAccess;
  struct Parts;  // what it takes to believe them: named by the constructors with a list alone
  void add(std::string_view list);
  std::string list_ = {};
  const Parts* parts_ = nullptr;
};

}  // namespace martlet

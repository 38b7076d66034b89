// The option of proxies.h, and who the client of a request is by what trusted proxies say. All that is needed for it is named
// here, and by the constructors of the option alone.
#include <martlet/proxies.h>

#include "proto/forwarded.h"
#include "session/exchange.h"
#include "session/origin.h"
#include "session/sessions.h"
#include "sys/socket.h"
#include "worker/trust.h"
#include "worker/worker.h"

namespace martlet {

namespace http {

namespace {

struct Proxies final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static constexpr worker::PartHooks kHooks{};
  explicit Proxies(worker::Worker& w) noexcept;

  codec::IpRanges ranges;
  session::OriginFinder finder;
};

proto::ForwardedPolicy policy_of(const Proxies& p) noexcept {
  proto::ForwardedPolicy policy{.trusted = &p.ranges};
  switch (p.worker.options.proxy_fields) {
    case ProxyFields::x_forwarded: break;
    case ProxyFields::x_forwarded_for: policy.believes_proto = policy.believes_host = false; break;
    case ProxyFields::forwarded: policy.family = proto::ForwardedFamily::forwarded; break;
    case ProxyFields::none: policy.family = proto::ForwardedFamily::nobody; break;
  }
  return policy;
}

proto::Peer peer_of(const net::Connection& c) noexcept {
  const sys::PeerAddress peer = sys::peer_of(c.fd);
  using Kind = sys::PeerAddress::Kind;
  if (peer.kind == Kind::ip) return {codec::IpAddress::v6(peer.bytes)};
  return {std::nullopt, peer.kind == Kind::unix_socket};
}

const session::Origin* find_origin(void* context, session::Exchange& e) noexcept {
  const auto& proxies = *static_cast<Proxies*>(context);
  bool is_new = false;
  auto* origin = e.find_or_add<session::Origin>(is_new);
  if (!origin || !is_new) return origin;
  origin->client = proto::find_client(peer_of(*e.connection), policy_of(proxies), e.head, e.base);
  const std::string_view host = origin->client.host;
  if (!host.empty()) {
    origin->host_at = static_cast<uint16_t>(reinterpret_cast<const uint8_t*>(host.data()) - e.base);
    origin->host_length = static_cast<uint16_t>(host.size());
  }
  if (const auto& client = origin->client.client) {
    origin->address.size = static_cast<uint8_t>(codec::format_ip_address(*client, origin->address.text));
  }
  return origin;
}

bool no_proxied(void*, const net::Connection&, session::AddressText&) noexcept { return false; }

Proxies::Proxies(worker::Worker& w) noexcept : Part(w), finder{this, find_origin, no_proxied} {}

Error open(worker::Worker& w, std::string_view list) noexcept {
  auto* proxies = w.parts.find_or_add<Proxies>(w);
  if (!proxies) return Error("out of memory");
  proxies->ranges = codec::IpRanges();
  if (!proxies->ranges.add(list)) return Error::of({"trusted_proxies: \"", list, "\" is no list of addresses and ranges"});
  w.sessions.origins = &proxies->finder;
  return {};
}

}  // namespace

}  // namespace http

namespace {
bool is_blank(std::string_view text) noexcept { return text.find_first_not_of(" \t") == text.npos; }
}  // namespace

void TrustedProxies::add(std::string_view list) {
  static constexpr Parts kParts{http::open};
  if (is_blank(list)) return;
  if (!list_.empty()) list_ += ',';
  list_ += list;
  parts_ = &kParts;
}

TrustedProxies::TrustedProxies(std::string_view list) { add(list); }

TrustedProxies::TrustedProxies(std::initializer_list<std::string_view> list) {
  for (const std::string_view entry : list) add(entry);
}

TrustedProxies::TrustedProxies(const std::vector<std::string>& list) {
  for (const std::string& entry : list) add(entry);
}

}  // namespace martlet

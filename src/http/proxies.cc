// The option of proxies.h, and who the client of a request is by what trusted proxies say. All that is needed for it is named
// here, and by the constructors of the option alone.
#include <martlet/proxies.h>

#include "base/growing_array.h"
#include "proto/forwarded.h"
#include "session/exchange.h"
#include "session/origin.h"
#include "session/proxied.h"
#include "session/sessions.h"
#include "sys/log_line.h"
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
  // By the slot of its connection: who a PROXY header has named. It is good while the generation is the connection's, and is
  // overwritten by the next one that has the slot.
  struct Named {
    uint32_t generation = 0;
    bool by_unix_socket = false;
    codec::IpAddress address;
  };
  base::GrowingArray<Named> named;

  const Named* find(const net::Connection& c) const noexcept {
    return c.slot < named.size() && named[c.slot].generation == c.generation ? &named[c.slot] : nullptr;
  }
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

proto::Peer peer_of_socket(const net::Connection& c) noexcept {
  const sys::PeerAddress peer = sys::peer_of(c.fd);
  using Kind = sys::PeerAddress::Kind;
  if (peer.kind == Kind::ip) return {codec::IpAddress::v6(peer.bytes)};
  return {std::nullopt, peer.kind == Kind::unix_socket};
}

proto::Peer peer_of(const Proxies& proxies, const net::Connection& c) noexcept {
  const Proxies::Named* named = proxies.find(c);
  if (!named) return peer_of_socket(c);
  if (named->by_unix_socket) return {std::nullopt, true};
  return {named->address};
}

const session::Origin* find_origin(void* context, session::Exchange& e) noexcept {
  const auto& proxies = *static_cast<Proxies*>(context);
  bool is_new = false;
  auto* origin = e.find_or_add<session::Origin>(is_new);
  if (!origin || !is_new) return origin;
  origin->client = proto::find_client(peer_of(proxies, *e.connection), policy_of(proxies), e.head, e.base);
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

// The header is asked of trusted peers only: who may write it may be anybody.
void accept_proxied(void* context, net::Connection& c) noexcept {
  auto& proxies = *static_cast<Proxies*>(context);
  if (peer_of_socket(c).is_in(proxies.ranges)) return session::start_proxied(proxies.worker.sessions, c);
  sys::log_limited(LogLevel::warn, "proxy_protocol: a peer that is no trusted proxy was cut", sys::peer_address(c.fd));
  proxies.worker.sessions.stats.bad_requests++;
  c.protocol = &session::proxied_protocol;
  proxies.worker.reactor.abort(c);
}

bool note_proxied(void* context, net::Connection& c, const proto::ProxyHeader& header) noexcept {
  auto& proxies = *static_cast<Proxies*>(context);
  if (header.from == proto::ProxiedFrom::socket) return true;
  while (proxies.named.size() <= c.slot) {
    if (!proxies.named.push({})) return false;
  }
  proxies.named[c.slot] = {c.generation, header.from == proto::ProxiedFrom::unix_socket, header.source};
  return true;
}

bool find_proxied(void* context, const net::Connection& c, session::AddressText& address) noexcept {
  const Proxies::Named* named = static_cast<const Proxies*>(context)->find(c);
  if (!named) return false;
  if (!named->by_unix_socket) address.size = static_cast<uint8_t>(codec::format_ip_address(named->address, address.text));
  return true;
}

Proxies::Proxies(worker::Worker& w) noexcept : Part(w), finder{this, find_origin, accept_proxied, note_proxied, find_proxied} {}

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

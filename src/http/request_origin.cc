// Where a request came from: what trusted proxies say, where there are any (session/origin.h), else the socket and the request.
#include <martlet/request.h>

#include "codec/ip_address.h"
#include "routing/routes.h"
#include "session/exchange.h"
#include "session/origin.h"
#include "session/sessions.h"
#include "sys/socket.h"
#include "worker/parts.h"

namespace martlet {

namespace {

const session::Origin* origin_of(session::Exchange& e) noexcept {
  const session::OriginFinder* finder = e.sessions->origins;
  return finder ? finder->find(finder->context, e) : nullptr;
}

// What the system has said of sockets, for the next requests of their connections: asking again costs a system call. A part, as not every
// program asks. Connections that have one place ask in turns.
struct Peers final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  static constexpr uint32_t kPlaces = 2048;  // 56 KiB
  struct Place {
    base::SlotId connection;
    sys::PeerAddress address;
  };

  explicit Peers(worker::Worker& w) noexcept : Part(w) {}
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;
  ~Peers() override { base::deallocate(places); }

  // Null when memory is out.
  Place* place_of(base::SlotId connection) noexcept {
    if (!places && (places = static_cast<Place*>(base::allocate(kPlaces * sizeof(Place))))) {
      for (uint32_t i = 0; i < kPlaces; i++) new (places + i) Place();
    }
    return places ? &places[connection.slot % kPlaces] : nullptr;
  }
  Place* places = nullptr;
};
const worker::PartHooks Peers::kHooks{};

sys::PeerAddress peer_of(const session::Exchange& e) noexcept {
  using Kind = sys::PeerAddress::Kind;
  if (e.is_kept()) return sys::peer_of(e.descriptor());
  auto& w = *static_cast<routing::RoutedWorker*>(e.sessions->http.context);
  const base::SlotId connection = e.connection->id();
  auto* const peers = w.parts.find_or_add<Peers>(w);
  Peers::Place* const place = peers ? peers->place_of(connection) : nullptr;
  if (place && place->address.kind != Kind::none && place->connection == connection) [[likely]] return place->address;
  const sys::PeerAddress address = sys::peer_of(e.descriptor());
  if (place) *place = {connection, address};
  return address;
}

}  // namespace

std::string Request::ip() const {
  if (const session::Origin* origin = origin_of(*exchange_)) return std::string(origin->address.view());
  const sys::PeerAddress peer = peer_of(*exchange_);
  if (peer.kind != sys::PeerAddress::Kind::ip) return {};
  char text[codec::kIpAddressText];
  return std::string(text, codec::format_ip_address(codec::IpAddress::v6(peer.bytes), text));
}

std::array<uint8_t, 16> Request::ip_bytes() const noexcept {
  if (const session::Origin* origin = origin_of(*exchange_)) {
    return origin->client.client ? origin->client.client->bytes : std::array<uint8_t, 16>{};
  }
  const sys::PeerAddress peer = peer_of(*exchange_);
  return peer.kind == sys::PeerAddress::Kind::ip ? codec::IpAddress::v6(peer.bytes).bytes : std::array<uint8_t, 16>{};
}

std::string_view Request::protocol() const noexcept {
  const session::Origin* origin = origin_of(*exchange_);
  return origin && origin->client.scheme == proto::Scheme::https ? "https" : "http";
}

std::string_view Request::host() const noexcept {
  const session::Exchange& e = *exchange_;
  const session::Origin* origin = origin_of(*exchange_);
  if (origin && origin->host_length) return proto::RequestHead::slice(e.base, origin->host_at, origin->host_length);
  return e.head.host_field < 0 ? std::string_view() : e.head.value(e.base, e.head.fields[e.head.host_field]);
}

std::string_view Request::hostname() const noexcept {
  const std::string_view all = host();
  const size_t bracket = all.starts_with('[') ? all.find(']') : 0;
  return all.substr(0, bracket == all.npos ? bracket : all.find(':', bracket));
}

}  // namespace martlet

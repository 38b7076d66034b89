// Where a request came from: what trusted proxies say, where there are any (session/origin.h), else the socket and the request.
#include <martlet/request.h>

#include <cstring>

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
// program asks. Two connections that have one place ask in turns.
struct PeerTexts final : worker::Part {
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  static constexpr uint32_t kPlaces = 2048;  // 112 KiB
  struct Entry {
    base::SlotId connection;
    session::AddressText address;
  };

  explicit PeerTexts(worker::Worker& w) noexcept : Part(w) {}
  PeerTexts(const PeerTexts&) = delete;
  PeerTexts& operator=(const PeerTexts&) = delete;
  ~PeerTexts() override { base::deallocate(entries); }

  // Null when memory is out.
  Entry* place_of(base::SlotId connection) noexcept {
    if (!entries && (entries = static_cast<Entry*>(base::allocate(kPlaces * sizeof(Entry))))) {
      for (uint32_t i = 0; i < kPlaces; i++) new (entries + i) Entry();
    }
    return entries ? &entries[connection.slot % kPlaces] : nullptr;
  }
  Entry* entries = nullptr;
};
const worker::PartHooks PeerTexts::kHooks{};

// Of the socket, as the system says it.
std::string peer_text(session::Exchange& e) {
  if (e.is_kept()) return sys::peer_address(e.descriptor());
  auto& w = *static_cast<routing::RoutedWorker*>(e.sessions->http.context);
  const base::SlotId connection = e.connection->id();
  auto* const texts = w.parts.find_or_add<PeerTexts>(w);
  PeerTexts::Entry* const place = texts ? texts->place_of(connection) : nullptr;
  if (place && place->address.size && place->connection == connection) return std::string(place->address.view());
  const std::string text = sys::peer_address(e.descriptor());
  if (place) {
    place->connection = connection;
    place->address.size = static_cast<uint8_t>(text.copy(place->address.text, sizeof place->address.text));
  }
  return text;
}

}  // namespace

std::string Request::ip() const {
  if (const session::Origin* origin = origin_of(*exchange_)) return std::string(origin->address.view());
  return peer_text(*exchange_);
}

std::array<uint8_t, 16> Request::ip_bytes() const noexcept {
  if (const session::Origin* origin = origin_of(*exchange_)) {
    return origin->client.client ? origin->client.client->bytes : std::array<uint8_t, 16>{};
  }
  const sys::PeerAddress peer = sys::peer_of(exchange_->descriptor());
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

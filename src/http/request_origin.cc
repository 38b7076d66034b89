// Where a request came from: what trusted proxies say, where there are any (session/origin.h), else the socket and the request.
#include <martlet/request.h>

#include "session/exchange.h"
#include "session/origin.h"
#include "session/sessions.h"
#include "sys/socket.h"

namespace martlet {

namespace {

const session::Origin* origin_of(session::Exchange& e) noexcept {
  const session::OriginFinder* finder = e.sessions->origins;
  return finder ? finder->find(finder->context, e) : nullptr;
}

}  // namespace

std::string Request::ip() const {
  if (const session::Origin* origin = origin_of(*exchange_)) return std::string(origin->address.view());
  return sys::peer_address(exchange_->descriptor());
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

// See limit_key.h.
#include "guards/limit_key.h"

#include <algorithm>
#include <array>

#include "codec/ip_address.h"
#include "guards/field_text.h"

namespace martlet {

LimitKey by_ip(uint8_t ipv6_prefix) {
  LimitKey key(LimitKey::Kind::ip);
  key.ipv6_prefix_ = ipv6_prefix;
  return key;
}

LimitKey by_header(std::string_view name) {
  LimitKey key(LimitKey::Kind::header);
  key.header_ = name;
  return key;
}

LimitKey by_route() { return LimitKey(LimitKey::Kind::route); }
LimitKey by_socket() { return LimitKey(LimitKey::Kind::socket); }

namespace detail {

namespace {

// Each kind has a secret of its own.
base::SipKey of_kind(const base::SipKey& secret, uint64_t kind) noexcept { return {secret.first ^ kind, secret.second}; }
enum : uint64_t { kIp = 1, kHeader = 2, kFunction = 3, kRoute = 4 };

}  // namespace

void take_key(KeyTaker& to, std::string_view key) noexcept {
  if (key.empty()) return;
  to.hash = base::sip_hash(key, to.key);
  to.is_taken = true;
}

const char* LimitKeyAccess::wrong(const LimitKey& key) noexcept {
  const bool is_prefix = key.ipv6_prefix_ >= 1 && key.ipv6_prefix_ <= 128;
  if (key.kind_ == LimitKey::Kind::ip && !is_prefix) return "by_ip: ipv6_prefix is not from 1 to 128";
  return key.kind_ == LimitKey::Kind::header && !guards::is_token(key.header_) ? "by_header: the field has no name" : nullptr;
}

uint64_t LimitKeyAccess::hash_ip(const LimitKey& key, const Request& req, const base::SipKey& secret) noexcept {
  codec::IpAddress address{req.ip_bytes()};
  const size_t bits = address.is_v4() ? 128 : key.kind_ == LimitKey::Kind::ip ? key.ipv6_prefix_ : 56;
  for (size_t i = 0; i < 16; i++) {
    const size_t of_byte = std::clamp<size_t>(bits, 8 * i, 8 * i + 8) - 8 * i;
    address.bytes[i] = static_cast<uint8_t>(address.bytes[i] & (0xff00u >> of_byte));
  }
  return base::sip_hash({reinterpret_cast<const char*>(address.bytes.data()), 16}, of_kind(secret, kIp));
}

std::optional<uint64_t> LimitKeyAccess::hash(const LimitKey& key, const Request& req, const base::SipKey& secret) noexcept {
  using Kind = LimitKey::Kind;
  if (key.kind_ == Kind::route || key.kind_ == Kind::socket) return base::sip_hash({}, of_kind(secret, kRoute));
  KeyTaker taker{.key = of_kind(secret, key.kind_ == Kind::header ? kHeader : kFunction)};
  if (key.kind_ == Kind::header) {
    take_key(taker, req.header(key.header_).value_or(std::string_view()));
  } else if (key.kind_ == Kind::function) {
    bool answered = false;
    if (!key.function_(req, taker, answered)) return std::nullopt;
  }
  return taker.is_taken ? taker.hash : hash_ip(key, req, secret);
}

}  // namespace detail

}  // namespace martlet

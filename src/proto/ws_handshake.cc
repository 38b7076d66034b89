// The server's half of the opening handshake: RFC 6455 §4.2.1 read line by line, and the key of §4.2.2. Fields are
// asked for by number, which the parser has counted, so a request that is no handshake costs one look. Walks over lists
// that a peer writes are bounded (kMaxOffered).
#include "proto/ws_handshake.h"

#include "codec/base64.h"
#include "codec/sha1.h"
#include "proto/http_chars.h"
#include "proto/ws_extensions.h"

namespace martlet::proto {

namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kKeySize = 24;

// The key is never used decoded, and what its last letter says beyond 16 bytes nobody uses: the example of RFC 6455
// §4.1, AQIDBAUGBwgJCgsMDQ4PEC==, has a bit there, as do the keys of clients that draw 22 letters.
bool is_key(std::string_view key) noexcept {
  uint8_t decoded[codec::base64_decoded_bound(kKeySize)];
  return key.size() == kKeySize && codec::decode_base64(key, decoded, codec::UnusedBits::ignored) == 16;
}

Handshake refusal(uint16_t status, const char* cause) noexcept {
  Handshake handshake;
  handshake.status = status;
  handshake.cause = cause;
  return handshake;
}

}  // namespace

bool asks_for_websocket(const RequestHead& head, const uint8_t* base) noexcept {
  if (head.count(FieldName::upgrade) == 0 || head.minor_version == 0) return false;
  for (uint32_t i = 0; i < head.field_count; i++) {
    if (head.fields[i].name != FieldName::upgrade) continue;
    TokenList protocols(head.value(base, head.fields[i]));
    for (std::string_view protocol; protocols.next(protocol);) {
      if (base::equals_lower(protocol, "websocket")) return true;
    }
  }
  return false;
}

Handshake check_handshake(const RequestHead& head, const uint8_t* base) noexcept {
  if (head.method != Method::get) return refusal(400, "A WebSocket handshake is a GET request.");
  if (head.minor_version < 1) return refusal(400, "A WebSocket handshake needs HTTP/1.1.");
  if (!head.connection_upgrade) return refusal(400, "Connection does not name upgrade.");
  if (head.framing != BodyFraming::none && !(head.framing == BodyFraming::content_length && head.content_length == 0)) {
    return refusal(400, "A WebSocket handshake has no body.");
  }
  const Field* version = head.find(FieldName::sec_websocket_version);
  if (!version) return refusal(400, "Sec-WebSocket-Version is missing.");
  if (head.value(base, *version) != "13" || head.count(FieldName::sec_websocket_version) != 1) {
    return refusal(426, "This server speaks version 13 of the WebSocket protocol.");
  }
  const Field* key = head.find(FieldName::sec_websocket_key);
  if (!key) return refusal(400, "Sec-WebSocket-Key is missing.");
  if (head.count(FieldName::sec_websocket_key) != 1) return refusal(400, "Sec-WebSocket-Key stands twice.");
  if (!is_key(head.value(base, *key))) return refusal(400, "Sec-WebSocket-Key is not 16 bytes in Base64.");
  if (!well_formed_extensions(head, base)) return refusal(400, "Sec-WebSocket-Extensions is malformed.");
  Handshake handshake;
  handshake.key = head.value(base, *key);
  if (const Field* f = head.find(FieldName::sec_websocket_protocol)) handshake.protocols = head.value(base, *f);
  if (const Field* f = head.find(FieldName::sec_websocket_extensions)) handshake.extensions = head.value(base, *f);
  return handshake;
}

void accept_key(std::string_view key, char* out) noexcept {
  codec::Sha1 sha;
  sha.update(base::as_bytes(key));
  sha.update(base::as_bytes(kGuid));
  codec::encode_base64(sha.finish(), out);
}

bool OfferedProtocols::next(std::string_view& protocol) noexcept {
  while (next_element(protocol)) {
    if (!is_token(protocol)) continue;
    // Looking through all earlier ones for each is quadratic: kMaxOffered bounds it.
    OfferedProtocols earlier(head_, base_);
    std::string_view other;
    while (earlier.next_element(other) && other.data() != protocol.data() && other != protocol) {
    }
    if (other.data() == protocol.data()) return true;
  }
  return false;
}

bool OfferedProtocols::next_element(std::string_view& element) noexcept {
  if (seen_ == kMaxOffered) return false;
  for (;;) {
    TokenList list(rest_);
    if (list.next(element)) {
      rest_.remove_prefix(static_cast<size_t>(element.data() + element.size() - rest_.data()));
      seen_++;
      return true;
    }
    while (field_ < head_.field_count && head_.fields[field_].name != FieldName::sec_websocket_protocol) field_++;
    if (field_ == head_.field_count) return false;
    rest_ = head_.value(base_, head_.fields[field_++]);
  }
}

}  // namespace martlet::proto

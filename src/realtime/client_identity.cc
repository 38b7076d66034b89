// Who a client says to be: see martlet/sessions.h. A token is 32 bytes in base64url: 16 random ones, which alone are the
// identity, and the first 16 of their HMAC-SHA-256. So a token is known without a table, by whoever has the key; nothing has
// to be kept for those who were given one, and there is nothing to be flooded.
#include "realtime/client_identity.h"

#include <martlet/request.h>

#include <algorithm>
#include <cstring>

#include "base/constant_time.h"
#include "codec/base64.h"
#include "realtime/client_sessions.h"
#include "realtime/commands.h"
#include "sys/process.h"

namespace martlet {

namespace realtime {

namespace {

constexpr size_t kBytes = SaidIdentity::kTokenBytes;
constexpr size_t kMostIdentityBytes = 128;

void write_signed(const codec::HmacKey& key, const uint8_t* id, uint8_t* to) noexcept {
  const codec::Sha256Digest mac = codec::hmac_sha256(key, {id, kBytes});
  std::memcpy(to, id, kBytes);
  std::memcpy(to + kBytes, mac.data(), kBytes);
}

// How long it takes tells nothing of a token that is not ours, but its length.
bool is_ours(const codec::HmacKey& key, std::string_view token, uint8_t* id) noexcept {
  uint8_t said[codec::base64_decoded_bound(kSessionTokenLetters)];
  if (token.size() != kSessionTokenLetters || codec::decode_base64url(token, said) != 2 * kBytes) return false;
  uint8_t good[2 * kBytes];
  write_signed(key, said, good);
  if (!base::equal_in_constant_time(base::ByteSpan(said, sizeof good), base::ByteSpan(good, sizeof good))) return false;
  std::memcpy(id, said, kBytes);
  return true;
}

std::string_view said_in(const Request& req, std::string_view field, std::string_view parameter) noexcept {
  if (const auto value = req.header(field)) return *value;
  return req.query(parameter).value_or(std::string_view());
}

void find_by_token(const codec::HmacKey& key, const Request& req, SaidIdentity& said) noexcept {
  uint8_t id[kBytes];
  said.of_token = true;
  said.fresh = !is_ours(key, said_in(req, "x-session", "session"), id);
  if (said.fresh) sys::random_bytes(id, sizeof id);
  codec::encode_base64url({id, sizeof id}, said.letters);
}

}  // namespace

bool is_identity(std::string_view text) noexcept {
  if (text.empty() || text.size() > kMostIdentityBytes) return false;
  return std::none_of(text.begin(), text.end(), [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f; });
}

void find_identity(const Identify& identify, const codec::HmacKey& key, Request& req, SaidIdentity& said) noexcept {
  if (SessionAccess::by_token(identify)) return find_by_token(key, req, said);
  if (SessionAccess::by_client_id(identify)) {
    said.text = said_in(req, "x-client-id", "clientId");
  } else {
    said.failed = !SessionAccess::ask(identify)(req, said.asked);
    said.text = said.asked;
  }
}

void write_token(const codec::HmacKey& key, std::string_view identity, char* to) noexcept {
  uint8_t id[codec::base64_decoded_bound(SaidIdentity::kTokenLetters)];
  uint8_t bytes[2 * kBytes];
  (void)codec::decode_base64url(identity, id);
  write_signed(key, id, bytes);
  codec::encode_base64url({bytes, sizeof bytes}, to);
}

std::string public_name_of(net::Connection& c) {
  const auto* own = find_slot<ClientOfSocket>(c);
  const std::string_view identity = identity_of(c);
  if (identity.empty() || !SessionAccess::by_client_id(own->part->options.identify)) return std::string(identity);
  codec::HmacSha256 mac(own->part->directory->token_key());
  mac.update(base::as_bytes(std::string_view("a name for others: ")));  // longer than what tokens sign
  mac.update(base::as_bytes(identity));
  const codec::Sha256Digest digest = mac.finish();
  char letters[SaidIdentity::kTokenLetters];
  codec::encode_base64url({digest.data(), kBytes}, letters);
  return std::string(letters, sizeof letters);
}

}  // namespace realtime

Identify by_client_id() noexcept { return Identify(Identify::Kind::client_id); }
Identify by_token() noexcept { return Identify(Identify::Kind::token); }

std::string_view WebSocket::client_id() const noexcept {
  net::Connection* c = realtime::query(*this, "WebSocket::client_id");
  return c ? realtime::identity_of(*c) : std::string_view();
}

}  // namespace martlet

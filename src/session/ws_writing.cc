// The sending side of messages that are written in pieces (RFC 6455 §5.4). In a file of its own: see WsWriting.
#include <cstring>

#include "net/output.h"
#include "net/reactor.h"
#include "session/ws_session.h"

namespace martlet::session {

namespace {

// Unlike a whole message a piece may wait with who writes it: the peer is not called slow for it.
bool has_room(Sessions& s, net::Connection& c) noexcept {
  const uint64_t most = c.state<WsState>().route->limits.unsent_bytes;
  if (net::unsent_bytes(s.reactor, c) >= most) net::offer_output(s.reactor, c);
  return !c.closing && net::unsent_bytes(s.reactor, c) < most;
}

SendStatus refused(net::Connection& c) noexcept {
  c.state<WsState>().want_drain = true;
  return c.closing ? SendStatus::closed : SendStatus::dropped;
}

SendStatus taken(net::Connection& c) noexcept {
  if (!c.out || c.out->bytes < net::Reactor::kPauseReadingBytes) return SendStatus::ok;
  c.state<WsState>().want_drain = true;
  return SendStatus::backpressure;
}

}  // namespace

SendStatus send_fragment(Sessions& s, net::Connection& c, proto::Opcode opcode, const void* payload, size_t size, bool last) noexcept {
  if (c.state<WsState>().ready != ReadyState::open || c.closing) return SendStatus::closed;
  if (!last && !has_room(s, c)) return refused(c);
  const size_t header = proto::frame_header_size(size);
  uint8_t* room = net::append_room(s.reactor, c, header + size);
  if (!room) return refused(c);
  proto::encode_frame_header(room, opcode, size);
  if (!last) room[0] &= 0x7f;  // FIN
  if (size) std::memcpy(room + header, payload, size);
  s.stats.messages_sent += last;
  return taken(c);
}

SendStatus send_kept(Sessions& s, net::Connection& c, const uint8_t* frames, size_t size, uint32_t messages) noexcept {
  if (!net::append_copy(s.reactor, c, frames, size)) {
    s.stats.messages_dropped += messages;
    return refused(c);
  }
  s.stats.messages_sent += messages;
  return taken(c);
}

}  // namespace martlet::session

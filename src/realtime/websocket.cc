// The public handle of a WebSocket: commands act at once on the connection's own thread and travel through the inbox
// from any other; queries answer on that thread only.
#include <martlet/websocket.h>

#include <algorithm>
#include <cstring>

#include "realtime/commands.h"
#include "realtime/realtime.h"
#include "base/block.h"
#include "base/hash.h"
#include "codec/utf8.h"
#include "net/output.h"
#include "net/reactor.h"
#include "net/worker_registry.h"
#include "sys/process.h"
#include "session/origin.h"
#include "sys/socket.h"

namespace martlet {

namespace {

using realtime::RealtimeWorker;
using realtime::command;
using realtime::query;

// What rooms have published goes before what is sent to the connection itself.
inline void take_pending(RealtimeWorker& w, net::Connection& c) noexcept {
  if (!w.log.empty()) [[unlikely]] realtime::take_published(w, c);
}

SendStatus send_here(RealtimeWorker& w, base::SlotId id, proto::Opcode opcode, const void* data, size_t size,
                     Compress compress) noexcept {
  net::Connection* c = w.websocket(id);
  if (!c) return SendStatus::closed;
  take_pending(w, *c);
  const bool plain = !proto::is_control(opcode) && compress != Compress::yes;
  if (plain && session::send_short(w.sessions, *c, opcode, static_cast<const uint8_t*>(data), size)) {
    return SendStatus::ok;
  }
  return session::send_frame(w.sessions, *c, opcode, data, size, compress);
}

SendStatus post_send(const WebSocket& ws, proto::Opcode opcode, const void* data, size_t size, Compress compress) noexcept {
  base::KeptText kept({static_cast<const char*>(data), size});
  if (!kept.ok()) return SendStatus::dropped;
  auto act = [id = MessageAccess::id(ws), opcode, compress, kept = std::move(kept)](RealtimeWorker& w) {
    send_here(w, id, opcode, kept.text().data(), kept.text().size(), compress);
  };
  return realtime::post_to(MessageAccess::worker(ws), std::move(act), size + 1);
}

SendStatus send_any(const WebSocket& ws, proto::Opcode opcode, const void* data, size_t size, Compress compress) noexcept {
  if (RealtimeWorker* w = realtime::here(MessageAccess::worker(ws))) [[likely]] {
    return send_here(*w, MessageAccess::id(ws), opcode, data, size, compress);
  }
  return post_send(ws, opcode, data, size, compress);
}

proto::Opcode opcode_of(const Message& m) noexcept { return m.is_text() ? proto::Opcode::text : proto::Opcode::binary; }

}  // namespace

// Sending -------------------------------------------------------------------------------------------------------------

SendStatus WebSocket::send(std::string_view text, Compress compress) const noexcept {
  return send_any(*this, proto::Opcode::text, text.data(), text.size(), compress);
}

SendStatus WebSocket::send(std::span<const std::byte> bytes, Compress compress) const noexcept {
  return send_any(*this, proto::Opcode::binary, bytes.data(), bytes.size(), compress);
}

SendStatus WebSocket::send(const Message& message, Compress compress) const noexcept {
  RealtimeWorker* w = realtime::here(worker_);
  if (!w) return post_send(*this, opcode_of(message), message.text().data(), message.size(), compress);
  net::Connection* c = w->websocket({slot_, generation_});
  if (!c) return SendStatus::closed;
  take_pending(*w, *c);
  if (compress != Compress::yes &&
      session::send_short(w->sessions, *c, opcode_of(message), MessageAccess::data(message), message.size())) [[likely]] {
    return SendStatus::ok;
  }
  return session::send_message(w->sessions, *c, MessageAccess::view(message), compress);
}

SendStatus WebSocket::send(const SharedFrame& frame, Compress compress) const noexcept {
  if (!frame) return SendStatus::dropped;
  RealtimeWorker* w = realtime::here(worker_);
  if (!w) {
    auto act = [self = *this, frame, compress](RealtimeWorker&) { self.send(frame, compress); };
    return realtime::post_to(worker_, std::move(act), MessageAccess::length(frame));
  }
  net::Connection* c = w->websocket({slot_, generation_});
  if (!c) return SendStatus::closed;
  take_pending(*w, *c);
  return session::send_shared(w->sessions, *c, MessageAccess::block(frame), MessageAccess::data(frame),
                              MessageAccess::length(frame), compress);
}

SendStatus WebSocket::ping(std::string_view payload) const noexcept {
  const std::string_view cut = payload.substr(0, proto::kMaxControlPayload);
  return send_any(*this, proto::Opcode::ping, cut.data(), cut.size(), Compress::no);
}

SendStatus WebSocket::pong(std::string_view payload) const noexcept {
  const std::string_view cut = payload.substr(0, proto::kMaxControlPayload);
  return send_any(*this, proto::Opcode::pong, cut.data(), cut.size(), Compress::no);
}

// Closing -------------------------------------------------------------------------------------------------------------

void WebSocket::close(CloseCode code, std::string_view reason) const noexcept {
  const auto wanted = static_cast<uint16_t>(code);
  const uint16_t number = proto::may_be_sent(wanted) ? wanted : proto::close_code::normal;
  if (RealtimeWorker* w = realtime::here(worker_)) {
    net::Connection* c = w->websocket({slot_, generation_});
    if (!c) return;
    w->seam->before_close(*w, *c);
    return session::close_websocket(w->sessions, *c, number, reason, CloseCause::local_close);
  }
  // Without its reason when that cannot be copied.
  base::KeptText kept(reason.substr(0, proto::kMaxControlPayload));
  realtime::post_to(worker_, [self = *this, code, kept = std::move(kept)](RealtimeWorker&) { self.close(code, kept.text()); });
}

void WebSocket::abort() const noexcept {
  command(*this, [](RealtimeWorker& w, net::Connection& c) {
    session::abort_websocket(w.sessions, c, CloseCause::local_close);
  });
}

// Rooms ---------------------------------------------------------------------------------------------------------------

namespace {

// On its way from another worker of the group it is known to the directory already: what this worker sends to the room
// next must reach the new member.
void post_join(const WebSocket& ws, std::string_view room, const JoinOptions* options) noexcept {
  const uint32_t number = MessageAccess::worker(ws);
  const worker::Place& place = worker::place_;
  const bool same_group = place.group && number - place.group->first < place.group->workers;
  if (same_group && place.worker && room.size() > static_cast<RealtimeWorker*>(place.worker)->joins.most_name_bytes) return;
  base::KeptText name(room);
  base::KeptText epoch(options ? options->epoch.substr(0, realtime::JoinRules::kMostEpochBytes) : std::string_view());
  if (!name.ok() || !epoch.ok()) return;
  worker::Expected expected;
  if (same_group) expected = worker::Expected(place.group->directory, room, number - place.group->first);
  auto join = [ws, name = std::move(name), epoch = std::move(epoch), with = options != nullptr,
               wishes = options ? *options : JoinOptions(), expected = std::move(expected)](RealtimeWorker&) mutable {
    wishes.epoch = epoch.text();
    with ? ws.join(name.text(), wishes) : ws.join(name.text());
  };
  realtime::post_to(number, std::move(join));
}

template <typename Enter>
Room join_here(RealtimeWorker& w, const WebSocket& ws, Enter&& enter) noexcept {
  net::Connection* c = w.websocket(MessageAccess::id(ws));
  if (!c || c->closing || c->state<session::WsState>().ready == ReadyState::closed) {
    return MessageAccess::refused(w.first, JoinRefusal::closed);
  }
  take_pending(w, *c);
  const realtime::Joined joined = enter(*c);
  if (!joined.room) return MessageAccess::refused(w.first, joined.refusal);
  realtime::skip_published(*c, w.log.end());  // what was published to the room before is not for it
  return MessageAccess::room(w.first, w.id_of(*joined.room));
}

constexpr JoinOptions kNoWishes;

}  // namespace

Room WebSocket::join(std::string_view room) const noexcept {
  RealtimeWorker* w = realtime::here(worker_);
  if (!w) return post_join(*this, room, {}), Room();
  return join_here(*w, *this, [&](net::Connection& c) { return w->enter_room(c, room, kNoWishes); });
}

Room WebSocket::join(std::string_view room, const JoinOptions& options) const noexcept {
  RealtimeWorker* w = realtime::here(worker_);
  if (!w) return post_join(*this, room, &options), Room();
  return join_here(*w, *this, [&](net::Connection& c) {
    return w->memory ? w->memory->enter_with(*w, c, room, options) : w->enter_room(c, room, options);
  });
}

void WebSocket::leave(std::string_view room) const noexcept {
  if (RealtimeWorker* w = realtime::here(worker_)) {
    net::Connection* c = w->websocket({slot_, generation_});
    realtime::RoomRecord* record = c ? w->rooms.find(room) : nullptr;
    if (record) w->leave_room(*c, *record);
    if (c && w->joins.forget) w->joins.forget(*w, *c, room);
    return;
  }
  base::KeptText name(room);
  if (name.ok()) realtime::post_to(worker_, [self = *this, name = std::move(name)](RealtimeWorker&) { self.leave(name.text()); });
}

void WebSocket::leave(const Room& room) const noexcept {
  if (MessageAccess::worker(room) != net::first_of(worker_)) return;
  command(*this, [id = MessageAccess::id(room)](RealtimeWorker& w, net::Connection& c) {
    if (realtime::RoomRecord* record = w.find_room(id)) w.leave_room(c, *record);
  });
}

bool WebSocket::in_room(std::string_view room) const noexcept {
  net::Connection* c = query(*this, "WebSocket::in_room");
  if (!c) return false;
  RealtimeWorker& w = *realtime::here(worker_);
  const realtime::RoomRecord* record = w.rooms.find(room);
  return record && w.rooms.is_member(c->state<session::WsState>(), *record);
}

void WebSocket::post(Function<void(WebSocket)> fn) const {
  realtime::post_to(worker_, [self = *this, fn = std::move(fn)](RealtimeWorker& w) mutable {
    const net::Connection* c = w.websocket({self.slot_, self.generation_});
    if (!c || c->closing) return;
    w.note_call(RealtimeWorker::kPost);
    if (!fn(self)) w.report_failure(RealtimeWorker::kPost, self);
  });
}

void WebSocket::pause() const noexcept {
  command(*this, [](RealtimeWorker& w, net::Connection& c) {
    if (c.state<session::WsState>().ready == ReadyState::open) w.reactor.pause(c, net::kPauseUser);
  });
}

void WebSocket::resume() const noexcept {
  command(*this, [](RealtimeWorker& w, net::Connection& c) {
    if (c.pause & net::kPauseUser) note_data(w, static_cast<realtime::WsRouteEntry&>(*c.state<session::WsState>().route), c);
    session::resume_websocket(w.sessions, c, net::kPauseUser);
  });
}

// Between dispatches the cork is free, and this one owns it; within one what is sent waits for that one's end.
void WebSocket::cork(Function<void()> fn) const {
  RealtimeWorker* w = realtime::here(worker_);
  if (!w) {
    realtime::post_to(worker_, [self = *this, fn = std::move(fn)](RealtimeWorker& own) mutable {
      if (own.websocket({self.slot_, self.generation_})) self.cork(std::move(fn));
    });
    return;
  }
  net::Connection* c = w->websocket({slot_, generation_});
  const bool opens = c && !c->closing && !w->reactor.cork.owner;
  if (opens) net::open_cork(w->reactor, *c);
  if (!fn()) w->report_failure(RealtimeWorker::kPost, *this);
  if (opens) net::close_cork(w->reactor, *c);
}

// Queries -------------------------------------------------------------------------------------------------------------

ReadyState WebSocket::ready_state() const noexcept {
  net::Connection* c = query(*this, "WebSocket::ready_state");
  return !c || c->closing ? ReadyState::closed : c->state<session::WsState>().ready;
}

std::chrono::system_clock::time_point WebSocket::connected_at() const noexcept {
  net::Connection* c = query(*this, "WebSocket::connected_at");
  const uint64_t wall_ms = c ? c->state<session::WsState>().opened_wall_ms : 0;
  return std::chrono::system_clock::time_point(milliseconds(wall_ms));
}

bool WebSocket::is_alive() const noexcept {
  net::Connection* c = query(*this, "WebSocket::is_alive");
  return c && !c->closing && session::shows_life(realtime::here(worker_)->sessions, *c);
}

std::optional<milliseconds> WebSocket::latency() const noexcept {
  net::Connection* c = query(*this, "WebSocket::latency");
  if (!c || c->state<session::WsState>().latency_ms == session::WsState::kNoLatency) return std::nullopt;
  return milliseconds(c->state<session::WsState>().latency_ms);
}

size_t WebSocket::buffered_bytes() const noexcept {
  net::Connection* c = query(*this, "WebSocket::buffered_bytes");
  return c ? net::unsent_bytes(realtime::here(worker_)->reactor, *c) : 0;
}

std::string WebSocket::ip() const {
  net::Connection* c = query(*this, "WebSocket::ip");
  if (!c) return {};
  const session::OriginFinder* finder = realtime::here(worker_)->sessions.origins;
  session::AddressText proxied;
  if (finder && finder->proxied(finder->context, *c, proxied)) return std::string(proxied.view());
  return sys::peer_address(c->fd);
}

// Names ---------------------------------------------------------------------------------------------------------------

namespace {

struct IdKeys {
  uint64_t rounds[6];
  uint32_t epoch;
  IdKeys() noexcept { sys::random_bytes(this, sizeof *this); }
};

const IdKeys& id_keys() noexcept {
  static const IdKeys keys;
  return keys;
}

constexpr std::string_view kIdStart = "ws_";
constexpr std::string_view kIdAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kIdLetters = 26;

}  // namespace

// A Feistel permutation of {epoch, worker, slot, generation}: no two connections share an id, and nothing is stored.
void MessageAccess::write_id(const WebSocket& ws, char* to) noexcept {
  static_assert(kIdBytes == kIdStart.size() + kIdLetters);
  const IdKeys& keys = id_keys();
  uint64_t left = uint64_t{keys.epoch} << 32 | ws.worker_;
  uint64_t right = uint64_t{ws.slot_} << 32 | ws.generation_;
  for (const uint64_t key : keys.rounds) {
    const uint64_t next = left ^ base::mix64(right ^ key);
    left = right;
    right = next;
  }
  to = std::copy(kIdStart.begin(), kIdStart.end(), to);
  for (size_t i = 0; i < kIdLetters; i++) {
    *to++ = kIdAlphabet[right & 31];
    right = right >> 5 | left << 59;
    left >>= 5;
  }
}

std::string WebSocket::id() const {
  std::string id(MessageAccess::kIdBytes, ' ');
  MessageAccess::write_id(*this, id.data());
  return id;
}

// The way back. A name that somebody made up has another epoch.
WebSocket MessageAccess::socket(std::string_view id) noexcept {
  if (id.size() != kIdStart.size() + kIdLetters || !id.starts_with(kIdStart)) return WebSocket();
  uint64_t left = 0;
  uint64_t right = 0;
  for (size_t i = id.size(); i-- > kIdStart.size();) {
    const size_t value = kIdAlphabet.find(id[i]);
    if (value == std::string_view::npos || left >> 59) return WebSocket();
    left = left << 5 | right >> 59;
    right = right << 5 | value;
  }
  const IdKeys& keys = id_keys();
  for (size_t round = std::size(keys.rounds); round-- > 0;) {
    const uint64_t before = right ^ base::mix64(left ^ keys.rounds[round]);
    right = left;
    left = before;
  }
  if (left >> 32 != keys.epoch) return WebSocket();
  const base::SlotId slot{static_cast<uint32_t>(right >> 32), static_cast<uint32_t>(right)};
  return socket(static_cast<uint32_t>(left), slot);
}

WebSocket App::find(std::string_view id) const noexcept { return MessageAccess::socket(id); }

}  // namespace martlet

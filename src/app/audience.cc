// Rooms and audiences as the public headers promise them: whom a message goes to, and handing it to the publish log.
#include <martlet/rooms.h>

#include <string>

#include "app/worker.h"
#include "net/reactor.h"
#include "net/worker_registry.h"

namespace martlet {

namespace {

using app::Worker;
using Kind = MessageAccess::Kind;

struct Target {
  app::AudienceLog* log = nullptr;
  app::RoomRecord* room = nullptr;
  app::WsRouteEntry* route = nullptr;
  uint32_t connections = 0;
};

Target resolve(Worker& w, Kind kind, base::SlotId id, std::string_view name) noexcept {
  Target target;
  switch (kind) {
    case Kind::room:
      target.room = id.generation ? w.rooms.find(id) : w.rooms.find(name);
      if (target.room) {
        target.log = &target.room->log;
        target.connections = target.room->members;
      }
      break;
    case Kind::route:
      if (id.slot >= w.ws_routes.size()) break;
      target.route = w.ws_routes[id.slot].get();
      target.log = &target.route->log;
      target.connections = target.route->connections;
      break;
    case Kind::all:
      target.log = &w.everybody;
      target.connections = static_cast<uint32_t>(w.stats.open_websockets);
      break;
    case Kind::none: break;
  }
  return target;
}

// Whether anybody is left when these are left out. Asked of small audiences only.
bool reaches_any(const Worker& w, const Target& target, std::span<net::Connection* const> except) noexcept {
  uint32_t out = 0;
  for (size_t i = 0; i < except.size(); i++) {
    net::Connection* c = except[i];
    if (!c) continue;
    bool again = false;
    for (size_t k = 0; k < i; k++) again = again || except[k] == c;
    const auto& ws = c->state<session::WsState>();
    const bool member = target.room    ? w.rooms.is_member(ws, *target.room)
                        : target.route ? ws.route == target.route
                                       : true;
    out += member && !again;
  }
  return out < target.connections;
}

SendStatus publish_here(Worker& w, Kind kind, base::SlotId id, std::string_view name,
                        std::span<const WebSocket> except, proto::Opcode opcode, const void* data,
                        size_t size) noexcept {
  const Target target = resolve(w, kind, id, name);
  if (!target.log || target.connections == 0) return SendStatus::closed;
  net::Connection* left_out[Audience::kMaxExcept];
  for (size_t i = 0; i < except.size(); i++) left_out[i] = w.websocket(MessageAccess::id(except[i]));
  if (target.connections <= except.size() && !reaches_any(w, target, {left_out, except.size()})) {
    return SendStatus::closed;
  }
  if (!app::publish(w, *target.log, opcode, data, size, {left_out, except.size()})) return SendStatus::dropped;
  w.list(*target.log);
  return SendStatus::ok;
}

struct Recipients {
  uint32_t worker;
  Kind kind;
  base::SlotId id;
  std::string_view name;
  std::span<const WebSocket> except;
};

SendStatus publish_any(const Recipients& to, proto::Opcode opcode, const void* data, size_t size) noexcept {
  if (to.kind == Kind::none) return SendStatus::closed;
  if (to.kind == Kind::room && to.id.generation == 0 && !to.name.data()) return SendStatus::dropped;  // memory was out
  if (Worker* w = app::here(to.worker)) {
    return publish_here(*w, to.kind, to.id, to.name, to.except, opcode, data, size);
  }
  struct Kept {
    Kind kind;
    base::SlotId id;
    proto::Opcode opcode;
    base::KeptText name;
    base::KeptText payload;
    size_t except_count;
    WebSocket except[Audience::kMaxExcept];
  };
  Kept kept{to.kind, to.id, opcode, base::KeptText(to.name), base::KeptText({static_cast<const char*>(data), size}),
            to.except.size(), {}};
  if (!kept.name.ok() || !kept.payload.ok()) return SendStatus::dropped;
  for (size_t i = 0; i < to.except.size(); i++) kept.except[i] = to.except[i];
  return app::post_to(to.worker, [kept = std::move(kept)](Worker& w) {
    const std::string_view payload = kept.payload.text();
    publish_here(w, kept.kind, kept.id, kept.name.text(), {kept.except, kept.except_count}, kept.opcode, payload.data(),
                 payload.size());
  });
}

SendStatus publish_any(const Recipients& to, const Message& m) noexcept {
  return publish_any(to, m.is_text() ? proto::Opcode::text : proto::Opcode::binary, m.text().data(), m.size());
}

SendStatus publish_any(const Recipients& to, const SharedFrame& f) noexcept {
  if (!f) return SendStatus::dropped;
  const auto payload = f.payload();
  return publish_any(to, f.is_text() ? proto::Opcode::text : proto::Opcode::binary, payload.data(), payload.size());
}

Recipients members_of(const Room& room) noexcept {
  const base::SlotId id = MessageAccess::id(room);
  return {MessageAccess::worker(room), id.generation ? Kind::room : Kind::none, id, {}, {}};
}

}  // namespace

// Room ----------------------------------------------------------------------------------------------------------------

namespace {

app::RoomRecord* query(const Room& room, const char* what) noexcept {
  const uint32_t number = MessageAccess::worker(room);
  if (Worker* w = app::here(number)) return w->rooms.find(MessageAccess::id(room));
  net::Inbox* inbox = number ? net::find_inbox(number) : nullptr;
  if (inbox && inbox->is_open()) app::wrong_thread(what);
  return nullptr;
}

}  // namespace

bool Room::ok() const noexcept { return query(*this, "Room::ok") != nullptr; }

size_t Room::size() const noexcept {
  const app::RoomRecord* room = query(*this, "Room::size");
  return room ? room->members : 0;
}

std::string Room::name() const {
  const app::RoomRecord* room = query(*this, "Room::name");
  return room ? std::string(room->name()) : std::string();
}

SendStatus Room::send(std::string_view text) const noexcept {
  return publish_any(members_of(*this), proto::Opcode::text, text.data(), text.size());
}
SendStatus Room::send(std::span<const std::byte> bytes) const noexcept {
  return publish_any(members_of(*this), proto::Opcode::binary, bytes.data(), bytes.size());
}
SendStatus Room::send(const Message& message) const noexcept { return publish_any(members_of(*this), message); }
SendStatus Room::send(const SharedFrame& frame) const noexcept { return publish_any(members_of(*this), frame); }

// Audience ------------------------------------------------------------------------------------------------------------

Audience MessageAccess::audience(Kind kind, uint32_t worker, base::SlotId id) noexcept {
  Audience audience;
  audience.kind_ = kind;
  audience.worker_ = worker;
  audience.slot_ = id.slot;
  audience.generation_ = id.generation;
  return audience;
}

Audience& Audience::except(WebSocket ws) noexcept {
  MARTLET_CHECK(except_count_ < kMaxExcept);
  if (MessageAccess::worker(ws) == worker_) except_[except_count_++] = ws;
  return *this;
}

namespace {

Recipients recipients_of(const Audience& audience) noexcept {
  return {MessageAccess::worker(audience), MessageAccess::kind(audience), MessageAccess::id(audience),
          MessageAccess::name(audience), MessageAccess::except(audience)};
}

}  // namespace

SendStatus Audience::send(std::string_view text) const noexcept {
  return publish_any(recipients_of(*this), proto::Opcode::text, text.data(), text.size());
}
SendStatus Audience::send(std::span<const std::byte> bytes) const noexcept {
  return publish_any(recipients_of(*this), proto::Opcode::binary, bytes.data(), bytes.size());
}
SendStatus Audience::send(const Message& message) const noexcept { return publish_any(recipients_of(*this), message); }
SendStatus Audience::send(const SharedFrame& frame) const noexcept { return publish_any(recipients_of(*this), frame); }

// A room by its name: looked up at once on its worker, else the name travels.
Audience MessageAccess::room_audience(uint32_t worker, std::string_view name) noexcept {
  Worker* w = app::here(worker);
  if (!w) {
    Audience travelling = audience(Kind::room, worker, {});
    travelling.name_ = SharedFrame::text(name);
    return travelling;
  }
  const app::RoomRecord* room = w->rooms.find(name);
  return room ? audience(Kind::room, worker, {room->slot, room->generation}) : audience(Kind::none, worker, {});
}

Audience WebSocket::to(std::string_view room) const noexcept {
  Audience audience = MessageAccess::room_audience(worker_, room);
  audience.except(*this);
  return audience;
}

Audience WebSocket::to(const Room& room) const noexcept {
  const base::SlotId id = MessageAccess::id(room);
  Audience audience = MessageAccess::audience(id.generation ? Kind::room : Kind::none, MessageAccess::worker(room), id);
  audience.except(*this);
  return audience;
}

// Broadcast to the connection's route ---------------------------------------------------------------------------------

namespace {

template <typename Send>
SendStatus broadcast(const WebSocket& ws, Send&& send) noexcept {
  Worker& w = *app::here(MessageAccess::worker(ws));
  net::Connection* c = w.websocket(MessageAccess::id(ws));
  if (!c) return SendStatus::closed;
  const auto* route = static_cast<app::WsRouteEntry*>(c->state<session::WsState>().route);
  Audience audience = MessageAccess::audience(Kind::route, w.number, {route->number, 0});
  return send(audience.except(ws));
}

}  // namespace

SendStatus WebSocket::broadcast(std::string_view text) const noexcept {
  if (app::here(worker_)) return martlet::broadcast(*this, [text](Audience& a) { return a.send(text); });
  base::KeptText kept(text);
  if (!kept.ok()) return SendStatus::dropped;
  return app::post_to(worker_, [self = *this, kept = std::move(kept)](Worker&) { self.broadcast(kept.text()); });
}

SendStatus WebSocket::broadcast(std::span<const std::byte> bytes) const noexcept {
  if (app::here(worker_)) return martlet::broadcast(*this, [bytes](Audience& a) { return a.send(bytes); });
  base::KeptText kept({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!kept.ok()) return SendStatus::dropped;
  return app::post_to(
      worker_, [self = *this, kept = std::move(kept)](Worker&) { self.broadcast(std::as_bytes(std::span(kept.text()))); });
}

SendStatus WebSocket::broadcast(const Message& message) const noexcept {
  return message.is_text() ? broadcast(message.text()) : broadcast(message.bytes());
}

}  // namespace martlet

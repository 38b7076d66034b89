// Rooms and audiences as the public headers promise them: whom a message goes to, and handing it to the publish log.
#include <martlet/rooms.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "base/alloc.h"
#include "base/short_array.h"
#include "realtime/many_rooms.h"
#include "realtime/realtime.h"
#include "realtime/travelling.h"
#include "net/reactor.h"
#include "net/worker_registry.h"

namespace martlet {

constinit std::atomic<realtime::PublishToRooms> realtime::publish_to_rooms = nullptr;

namespace {

using realtime::RealtimeWorker;
using realtime::Recipients;
using Kind = MessageAccess::Kind;

// The members that this worker has, and those of all workers of its group.
struct Target {
  realtime::AudienceLog* log = nullptr;
  realtime::RoomRecord* room = nullptr;
  realtime::WsRouteEntry* route = nullptr;
  uint32_t connections = 0;  // here
  worker::Directory::Found shared;
};

void resolve_room(RealtimeWorker& w, const Recipients& to, Target& target) noexcept {
  const bool by_name = to.id.generation == 0;
  if (w.group) {
    const worker::Directory& directory = w.group->directory;
    target.shared = by_name ? directory.find(worker::AudienceKind::room, to.name)
                            : worker::Directory::Found{directory.find(to.id), to.id};
    target.room = target.shared ? w.rooms.find(*target.shared.entry) : nullptr;
  } else {
    target.room = by_name ? w.rooms.find(to.name) : w.rooms.find(to.id);
  }
  if (!target.room) return;
  target.log = &target.room->log;
  target.connections = target.room->members;
}

void resolve_route(RealtimeWorker& w, const Recipients& to, Target& target) noexcept {
  const bool by_name = to.name.data() != nullptr;
  if (w.group) {
    const worker::Directory& directory = w.group->directory;
    target.shared = by_name ? directory.find(worker::AudienceKind::route, to.name)
                            : worker::Directory::Found{directory.find(to.id), to.id};
    if (!target.shared) return;
  }
  for (const auto& route : w.ws_routes) {
    const bool same = w.group ? route->shared == target.shared.entry
                              : by_name ? route->pattern == to.name : route->number == to.id.slot;
    if (!same) continue;
    target.route = route.get();
    target.log = &route->log;
    target.connections = route->connections;
    return;
  }
}

Target resolve(RealtimeWorker& w, const Recipients& to) noexcept {
  Target target;
  if (to.kind == Kind::room) {
    resolve_room(w, to, target);
  } else if (to.kind == Kind::route) {
    resolve_route(w, to, target);
  } else if (to.kind == Kind::all) {
    target.log = &w.everybody;
    target.connections = static_cast<uint32_t>(w.stats.open_websockets);
    if (w.group) target.shared = w.everybody_found();
  }
  return target;
}

// Whether anybody is left when these are left out, who are put in order for it. Asked of audiences that are not larger.
[[gnu::noinline]] bool reaches_any(const RealtimeWorker& w, const Target& target, std::span<net::Connection*> except) noexcept {
  std::make_heap(except.begin(), except.end(), std::less<>());
  std::sort_heap(except.begin(), except.end(), std::less<>());
  uint32_t out = 0;
  for (size_t i = 0; i < except.size(); i++) {
    net::Connection* c = except[i];
    if (!c) continue;
    const bool again = i > 0 && except[i - 1] == c;
    const auto& ws = c->state<session::WsState>();
    const bool member = target.room    ? w.rooms.is_member(ws, *target.room)
                        : target.route ? ws.route == target.route
                                       : true;
    out += member && !again;
  }
  return out < target.connections;
}

using Frame = realtime::PublishedMessage;

Frame frame_of(const SharedFrame& f, Compress compress) noexcept {
  const auto payload = f.payload();
  return {f.is_text() ? proto::Opcode::text : proto::Opcode::binary, payload.data(), payload.size(), compress};
}

worker::AudienceKind kind_of(Kind kind) noexcept {
  return kind == Kind::room ? worker::AudienceKind::room : kind == Kind::route ? worker::AudienceKind::route : worker::AudienceKind::all;
}

// Notes for the other workers what lies in the log.
[[gnu::noinline]] bool note_for_others(RealtimeWorker& w, const Recipients& to, const Target& target,
                                       const worker::Seats& others, const realtime::PublishedRange& range, Compress compress) noexcept {
  base::ShortArray<worker::ParcelExcept, MessageAccess::kFewExcepts> elsewhere(to.except.size());
  if (!elsewhere.ok()) return false;
  for (const WebSocket& ws : to.except) {
    if (MessageAccess::worker(ws) != w.number) elsewhere.push({MessageAccess::worker(ws), MessageAccess::id(ws)});
  }
  const worker::ParcelItem item{kind_of(to.kind), target.shared.id, w.log.block_of(range),
                             w.log.data_of(range, range.begin), static_cast<size_t>(range.end - range.begin), 1, 0, 0, compress};
  w.reactor.want_turn();
  return w.outgoing.add(item, others, elsewhere.span());
}

SendStatus publish_here(RealtimeWorker& w, const Recipients& to, const Frame& frame, bool to_others) noexcept {
  const Target target = resolve(w, to);
  if (w.memory && to.kind == Kind::room) [[unlikely]] {
    SendStatus answer = SendStatus::ok;
    if (w.memory->publish(w, {target.room, to.name, to.id, to.except, to_others}, frame, answer)) return answer;
  }
  worker::Seats others;
  if (to_others && target.shared) {
    others = target.shared.entry->where();
    others.remove(w.seat);
  }
  base::ShortArray<net::Connection*, MessageAccess::kFewExcepts> left_out(to.except.size());
  if (!left_out.ok()) return SendStatus::dropped;
  const std::span<net::Connection*> out(left_out.data(), to.except.size());
  for (size_t i = 0; i < out.size(); i++) {
    const WebSocket& ws = to.except[i];
    out[i] = MessageAccess::worker(ws) == w.number ? w.websocket(MessageAccess::id(ws)) : nullptr;
  }
  const bool some_here = target.connections > 0 && (target.connections > out.size() || reaches_any(w, target, out));
  if (!some_here && !others.any()) {
    if (to.kind != Kind::rooms) return SendStatus::closed;
    return realtime::publish_to_rooms.load(std::memory_order_relaxed)(w, to.name, to.except, frame, to_others);
  }
  realtime::PublishedRange range;
  if (!realtime::publish(w, some_here ? target.log : nullptr, frame, out, range)) {
    return SendStatus::dropped;
  }
  if (some_here) w.list(*target.log);
  if (others.any() && !note_for_others(w, to, target, others, range, frame.compress)) return SendStatus::dropped;
  return SendStatus::ok;
}

// From a thread that is not of the group: to each of its workers, so that what the thread sends to a member by other ways
// keeps its place.
SendStatus post_publish(const Recipients& to, const SharedFrame& frame, Compress compress, bool is_event) noexcept {
  if (!frame || (to.kind == Kind::room && to.id.generation == 0 && !to.name.data())) return SendStatus::dropped;
  SendStatus answer = SendStatus::closed;
  const size_t rooms = to.kind == Kind::room ? 1 : to.kind == Kind::rooms ? to.name.size() / sizeof(uint32_t) : 0;  // or less
  const auto once = realtime::WrittenOnce::make(realtime::any_memory.load(std::memory_order_relaxed) ? rooms : 0);
  for (uint32_t worker = to.first; worker < to.first + net::members_of(to.first); worker++) {
    realtime::Travelling kept(to, frame);
    if (!kept.ok()) return SendStatus::dropped;
    auto run = [kept = std::move(kept), compress, is_event, once](RealtimeWorker& w) {
      Frame message = frame_of(kept.frame, compress);
      message.is_event = is_event;
      const realtime::ByMail mail(w, w.memory, once);
      publish_here(w, kept.recipients(), message, false);
    };
    const SendStatus posted = realtime::post_to(worker, std::move(run), frame.payload().size() + kept.more.text().size() + 1);
    if (answer == SendStatus::closed || posted == SendStatus::dropped) answer = posted;
  }
  return answer;
}

[[gnu::noinline]] SendStatus publish_elsewhere(const Recipients& to, const Frame& frame) noexcept {
  if (to.kind <= Kind::lost) return to.kind == Kind::none ? SendStatus::closed : SendStatus::dropped;
  const std::string_view text(static_cast<const char*>(frame.data), frame.size);
  return post_publish(to, frame.opcode == proto::Opcode::text ? SharedFrame::text(text)
                                                              : SharedFrame::binary(std::as_bytes(std::span(text))),
                      frame.compress, frame.is_event);
}

[[gnu::always_inline]] inline SendStatus publish_any(const Recipients& to, const Frame& frame) noexcept {
  RealtimeWorker* w = to.kind > Kind::lost ? realtime::here_among(to.first) : nullptr;
  return w ? publish_here(*w, to, frame, true) : publish_elsewhere(to, frame);
}

SendStatus publish_any(const Recipients& to, std::string_view text, Compress compress) noexcept {
  return publish_any(to, Frame{proto::Opcode::text, text.data(), text.size(), compress});
}

SendStatus publish_any(const Recipients& to, std::span<const std::byte> bytes, Compress compress) noexcept {
  return publish_any(to, Frame{proto::Opcode::binary, bytes.data(), bytes.size(), compress});
}

SendStatus publish_any(const Recipients& to, const Message& m, Compress compress) noexcept {
  return m.is_text() ? publish_any(to, m.text(), compress) : publish_any(to, m.bytes(), compress);
}

SendStatus publish_any(const Recipients& to, const SharedFrame& f, Compress compress) noexcept {
  if (!f) return SendStatus::dropped;
  if (to.kind > Kind::lost && !realtime::here_among(to.first)) return post_publish(to, f, compress, false);
  return publish_any(to, frame_of(f, compress));
}

Recipients members_of(const Room& room) noexcept {
  const base::SlotId id = MessageAccess::id(room);
  return {MessageAccess::worker(room), id.generation ? Kind::room : Kind::none, id, {}, {}};
}

}  // namespace

// Room ----------------------------------------------------------------------------------------------------------------

namespace {

// The worker whose rooms may be asked about this one; null when they are all gone. Aborts on a thread that has none.
RealtimeWorker* query(const Room& room, const char* what) noexcept {
  const uint32_t first = MessageAccess::worker(room);
  if (RealtimeWorker* w = realtime::here_among(first)) return w;
  net::Inbox* inbox = first ? net::find_inbox(first) : nullptr;
  if (inbox && inbox->is_open()) worker::wrong_thread(what);
  return nullptr;
}

}  // namespace

bool Room::ok() const noexcept {
  RealtimeWorker* w = query(*this, "Room::ok");
  if (!w) return false;
  const base::SlotId id{slot_, generation_};
  return w->group ? w->group->directory.find(id) != nullptr : w->rooms.find(id) != nullptr;
}

size_t Room::size() const noexcept {
  RealtimeWorker* w = query(*this, "Room::size");
  if (!w) return 0;
  const base::SlotId id{slot_, generation_};
  if (w->group) {
    const worker::DirectoryEntry* shared = w->group->directory.find(id);
    return shared ? shared->members.load(std::memory_order_relaxed) : 0;
  }
  const realtime::RoomRecord* room = w->rooms.find(id);
  return room ? room->members : 0;
}

std::string Room::name() const {
  RealtimeWorker* w = query(*this, "Room::name");
  if (!w) return {};
  const base::SlotId id{slot_, generation_};
  if (const realtime::RoomRecord* room = w->find_room(id)) return std::string(room->name());
  return w->group ? w->group->directory.name_of(id) : std::string();
}

SendStatus Room::send(std::string_view text, Compress compress) const noexcept {
  return publish_any(members_of(*this), text, compress);
}
SendStatus Room::send(std::span<const std::byte> bytes, Compress compress) const noexcept {
  return publish_any(members_of(*this), bytes, compress);
}
SendStatus Room::send(const Message& message, Compress compress) const noexcept {
  return publish_any(members_of(*this), message, compress);
}
SendStatus Room::send(const SharedFrame& frame, Compress compress) const noexcept {
  return publish_any(members_of(*this), frame, compress);
}

// Audience ------------------------------------------------------------------------------------------------------------

Audience MessageAccess::audience(Kind kind, uint32_t first, base::SlotId id) noexcept {
  Audience audience;
  audience.kind_ = kind;
  audience.worker_ = first;
  audience.slot_ = id.slot;
  audience.generation_ = id.generation;
  return audience;
}

Audience MessageAccess::audience(Kind kind, uint32_t first, std::string_view name) noexcept {
  Audience travelling = audience(kind, first, base::SlotId{});
  travelling.name_ = SharedFrame::text(name);
  return travelling;
}

Audience::Audience(Audience&& other) noexcept
    : kind_(other.kind_), except_count_(other.except_count_), worker_(other.worker_), slot_(other.slot_),
      generation_(other.generation_), name_(std::move(other.name_)), more_(std::exchange(other.more_, nullptr)),
      more_room_(std::exchange(other.more_room_, 0)) {
  if (more_) {
    other.kind_ = Kind::none;  // it no longer knows who is left out: better nobody than them
    other.except_count_ = 0;
  } else {
    std::copy_n(other.except_, except_count_, except_);
  }
}

Audience::Audience(const Audience& other) noexcept
    : kind_(other.kind_), worker_(other.worker_), slot_(other.slot_), generation_(other.generation_), name_(other.name_) {
  for (const WebSocket& ws : MessageAccess::except(other)) except(ws);
}

Audience& Audience::operator=(Audience other) noexcept {
  this->~Audience();
  return *new (this) Audience(std::move(other));
}

// Whoever is to be left out and is forgotten would be sent what is not for them: then nobody is.
void Audience::lose() noexcept {
  if (kind_ != Kind::none) kind_ = Kind::lost;
}

void Audience::forget_more() noexcept {
  base::deallocate(more_);
  more_ = nullptr;
  more_room_ = 0;
}

bool Audience::make_room() noexcept {
  const uint32_t room = except_count_ * 2;
  auto* more = static_cast<WebSocket*>(base::allocate(room * sizeof(WebSocket)));
  if (!more) return false;
  std::uninitialized_copy_n(more_ ? more_ : except_, except_count_, more);
  if (more_) forget_more();
  more_ = more;
  more_room_ = room;
  return true;
}

Audience& Audience::except(WebSocket ws) noexcept {
  if (net::first_of(MessageAccess::worker(ws)) != worker_) return *this;
  if (except_count_ < kFewExcepts) [[likely]] {
    except_[except_count_++] = ws;
  } else if (except_count_ < more_room_ || make_room()) {
    new (more_ + except_count_++) WebSocket(ws);
  } else {
    lose();
  }
  return *this;
}

Audience& Audience::except(std::span<const WebSocket> list) noexcept {
  for (const WebSocket& ws : list) except(ws);
  return *this;
}

Audience& Audience::except(std::string_view id) noexcept { return except(MessageAccess::socket(id)); }

Audience& Audience::except(std::span<const std::string> ids) noexcept {
  for (const std::string& id : ids) except(id);
  return *this;
}

namespace {

Recipients recipients_of(const Audience& audience) noexcept {
  return {MessageAccess::worker(audience), MessageAccess::kind(audience), MessageAccess::id(audience),
          MessageAccess::name(audience), MessageAccess::except(audience)};
}

}  // namespace

SendStatus Audience::send(std::string_view text, Compress compress) const noexcept {
  return publish_any(recipients_of(*this), text, compress);
}
SendStatus Audience::send(std::span<const std::byte> bytes, Compress compress) const noexcept {
  return publish_any(recipients_of(*this), bytes, compress);
}
SendStatus Audience::send(const Message& message, Compress compress) const noexcept {
  return publish_any(recipients_of(*this), message, compress);
}
SendStatus Audience::send(const SharedFrame& frame, Compress compress) const noexcept {
  return publish_any(recipients_of(*this), frame, compress);
}

SendStatus MessageAccess::send_event(const Room& room, std::string_view text) noexcept {
  return publish_any(members_of(room), Frame{proto::Opcode::text, text.data(), text.size(), Compress::automatic, true});
}
SendStatus MessageAccess::send_event(const Audience& audience, std::string_view text) noexcept {
  return publish_any(recipients_of(audience), Frame{proto::Opcode::text, text.data(), text.size(), Compress::automatic, true});
}

// A route by its pattern, the same.
Audience MessageAccess::route_audience(uint32_t first, std::string_view pattern) noexcept {
  RealtimeWorker* w = realtime::here_among(first);
  if (!w) return audience(Kind::route, first, pattern);
  for (const auto& route : w->ws_routes) {
    if (route->pattern != pattern) continue;
    const base::SlotId id = w->id_of(*route);
    return audience(w->group && id.generation == 0 ? Kind::none : Kind::route, first, id);
  }
  return audience(Kind::none, first, base::SlotId{});
}

// A room by its name: looked up at once on its worker, else the name travels.
Audience MessageAccess::room_audience(uint32_t first, std::string_view name) noexcept {
  RealtimeWorker* w = realtime::here_among(first);
  if (!w) return audience(Kind::room, first, name);
  const base::SlotId id = w->find_room_id(name);
  if (!id.generation && w->memory && w->memory->has(*w, name)) [[unlikely]] return audience(Kind::room, first, name);
  return audience(id.generation ? Kind::room : Kind::none, first, id);
}

Audience WebSocket::to(std::string_view room) const noexcept {
  Audience audience = MessageAccess::room_audience(net::first_of(worker_), room);
  audience.except(*this);
  return audience;
}

Audience WebSocket::to_route(std::string_view pattern) const noexcept {
  Audience audience = MessageAccess::route_audience(net::first_of(worker_), pattern);
  audience.except(*this);
  return audience;
}

Audience WebSocket::to(const Room& room) const noexcept {
  const base::SlotId id = MessageAccess::id(room);
  Audience audience = MessageAccess::audience(id.generation ? Kind::room : Kind::none, MessageAccess::worker(room), id);
  audience.except(*this);
  return audience;
}

// Everybody else ------------------------------------------------------------------------------------------------------

namespace {

template <typename Send>
SendStatus broadcast(const WebSocket& ws, Send&& send) noexcept {
  RealtimeWorker& w = *realtime::here(MessageAccess::worker(ws));
  if (!w.websocket(MessageAccess::id(ws))) return SendStatus::closed;
  Audience audience = MessageAccess::audience(Kind::all, w.first, base::SlotId{});
  return send(audience.except(ws));
}

}  // namespace

SendStatus WebSocket::broadcast(std::string_view text, Compress compress) const noexcept {
  if (realtime::here(worker_)) return martlet::broadcast(*this, [=](Audience& a) { return a.send(text, compress); });
  base::KeptText kept(text);
  if (!kept.ok()) return SendStatus::dropped;
  auto act = [self = *this, compress, kept = std::move(kept)](RealtimeWorker&) { self.broadcast(kept.text(), compress); };
  return realtime::post_to(worker_, std::move(act), text.size() + 1);
}

SendStatus WebSocket::broadcast(std::span<const std::byte> bytes, Compress compress) const noexcept {
  if (realtime::here(worker_)) return martlet::broadcast(*this, [=](Audience& a) { return a.send(bytes, compress); });
  base::KeptText kept({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!kept.ok()) return SendStatus::dropped;
  auto act = [self = *this, compress, kept = std::move(kept)](RealtimeWorker&) {
    self.broadcast(std::as_bytes(std::span(kept.text())), compress);
  };
  return realtime::post_to(worker_, std::move(act), bytes.size() + 1);
}

SendStatus WebSocket::broadcast(const Message& message, Compress compress) const noexcept {
  return message.is_text() ? broadcast(message.text(), compress) : broadcast(message.bytes(), compress);
}

}  // namespace martlet

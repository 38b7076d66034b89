// See many_rooms.h; and the calls of the public headers that take several rooms.
#include "realtime/many_rooms.h"

#include <martlet/app.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/byte_buffer.h"
#include "base/bytes.h"
#include "base/short_array.h"
#include "net/reactor.h"
#include "net/worker_registry.h"
#include "realtime/realtime.h"

namespace martlet::realtime {

namespace {

constexpr size_t kFew = 8;

struct Target {
  RoomRecord* room;  // null: no member of this worker
  worker::Directory::Found shared;
  bool has_receivers;  // here
};

struct Sending {
  std::string_view names;
  std::span<const WebSocket> except;
  const PublishedMessage& message;
  bool to_others;
};

using Targets = base::ShortArray<Target, kFew>;
using LeftOut = base::ShortArray<net::Connection*, MessageAccess::kFewExcepts>;

// Names are packed one behind the other: four bytes of length, the text.
std::string_view next_name(std::string_view& packed) noexcept {
  uint32_t size;
  std::memcpy(&size, packed.data(), sizeof size);
  const std::string_view name = packed.substr(sizeof size, size);
  packed.remove_prefix(sizeof size + size);
  return name;
}

size_t count_names(std::string_view packed) noexcept {
  size_t count = 0;
  for (; !packed.empty(); count++) next_name(packed);
  return count;
}

// Rooms with memory tell their members by themselves. True when this was one.
bool is_told_by_itself(RealtimeWorker& w, const Target& target, std::string_view name, const Sending& sending, SendStatus& answer) noexcept {
  if (!w.memory) return false;
  SendStatus told = SendStatus::ok;
  const MemoryTarget to{target.room, name, target.shared.id, sending.except, sending.to_others};
  if (!w.memory->publish(w, to, sending.message, told)) return false;
  if (answer != SendStatus::dropped) answer = told;
  return true;
}

// In order, each once: as a peer may have said them, there may be many, and many times the same.
size_t sort_names(std::string_view packed, std::string_view* names) noexcept {
  std::string_view* end = names;
  while (!packed.empty()) *end++ = next_name(packed);
  std::make_heap(names, end);
  std::sort_heap(names, end);
  return static_cast<size_t>(std::unique(names, end) - names);
}

// Rooms that exist, each once. False when memory is out.
bool resolve(RealtimeWorker& w, const Sending& sending, size_t count, Targets& targets, SendStatus& answer) noexcept {
  base::ShortArray<std::string_view, kFew> names(count);
  if (!names.ok()) return false;
  const size_t different = sort_names(sending.names, names.data());
  for (size_t i = 0; i < different; i++) {
    const std::string_view name = names.data()[i];
    Target target{w.rooms.find(name), {}, false};
    if (w.group && target.room) target.shared = {target.room->shared, w.id_of(*target.room)};
    if (w.group && !target.room) target.shared = w.group->directory.find(worker::AudienceKind::room, name);
    if (is_told_by_itself(w, target, name, sending, answer)) continue;
    if (target.room || target.shared) targets.push(target);
  }
  return true;
}

// In order, and each once, so that members among them can be counted.
void resolve(RealtimeWorker& w, std::span<const WebSocket> except, LeftOut& out) noexcept {
  for (const WebSocket& ws : except) {
    net::Connection* c = MessageAccess::worker(ws) == w.number ? w.websocket(MessageAccess::id(ws)) : nullptr;
    if (c) out.push(c);
  }
  const std::span<net::Connection*> all = out.span();
  std::make_heap(all.begin(), all.end(), std::less<>());
  std::sort_heap(all.begin(), all.end(), std::less<>());
}

bool has_receivers(const RealtimeWorker& w, const RoomRecord& room, std::span<net::Connection* const> out) noexcept {
  if (room.members > out.size()) return true;
  uint32_t left_out = 0;
  for (size_t i = 0; i < out.size(); i++) {
    const bool again = i > 0 && out[i] == out[i - 1];
    left_out += !again && w.rooms.is_member(out[i]->state<session::WsState>(), room);
  }
  return left_out < room.members;
}

worker::Seats others_of(const RealtimeWorker& w, const Target& target) noexcept {
  worker::Seats others;
  if (!target.shared) return others;
  others = target.shared.entry->where();
  others.remove(w.seat);
  return others;
}

// To the members of this worker. False when memory is out, and then nobody is sent anything.
bool publish_here(RealtimeWorker& w, std::span<const Target> targets, std::span<net::Connection* const> out,
                  const PublishedMessage& message, PublishedRange& range) noexcept {
  AudienceLog* first = nullptr;
  for (const Target& target : targets) {
    if (!target.has_receivers) continue;
    if (!target.room->log.make_room()) return false;
    if (!first) first = &target.room->log;
  }
  if (!publish(w, first, message, out, range)) return false;
  for (const Target& target : targets) {
    if (!target.has_receivers) continue;
    if (&target.room->log != first) publish_again(w, target.room->log, range, message.compress);
    w.list(target.room->log);
  }
  return true;
}

// Notes for the other workers what lies in the log, room by room.
bool note_for_others(RealtimeWorker& w, std::span<const Target> targets, std::span<const WebSocket> except,
                     const PublishedRange& range, Compress compress) noexcept {
  base::ShortArray<worker::ParcelExcept, MessageAccess::kFewExcepts> elsewhere(except.size());
  if (!elsewhere.ok()) return false;
  for (const WebSocket& ws : except) {
    if (MessageAccess::worker(ws) != w.number) elsewhere.push({MessageAccess::worker(ws), MessageAccess::id(ws)});
  }
  worker::Among among = worker::Among::first;
  for (const Target& target : targets) {
    const worker::Seats others = others_of(w, target);
    if (!others.any()) continue;
    const worker::ParcelItem item{worker::AudienceKind::room, target.shared.id, w.log.block_of(range), w.log.data_of(range, range.begin),
                                  static_cast<size_t>(range.end - range.begin), 1, 0, 0, compress, among};
    if (!w.outgoing.add(item, others, elsewhere.span())) return false;
    among = worker::Among::further;
  }
  w.reactor.want_turn();
  return true;
}

SendStatus publish_to_all(RealtimeWorker& w, std::string_view names, std::span<const WebSocket> except,
                          const PublishedMessage& message, bool to_others) noexcept {
  const size_t count = count_names(names);
  Targets targets(count);
  LeftOut out(except.size());
  if (!targets.ok() || !out.ok()) return SendStatus::dropped;
  SendStatus answer = SendStatus::closed;
  if (!resolve(w, {names, except, message, to_others}, count, targets, answer)) return SendStatus::dropped;
  resolve(w, except, out);
  bool any_here = false;
  bool any_elsewhere = false;
  for (Target& target : targets.span()) {
    target.has_receivers = target.room && has_receivers(w, *target.room, out.span());
    any_here |= target.has_receivers;
    any_elsewhere |= to_others && others_of(w, target).any();
  }
  if (!any_here && !any_elsewhere) return answer;
  PublishedRange range;
  if (!publish_here(w, targets.span(), out.span(), message, range)) return SendStatus::dropped;
  if (any_elsewhere && !note_for_others(w, targets.span(), except, range, message.compress)) return SendStatus::dropped;
  return answer == SendStatus::dropped ? answer : SendStatus::ok;
}

}  // namespace

}  // namespace martlet::realtime

namespace martlet {

namespace {

// Packs names; `Name` is a string or a view.
template <typename Name>
SharedFrame packed(std::span<const Name> names) noexcept {
  base::ByteBuffer packed;
  for (const std::string_view name : names) {
    const auto size = static_cast<uint32_t>(name.size());
    packed.append(&size, sizeof size);
    packed.append(name.substr(0, size));
  }
  return packed.failed() ? SharedFrame() : SharedFrame::text(packed.text());
}

template <typename Name>
Audience audience_of(uint32_t first, std::span<const Name> names) noexcept {
  realtime::publish_to_rooms.store(realtime::publish_to_all, std::memory_order_relaxed);
  return MessageAccess::audience(first, packed(names), names.size());
}

}  // namespace

Audience MessageAccess::audience(uint32_t first, SharedFrame names, size_t count) noexcept {
  Audience several = audience(count ? Kind::rooms : Kind::none, first, base::SlotId{});
  several.name_ = std::move(names);
  if (!several.name_) several.lose();
  return several;
}

Audience MessageAccess::rooms_audience(uint32_t first, std::span<const std::string_view> names) noexcept { return audience_of(first, names); }
Audience MessageAccess::rooms_audience(uint32_t first, std::span<const std::string> names) noexcept { return audience_of(first, names); }

Audience WebSocket::to(std::initializer_list<std::string_view> rooms) const noexcept {
  Audience audience = MessageAccess::rooms_audience(net::first_of(worker_), std::span(rooms.begin(), rooms.size()));
  audience.except(*this);
  return audience;
}

Audience WebSocket::to(std::span<const std::string> rooms) const noexcept {
  Audience audience = MessageAccess::rooms_audience(net::first_of(worker_), rooms);
  audience.except(*this);
  return audience;
}

JoinRefusal WebSocket::join(std::initializer_list<std::string_view> rooms) const noexcept {
  JoinRefusal first = JoinRefusal::none;
  for (const std::string_view room : rooms) {
    const JoinRefusal why = join(room).refusal();
    if (first == JoinRefusal::none) first = why;
  }
  return first;
}

JoinRefusal WebSocket::join(std::span<const std::string> rooms) const noexcept {
  JoinRefusal first = JoinRefusal::none;
  for (const std::string& room : rooms) {
    const JoinRefusal why = join(std::string_view(room)).refusal();
    if (first == JoinRefusal::none) first = why;
  }
  return first;
}

std::string_view name_of(JoinRefusal refusal) noexcept {
  constexpr std::string_view kNames[] = {"none", "closed", "out_of_memory", "too_many_rooms", "too_many_rooms_of_socket",
                                         "name_too_long", "not_allowed", "undecided"};
  return kNames[static_cast<size_t>(refusal)];
}

}  // namespace martlet

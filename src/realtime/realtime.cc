// See realtime.h.
#include "realtime/realtime.h"

#include "base/limits.h"
#include "codec/origin_pattern.h"
#include "realtime/admission.h"
#include "realtime/kept_request.h"
#include "realtime/log_lines.h"
#include "realtime/topic_seam.h"
#include "session/ws_session.h"

namespace martlet::realtime {

namespace {

// A ping is to have half of the timeout to be answered.
uint32_t interval_of(const WsOptions& options) noexcept {
  const uint32_t interval_ms = base::to_ms(options.heartbeat_interval);
  const uint32_t timeout_ms = base::to_ms(options.heartbeat_timeout);
  return timeout_ms && interval_ms > timeout_ms / 2 ? timeout_ms / 2 + 1 : interval_ms;
}

Error open(worker::Worker& worker) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  w.open_routes();
  w.choose_sinks();
  if (w.compile_steps) w.compile_steps(w);
  if (w.group) w.rooms.use_key(w.group->directory.hash_key());
  if (Error error = w.take_compression()) return error;
  for (const auto& route : w.ws_routes) {
    if (!route->begin) continue;
    if (Error error = route->begin(*route)) return error;
    route->begin = nullptr;
  }
  return {};
}

void parts_changed(worker::Worker& w) noexcept { realtime_of(w).choose_sinks(); }

void deliver(worker::Worker& w) noexcept { deliver_published(realtime_of(w)); }

void send_notice(worker::Worker& worker, std::string_view text) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  const SharedFrame notice = SharedFrame::text(text);
  if (!notice) return;
  w.for_each_websocket([&](net::Connection& c) {
    if (is_let_in(c)) w.handle(c).send(notice);
  });
}

void before_close(worker::Worker& worker, net::Connection& c) noexcept {
  RealtimeWorker& w = realtime_of(worker);
  if (w.topics) w.topics->before_close(w, c);
  take_published(w, c);
}

constexpr worker::WorkerSeam kSeam{open, parts_changed, deliver, send_notice, before_close, describe_socket, {take_item, lagged}};

}  // namespace

constinit std::atomic<bool> any_type_data = false;
constinit std::atomic<bool> any_memory = false;

RealtimeWorker::RealtimeWorker(const AppOptions& app_options) : RoutedWorker(app_options, kSeam, accept_websocket) {}

RealtimeWorker::~RealtimeWorker() { leave(); }

void take_limits(WsRouteEntry& route) noexcept {
  const WsOptions& ws = route.handlers.options;
  session::WsLimits& limits = route.limits;
  route.metadata_bytes = ws.max_metadata_bytes;
  limits.message.message_bytes = base::at_most_everything(ws.max_message_bytes);
  limits.message.fragments = ws.max_fragments;
  limits.unsent_bytes = ws.max_unsent_bytes ? base::at_most_everything(ws.max_unsent_bytes) : 1;
  limits.heartbeat_timeout_ms = base::to_ms(ws.heartbeat_timeout);
  limits.heartbeat_interval_ms = interval_of(ws);
  limits.measure_latency = ws.measure_latency;
  limits.slow_consumer = ws.slow_consumer;
  take_time_limits(route);
}

bool RealtimeWorker::add_ws(std::string_view path, std::unique_ptr<WsRouteEntry> entry, std::span<Step> before) {
  if (defaults) defaults->fill_in(*this, entry->handlers.options);
  if (!entry->handlers.options.enabled) return stats.websocket_routes_off++, false;
  routing::Chain* chain = RoutedWorker::add_ws(path, *entry, before);
  if (!chain) return false;
  if (defaults) defaults->limit_paths(*this, *chain);
  const WsOptions& ws = entry->handlers.options;
  entry->worker = this;
  for (const std::string& origin : ws.origins) {
    if (const char* wrong = codec::wrong_origin(origin)) refuse_route(wrong, path);
  }
  if (const detail::VerifyParts* verify = VerifyAccess::parts(ws.verify)) verify->install(*entry, *chain);
  entry->pattern = path;
  entry->number = static_cast<uint32_t>(ws_routes.size());
  entry->log.route = entry.get();
  entry->origins = &ws.origins;
  entry->keep_request = ws.keep_request || !ws.keep_headers.empty() || entry->on_open || entry->begin;
  if (ws.keep_headers.size() > kMostKeptHeaders) refuse_route("keep_headers has more than 64 names", path);
  take_limits(*entry);
  if (ws.envelope == Envelope::type_data) {
    type_data_routes++;
    any_type_data.store(true, std::memory_order_relaxed);
  }
  if (!install_listeners(*this, *entry) && !mistake) mistake = Error("out of memory");
  ws_routes.push_back(std::move(entry));
  return true;
}

void RealtimeWorker::choose_sinks() noexcept {
  for (const auto& route : ws_routes) choose_sink(*route);
}

void RealtimeWorker::choose_sink(WsRouteEntry& route) noexcept {
  const session::WsSink& sink = route.own_sink ? *route.own_sink : observed() ? observed_ws_sink : ws_sink;
  route.sink = route.times.idle ? &stamping_sink(route, sink) : &sink;
}

bool RealtimeWorker::observe(net::Connection& c, const session::MessageView& message) noexcept {
  parts.received(c, message);
  return !std::exchange(message_refused, false) && !c.closing && c.state<session::WsState>().ready == ReadyState::open;
}

// The one that was sent to last stands first, so that who looks for what is new need not walk over all (publish.cc). The sets of
// topics stay where they began (topics.cc).
void RealtimeWorker::list(AudienceLog& audience) noexcept {
  if (dirty_audiences == &audience) return;
  if (std::exchange(audience.listed, true)) {
    take_off(audience);
  } else {
    reactor.want_turn();
  }
  audience.next = dirty_audiences;
  audience.link = &dirty_audiences;
  if (audience.next) audience.next->link = &audience.next;
  dirty_audiences = &audience;
}

void RealtimeWorker::take_off(AudienceLog& audience) noexcept {
  *audience.link = audience.next;
  if (audience.next) audience.next->link = audience.link;
}

// Of a room without members, which may stay, and be sent to again in this turn.
void RealtimeWorker::unlist(AudienceLog& audience) noexcept {
  audience.clear();
  if (std::exchange(audience.listed, false)) take_off(audience);
}

// True when the group knows of one member more.
bool RealtimeWorker::share_room(RoomRecord& room) noexcept {
  if (!room.shared) room.shared = group->directory.enter(worker::AudienceKind::room, room.name(), seat);
  if (room.shared) room.shared->add_member();
  return room.shared != nullptr;
}

JoinRefusal RealtimeWorker::may_join(net::Connection& c, const Rooms::Sought& sought, const JoinOptions& wishes) noexcept {
  if (!sought.room && !group && rooms.size() >= joins.most_rooms) return JoinRefusal::too_many_rooms;
  if (joins.may_have_more) {
    if (const JoinRefusal why = joins.may_have_more(*this, c); why != JoinRefusal::none) return why;
  }
  return joins.ask && !wishes.trusted ? joins.ask(*this, c, sought.name, wishes) : JoinRefusal::none;
}

namespace {

void leave_all(RealtimeWorker& w, net::Connection& c) noexcept {
  const auto& ws = c.state<session::WsState>();
  while (session::Membership* m = ws.rooms) w.end_membership(c, *w.rooms.find_live(m->room_slot), *m);
}

constexpr InRooms kInRooms{leave_all, take_of_many};

}  // namespace

Joined RealtimeWorker::enter_room(net::Connection& c, std::string_view name, const JoinOptions& wishes) noexcept {
  if (name.size() > joins.most_name_bytes) return {nullptr, JoinRefusal::name_too_long};
  auto& ws = c.state<session::WsState>();
  const Rooms::Sought sought = rooms.look(name);
  if (sought.room && rooms.is_member(ws, *sought.room)) return {sought.room, JoinRefusal::none};
  if (const JoinRefusal why = may_join(c, sought, wishes); why != JoinRefusal::none) return {nullptr, why};
  in_rooms = &kInRooms;
  RoomRecord* room = rooms.enter(reactor.blocks, ws, c.slot, sought);
  stats.open_rooms = rooms.size();
  if (!room) return {nullptr, JoinRefusal::out_of_memory};
  Membership& made = *ws.rooms;
  if (group && !share_room(*room)) {
    leave_quietly(c, *room, made);
    return {nullptr, group->directory.has_room_for_more() ? JoinRefusal::out_of_memory : JoinRefusal::too_many_rooms};
  }
  const bool remembered = !memory || memory->enter(*this, c, *room);
  if (!remembered || (joins.record && !joins.record(*this, c, *room))) {
    if (remembered && room->memory) memory->leave(*this, c, *room);
    return leave_quietly(c, *room, made), Joined{nullptr, JoinRefusal::out_of_memory};
  }
  parts.joined(c, name);
  return {room, JoinRefusal::none};
}

// Nobody has heard of its coming, or all have heard of its going.
void RealtimeWorker::leave_quietly(net::Connection& c, RoomRecord& room, Membership& m) noexcept {
  if (room.shared) room.shared->remove_member();
  if (room.members == 1) {
    unlist(room.log);
    if (room.shared) group->directory.leave(*room.shared, seat);
  }
  rooms.leave(c.state<session::WsState>(), room, m);
  stats.open_rooms = rooms.size();
}

void RealtimeWorker::leave_room(net::Connection& c, RoomRecord& room) noexcept {
  if (Membership* m = rooms.find(c.state<session::WsState>(), room)) end_membership(c, room, *m);
}

void RealtimeWorker::end_membership(net::Connection& c, RoomRecord& room, Membership& m) noexcept {
  if (!c.closing) take_published(*this, c);
  parts.left(c, room.name());
  if (room.memory) memory->leave(*this, c, room);
  leave_quietly(c, room, m);
}

base::SlotId RealtimeWorker::find_room_id(std::string_view name) noexcept {
  if (const RoomRecord* room = rooms.find(name)) return id_of(*room);
  return group ? group->directory.find(worker::AudienceKind::room, name).id : base::SlotId();
}

RoomRecord* RealtimeWorker::find_room(base::SlotId id) noexcept {
  if (!group) return rooms.find(id);
  const worker::DirectoryEntry* entry = group->directory.find(id);
  return entry ? rooms.find(*entry) : nullptr;
}

}  // namespace martlet::realtime

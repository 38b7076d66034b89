// A worker with its WebSocket routes, rooms, and what is published to them. Every worker is one of these: what has a
// worker::Worker and knows of rooms asks realtime_of() for it, which costs nothing. The worker's thread.
#pragma once

#include <martlet/route_server.h>
#include <martlet/ws_changes.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "realtime/access.h"
#include "realtime/extras.h"
#include "realtime/memory_seam.h"
#include "realtime/publish.h"
#include "realtime/rooms.h"
#include "realtime/time_limits.h"
#include "routing/routes.h"
#include "worker/worker.h"

namespace martlet::realtime {

class ClientDirectory;
struct MessageCompression;
struct RouteEvents;
struct TopicSeam;
struct WsRouteEntry;

// How steps behind the 101 begin (ws_steps.h).
struct OpenSteps {
  // Before there is a connection: what they will need. False when memory is out.
  bool (*prepare)(session::WsExtras& extras) noexcept;
  void (*begin)(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, session::Exchange& e) noexcept;
};

// How connections of clients that are known again begin (client_sessions.h).
struct OpenSessions {
  // Before there is a connection: whose it is. False: it was refused.
  bool (*admit)(RealtimeWorker& w, const net::Connection& c, WsRouteEntry& route, session::Exchange& e, session::WsExtras*& extras) noexcept;
  // The open handler is about to be called.
  void (*begin)(RealtimeWorker& w, net::Connection& c) noexcept;
};

// What has become of a join.
struct Joined {
  RoomRecord* room;  // null when it was refused
  JoinRefusal refusal;
};

// What options and hooks say of joins (room_options.cc, join_hook.cc, room_records.cc); null where nothing is said.
struct JoinRules {
  uint32_t most_rooms = UINT32_MAX;
  uint32_t most_name_bytes = kMostRoomNameBytes;
  // Whether the connection may be in one more room.
  JoinRefusal (*may_have_more)(RealtimeWorker& w, net::Connection& c) noexcept = nullptr;
  // Has somebody asked who decides; the answer is a refusal, `undecided` where it will be decided later.
  JoinRefusal (*ask)(RealtimeWorker& w, net::Connection& c, std::string_view room, const JoinOptions& options) noexcept = nullptr;
  // What was asked about this connection is not wanted any more.
  void (*forget)(RealtimeWorker& w, net::Connection& c, std::string_view room) noexcept = nullptr;
  // Writes a join down, before parts hear of it. False when memory is out.
  bool (*record)(RealtimeWorker& w, net::Connection& c, RoomRecord& room) noexcept = nullptr;
  static constexpr uint32_t kMostRoomNameBytes = 1024;
  static constexpr size_t kMostEpochBytes = 64;  // of JoinOptions that are kept; what is longer is no epoch, cut or not
};

// What happens to connections that are in rooms, apart: a worker whose connections join none has none of it.
struct InRooms {
  void (*leave_all)(RealtimeWorker& w, net::Connection& c) noexcept;
  bool (*take_of_many)(RealtimeWorker& w, net::Connection& c, uint64_t position) noexcept;
};

// What App::configure says of the routes that come after it (configure.cc).
struct RouteDefaults {
  void (*fill_in)(RealtimeWorker& w, WsOptions& options);
  void (*limit_paths)(RealtimeWorker& w, routing::Chain& chain);
};

// A WebSocket route of the application.
struct WsRouteEntry : session::WsRoute {
  RealtimeWorker* worker = nullptr;  // whose it is; it need not be the one whose turn it is: a callback may turn another App
  std::string pattern;
  WsHandlers handlers;
  Function<void(WebSocket, Request&)> on_open;  // of the per-connection form
  detail::RouteSetup set_up;                        // of two phases: it sets on_open
  Error (*begin)(WsRouteEntry& route) noexcept = nullptr;  // calls that, once
  bool keep_request = false;
  size_t metadata_bytes = 0;  // at most
  TimeLimits times;
  struct Changed {
    bool heartbeats = false;
    bool message_limit = false;  // it is lower
    bool times = false;
    AgeLimits before;
  } changed;  // what its connections are to hear of
  const std::vector<std::string>* origins = nullptr;  // those of its options, or what has come in their place,
  detail::CountedPointer origins_owner;               // and who has them then
  const std::vector<std::string>* broken_agents = nullptr;  // where it compresses
  // The subprotocol of a request that has passed the rules already; null where they are applied last, as there is no `verify`.
  std::string_view (*verified_protocol)(const session::Exchange& e) noexcept = nullptr;
  RouteEvents* events = nullptr;  // of its part; null where nobody listens to events
  const session::WsSink* own_sink = nullptr;  // of a part that looks at messages before the handlers do
  void* steps = nullptr;  // behind the 101 (ws_steps.h); null where there are none
  uint32_t first = session::WsState::kNone;  // its connections
  uint32_t connections = 0;  // those that steps have not let through yet as well
  uint32_t number = 0;  // among the worker's WebSocket routes
  AudienceLog log;
  worker::DirectoryEntry* shared = nullptr;  // of a worker of a group: while it has connections
};

// A route in two phases (route_server.cc).
std::unique_ptr<WsRouteEntry> two_phase_route(detail::RouteSetup set_up, WsOptions options);

void configure(RealtimeWorker& w, WsOptions options);

// App::reconfigure (reconfigure.cc). What is wrong with that, by the routes of one worker that has been opened; any thread. Without
// a pattern all routes are meant.
Error judge_changes(const RealtimeWorker& w, std::optional<std::string_view> pattern, const WsChanges& changes) noexcept;
// And has it done by the workers of these numbers: by all of them that are not over, or by none.
Error order_changes(uint32_t first, uint32_t end, std::optional<std::string_view> pattern, WsChanges&& changes) noexcept;

// What its options say of limits and times, made ready: before the first connection, and when they have changed.
void take_limits(WsRouteEntry& route) noexcept;

struct RealtimeWorker : routing::RoutedWorker {
  explicit RealtimeWorker(const AppOptions& app_options);
  ~RealtimeWorker();

  // False when the path is not good, which has been noted.
  bool add_ws(std::string_view path, std::unique_ptr<WsRouteEntry> entry, std::span<Step> before = {});
  // Which sink the routes' connections speak to: the plain one, unless somebody else wants to see what comes.
  void choose_sinks() noexcept;
  void choose_sink(WsRouteEntry& route) noexcept;
  // Somebody wants to see what comes, whichever the sink: a watchdog, a part.
  bool observed() const noexcept { return calling || !parts.received.empty(); }
  // Tells parts of a message. False when it is for nobody else: one of them has refused it, or closed.
  bool observe(net::Connection& c, const session::MessageView& message) noexcept;
  // How events look that are sent to connections of several routes.
  Envelope envelope() const noexcept {
    return type_data_routes > 0 && type_data_routes == ws_routes.size() ? Envelope::type_data : Envelope::event_args;
  }
  // What the routes make of the options of compression.h (compression.cc).
  Error take_compression() noexcept;

  bool message_refused = false;  // set by a part's `received` hook

  WebSocket handle(const net::Connection& c) const noexcept { return MessageAccess::socket(number, c.id()); }

  // Audiences with something to deliver.
  void list(AudienceLog& audience) noexcept;
  void unlist(AudienceLog& audience) noexcept;

  // Of the wishes only whether somebody is to be asked; of the others see MemorySeam.
  Joined enter_room(net::Connection& c, std::string_view name, const JoinOptions& wishes) noexcept;
  void leave_room(net::Connection& c, RoomRecord& room) noexcept;
  // The same of a membership that has been found.
  void end_membership(net::Connection& c, RoomRecord& room, Membership& m) noexcept;
  // How a room is named outside this worker.
  base::SlotId id_of(const RoomRecord& room) const noexcept {
    return group ? room.shared->id() : base::SlotId{room.slot, room.generation};
  }
  // The same of a route; in a group generation 0 when it has no connections on any worker.
  base::SlotId id_of(const WsRouteEntry& route) const noexcept;
  RoomRecord* find_room(base::SlotId id) noexcept;
  // By name, wherever its members are; generation 0 when there is none.
  base::SlotId find_room_id(std::string_view name) noexcept;

  // Of the group (group_audiences.cc) -----------------------------------------------------------------------------------
  AudienceLog* find_audience(worker::AudienceKind kind, base::SlotId entry) noexcept;
  // A connection comes to a route, or goes; of the first and the last one others are told by the directory.
  enum class Entered : uint8_t { yes, full, no_memory };
  Entered enter_route(WsRouteEntry& route) noexcept;
  void leave_route(WsRouteEntry& route) noexcept;
  worker::Directory::Found everybody_found() const noexcept;

  Rooms rooms;
  PublishLog log;
  base::GrowingArray<PublishedRange> ranges_found;  // by take_published()
  MessageCompression* compression = nullptr;  // a part; null when no route compresses
  const TopicSeam* topics = nullptr;          // of a part; null when nobody has subscribed to one
  AudienceLog everybody;
  AudienceLog* dirty_audiences = nullptr;  // those that were sent something this turn, the last one first
  worker::DirectoryEntry* all_shared = nullptr;  // of `everybody`
  std::vector<std::unique_ptr<WsRouteEntry>> ws_routes;
  JoinRules joins;
  // Frames for several rooms that another worker has sent, while they are taken (Among).
  struct ToSeveral {
    bool published = false;  // to the first of these rooms that has members here
    PublishedRange range;
  } to_several;
  const RouteDefaults* defaults = nullptr;  // null where nothing is configured
  const InRooms* in_rooms = nullptr;        // null until the first has joined one
  const MemorySeam* memory = nullptr;       // null where no room has a memory
  MemoryRoom* unread = nullptr;  // of those, the one that was sent something which is not in the log yet; the log is not empty then
  // Takes a listener of an event off; null where nobody listens to events.
  void (*off_event)(RealtimeWorker& w, net::Connection& c, uint64_t listener) noexcept = nullptr;
  // Both null where clients are not known again.
  const OpenSessions* open_sessions = nullptr;
  ClientDirectory* clients = nullptr;  // of all workers
  // Null where no route has steps behind the 101.
  const OpenSteps* open_steps = nullptr;
  void (*compile_steps)(RealtimeWorker& w) = nullptr;
  uint32_t type_data_routes = 0;  // whose WsOptions::envelope says so

 private:
  static void take_off(AudienceLog& audience) noexcept;
  void count_in(WsRouteEntry& route) noexcept;
  void let_go_of_entries(WsRouteEntry& route) noexcept;
  bool share_room(RoomRecord& room) noexcept;
  JoinRefusal may_join(net::Connection& c, const Rooms::Sought& sought, const JoinOptions& wishes) noexcept;
  void leave_quietly(net::Connection& c, RoomRecord& room, Membership& m) noexcept;
};

// Before anything is put into the log or taken from it, so that all is told in the order in which it was published.
inline void read_unread(RealtimeWorker& w) noexcept {
  if (w.unread) [[unlikely]] w.memory->read_unread(w);
}

inline RealtimeWorker& realtime_of(worker::Worker& w) noexcept { return static_cast<RealtimeWorker&>(w); }

// worker::here and its like, for those who know rooms.
inline RealtimeWorker* here(uint32_t number) noexcept { return static_cast<RealtimeWorker*>(worker::here(number)); }
inline RealtimeWorker* here_among(uint32_t first) noexcept {
  return static_cast<RealtimeWorker*>(worker::here_among(first));
}
template <typename F>
SendStatus post_to(uint32_t number, F fn, size_t bytes = 0) noexcept {
  return worker::post_to(
      number, [fn = std::move(fn)](worker::Worker& w) mutable { fn(realtime_of(w)); }, bytes);
}

// A route of this process has Envelope::type_data.
extern std::atomic<bool> any_type_data;
// Rooms of this process may have a memory.
extern std::atomic<bool> any_memory;
// A new ListenerId's (listeners.cc). Any thread.
uint64_t next_listener() noexcept;
// Takes a listener, or all from this one on, out of the list that it is in.
void take_out(RealtimeWorker& w, ListenerBase*& link) noexcept;
void take_out_all(RealtimeWorker& w, ListenerBase*& first) noexcept;

// Closes all WebSockets of that worker, from any thread; when memory is out, without the reason (close_all.cc).
void order_close_all(uint32_t number, CloseCode code, std::string_view reason) noexcept;

// What happens to connections (websocket_events.cc) ---------------------------------------------------------------------
extern const session::WsSink ws_sink;
// The same where a watchdog looks or parts listen.
extern const session::WsSink observed_ws_sink;
// The connection is one of its route's from now on, and whoever opens those is told of it, with the request.
void open_websocket(RealtimeWorker& w, net::Connection& c, WsRouteEntry& route, session::Exchange& e) noexcept;
// Installs the listeners of WsHandlers::on, where there are some (event_listeners.cc). False when memory is out.
bool install_listeners(RealtimeWorker& w, WsRouteEntry& route) noexcept;
// The seams (websocket_events.cc, group_audiences.cc).
void accept_websocket(routing::RoutedWorker& w, session::Exchange& e, session::WsRoute& route) noexcept;
void take_item(worker::Worker& w, const worker::ParcelItem& item, std::span<const worker::ParcelExcept> except) noexcept;
void lagged(worker::Worker& w, worker::AudienceKind kind, base::SlotId entry, uint64_t messages) noexcept;

}  // namespace martlet::realtime

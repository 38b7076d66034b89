// One worker: the reactor, the sessions, and everything that App promises on top of them. App is its public face.
//
// A worker runs on one thread, which finds it through current_worker(); handles (WebSocket, Room, Response, Next) name
// it by number, act directly when they are on its thread, and send a command through its inbox when they are not.
#pragma once

#include <martlet/app.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/group.h"
#include "sys/log_line.h"
#include "realtime/packed_log.h"
#include "worker/parcel.h"
#include "realtime/publish.h"
#include "realtime/rooms.h"
#include "routing/router.h"
#include "base/alloc.h"
#include "base/kept_text.h"
#include "net/mailbox.h"
#include "net/reactor.h"
#include "session/http_session.h"
#include "session/sessions.h"
#include "session/ws_session.h"

namespace martlet {

// What the library may look at in a Step.
struct StepAccess {
  static Function<void(Request&, Response&)>& handler(Step& s) noexcept { return s.handler_; }
  static Function<void(Request&, Response&, Next)>& middleware(Step& s) noexcept { return s.middleware_; }
};

// What the library may look at in an App.
struct AppAccess {
  static app::Worker& worker(App& app) noexcept;
};

// What the library may look at in handles and messages.
struct MessageAccess {
  static WebSocket socket(uint32_t worker, base::SlotId id) noexcept { return WebSocket(worker, id.slot, id.generation); }
  static uint32_t worker(const WebSocket& ws) noexcept { return ws.worker_; }
  static base::SlotId id(const WebSocket& ws) noexcept { return {ws.slot_, ws.generation_}; }
  static Room room(uint32_t worker, base::SlotId id) noexcept { return Room(worker, id.slot, id.generation); }
  static uint32_t worker(const Room& r) noexcept { return r.worker_; }
  static base::SlotId id(const Room& r) noexcept { return {r.slot_, r.generation_}; }
  static Message message(const session::MessageView& v) noexcept { return Message(v.data, v.size, v.is_text, v.block); }
  static const uint8_t* data(const Message& m) noexcept { return m.data_; }
  static session::MessageView view(const Message& m) noexcept { return {m.data_, m.size_, m.block_, m.is_text_}; }
  static SharedFrame frame(base::Block* block, uint32_t begin, uint64_t length) noexcept;
  static base::Block* block(const SharedFrame& f) noexcept { return f.block_; }
  static uint8_t* data(const SharedFrame& f) noexcept;
  static size_t length(const SharedFrame& f) noexcept { return static_cast<size_t>(f.length_); }

  using Kind = Audience::Kind;
  static Audience audience(Kind kind, uint32_t first, base::SlotId id) noexcept;
  static Audience audience(Kind kind, uint32_t first, std::string_view name) noexcept;
  static Audience room_audience(uint32_t first, std::string_view name) noexcept;
  static Kind kind(const Audience& a) noexcept { return a.kind_; }
  static uint32_t worker(const Audience& a) noexcept { return a.worker_; }
  static base::SlotId id(const Audience& a) noexcept { return {a.slot_, a.generation_}; }
  static std::string_view name(const Audience& a) noexcept {
    if (!a.name_) return {};
    const auto text = a.name_.payload();
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }
  static std::span<const WebSocket> except(const Audience& a) noexcept { return {a.except_, a.except_count_}; }
};

// A handler of one connection, by address: one that is replaced while it runs stays where it is until it has returned.
struct RetiredHandler {
  RetiredHandler* next = nullptr;
  virtual ~RetiredHandler() = default;
};
template <typename Signature>
struct OwnHandler final : RetiredHandler {
  explicit OwnHandler(Function<Signature>&& f) noexcept : function(std::move(f)) {}
  Function<Signature> function;
};

namespace session {
// What a connection owns beyond its state: handlers of its own, and the kept request.
struct WsExtras {
  OwnHandler<void(WebSocket, const Message&)>* message = nullptr;
  OwnHandler<void(WebSocket, const CloseInfo&)>* close = nullptr;
  OwnHandler<void(WebSocket)>* drain = nullptr;
  OwnHandler<void(WebSocket, const ErrorInfo&)>* error = nullptr;
  OwnHandler<void(WebSocket, std::string_view)>* ping = nullptr;
  OwnHandler<void(WebSocket, std::string_view)>* pong = nullptr;
  base::KeptText request;  // url, origin and user agent, one after the other
  uint32_t url_bytes = 0;
  uint32_t origin_bytes = 0;
};
}  // namespace session

namespace app {

// A WebSocket route of the application.
struct WsRouteEntry : session::WsRoute {
  Worker* worker = nullptr;  // whose it is; it need not be the one whose turn it is: a callback may turn another App
  std::string pattern;
  WsHandlers handlers;
  Function<void(WebSocket, Request&)> on_open;  // of the per-connection form
  bool keep_request = false;
  const std::vector<std::string>* broken_agents = nullptr;  // where it compresses
  uint32_t first = session::WsState::kNone;  // its connections
  uint32_t connections = 0;
  uint32_t number = 0;  // among the worker's WebSocket routes
  AudienceLog log;
  DirectoryEntry* shared = nullptr;  // of a worker of a group: while it has connections
};

// The steps that one route runs through, in order. Steps of use() stand in many chains.
struct Chain {
  struct Entry {
    Step* step;
    std::string_view prefix;  // of use(), when it depends on the request whether the path lies below it; else empty
  };
  std::string pattern;
  std::vector<std::string> params;
  std::vector<Entry> entries;
  WsRouteEntry* websocket = nullptr;
  Function<void(Request&, Response&)>* only = nullptr;  // the one handler that is the whole chain
};

struct Worker {
  explicit Worker(const AppOptions& app_options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Set-up --------------------------------------------------------------------------------------------------------
  void refuse_route(const char* what, std::string_view path);
  void add_use(std::string_view prefix, Step step);
  void add_uses(Chain& chain, std::string_view path);
  void add_route(std::string_view method, std::string_view path, Step* steps, size_t count);
  void add_ws(std::string_view path, std::unique_ptr<WsRouteEntry> entry);
  Result<uint16_t> listen(const ListenOptions& listen_options);
  Error open();
  void register_inbox() noexcept;
  void take_options() noexcept;
  Error take_compression() noexcept;
  std::string make_allow_field() const;

  // Running -------------------------------------------------------------------------------------------------------
  void turn(int64_t timeout_ns) noexcept;
  void begin_drain(const DrainOptions& drain) noexcept;
  void keep_draining() noexcept;
  void drain_step() noexcept;
  bool is_drained() noexcept;
  void say_goodbyes(uint64_t now_ns) noexcept;
  void say_goodbye(net::Connection& c) noexcept;
  void end() noexcept;
  Stats snapshot() const noexcept;
  // The same of all workers of the group: of the others as they have last shown it.
  Stats sum_of_group() const noexcept;

  // Of the group ----------------------------------------------------------------------------------------------------
  AudienceLog* find_audience(AudienceKind kind, base::SlotId entry) noexcept;
  // A first connection comes to a route, or the last one goes: others are told by the directory. False: no memory.
  bool enter_route(WsRouteEntry& route) noexcept;
  void leave_route(WsRouteEntry& route) noexcept;
  Directory::Found everybody_found() const noexcept;
  bool place_connection(int fd) noexcept;
  // What a turn owes the group, before its output is flushed.
  void end_group_turn() noexcept;
  void show_turn() noexcept;
  void sit_down(Place& place) noexcept;
  void stand_up() noexcept;

  AppOptions options;
  net::Inbox* inbox = nullptr;
  uint32_t number = 0;
  uint32_t first = 0;  // the number of the first worker of the group; one on its own is its own first
  uint32_t seat = 0;
  Group* group = nullptr;
  App* face = nullptr;  // the App that this is, in a Server
  Outgoing outgoing;
  DirectoryEntry* all_shared = nullptr;  // of `everybody`
  std::atomic<const std::string*>* calling = nullptr;  // what is called now, where a watchdog looks
  uint64_t show_at_ns = 0;
  Stats stats;
  net::Reactor reactor;
  session::Sessions sessions{reactor, stats};
  Rooms rooms;
  PublishLog log;
  PackedLog packed;
  std::unique_ptr<session::WsCompression> compression;  // null when no route compresses
  size_t compress_from = SIZE_MAX;                      // the least of the routes' thresholds
  AudienceLog everybody;
  AudienceLog* dirty_audiences = nullptr;  // those that were sent something this turn
  RetiredHandler* retired = nullptr;
  Function<void(const HandlerFailure&)> on_error;

  Router http_router;
  Router ws_router;
  std::list<Step> steps;
  std::vector<Chain::Entry> uses;
  std::list<std::string> prefixes;  // their texts
  std::vector<std::unique_ptr<Chain>> chains;     // of HTTP routes, by number
  std::vector<std::unique_ptr<Chain>> ws_chains;  // of WebSocket routes, by number
  std::vector<std::unique_ptr<WsRouteEntry>> ws_routes;
  Chain unmatched;
  uint32_t methods = 0;     // that there are routes for, a bit for each
  std::string allow_field;  // which these are, for OPTIONS *
  uint16_t port = 0;
  Error mistake;  // of a route that could not be registered
  bool opened = false;
  bool draining = false;
  bool drain_timed = false;
  bool signalled = false;
  bool over = false;
  bool in_turn = false;
  Worker* next_on_thread = nullptr;    // workers that had a turn on this thread
  const void* thread_mark = nullptr;   // which thread that is; null before the first turn
  uint64_t cut_at_ns = 0;
  uint64_t drain_since_ns = 0;
  uint64_t spread_ns = 0;       // over which the WebSockets are told to go
  uint32_t goodbyes = 0;        // slots below this one have been told
  SharedFrame notice;

  // The connection of a handle if it is an open or closing WebSocket; null when it is gone.
  net::Connection* websocket(base::SlotId id) noexcept {
    net::Connection* c = reactor.cork.owner;  // mostly it is the one being dispatched
    if (!c || c->slot != id.slot || c->generation != id.generation) c = reactor.connections.find(id);
    return c && c->protocol == &session::ws_protocol ? c : nullptr;
  }
  // A callback of the user's begins: of the route of this pattern, or of this kind. The text outlives the worker's turns.
  void note_call(const std::string& what) noexcept {
    if (calling) [[unlikely]] calling->store(&what, std::memory_order_relaxed);
  }
  static const std::string kTimer;
  static const std::string kPost;
  // fn(connection) for each, closing ones as well; it may close them.
  template <typename F>
  void for_each_websocket(F&& fn) noexcept {
    for (uint32_t slot = 0; slot < reactor.connections.extent(); slot++) {
      net::Connection* c = reactor.connections.at(slot);
      if (c && !c->closing && c->protocol == &session::ws_protocol) fn(*c);
    }
  }
  WebSocket handle(const net::Connection& c) const noexcept { return MessageAccess::socket(number, c.id()); }
  void report_failure(std::string_view route, WebSocket socket = {}) noexcept;
  void retire(RetiredHandler* handler) noexcept;
  void list(AudienceLog& audience) noexcept;
  void unlist(const AudienceLog& audience) noexcept;
  // Null when memory is out.
  RoomRecord* enter_room(net::Connection& c, std::string_view name) noexcept;
  void leave_room(net::Connection& c, RoomRecord& room) noexcept;
  // How a room is named outside this worker.
  base::SlotId id_of(const RoomRecord& room) const noexcept {
    return group ? room.shared->id() : base::SlotId{room.slot, room.generation};
  }
  // The same of a route; in a group generation 0 when it has no connections on any worker.
  base::SlotId id_of(const WsRouteEntry& route) const noexcept;
  RoomRecord* find_room(base::SlotId id) noexcept;
  // By name, wherever its members are; generation 0 when there is none.
  base::SlotId find_room_id(std::string_view name) noexcept;
};

// The worker whose turn it is on this thread; null between turns.
extern thread_local constinit Worker* current_worker_;
// Any worker of this thread by its number: whoever owns the loop may turn several, and may call between turns. One that
// rests is told what time it is.
Worker* find_on_thread(uint32_t number) noexcept;

// The worker of this number if it is this thread's.
inline Worker* here(uint32_t number) noexcept {
  Worker* w = current_worker_;
  if (w && w->number == number) [[likely]] return w;
  return find_on_thread(number);
}

// A worker of this thread that shares its rooms with those of this first number: for rooms, which belong to all of them.
Worker* find_member_on_thread(uint32_t first) noexcept;
inline Worker* here_among(uint32_t first) noexcept {
  Worker* w = current_worker_;
  if (w && w->first == first) [[likely]] return w;
  return find_member_on_thread(first);
}

// A call on its way to a worker.
template <typename F>
struct Command final : net::Mail {
  explicit Command(F&& f) noexcept : fn(std::move(f)) {}
  F fn;
};

// Hands it to the worker of this number. When the answer is not yes, the mail is still the caller's.
net::Posted post_mail(uint32_t number, net::Mail* mail) noexcept;

// Runs fn(Worker&) on the worker of this number, in a later turn: posted; closed when that worker is over, dropped when
// memory is out, or when `bytes` say that it is a message and too much waits for that worker already. What fn carries is
// its own affair, KeptText for texts.
template <typename F>
SendStatus post_to(uint32_t number, F fn, size_t bytes = 0) noexcept {
  auto* command = base::create<Command<F>>(std::move(fn));
  if (!command) return SendStatus::dropped;
  command->bytes = bytes ? bytes + sizeof(Command<F>) : 0;
  command->run = [](net::Mail* mail, void* worker) {
    auto* c = static_cast<Command<F>*>(mail);
    c->fn(*static_cast<Worker*>(worker));
    base::destroy(c);
  };
  command->drop = [](net::Mail* mail) { base::destroy(static_cast<Command<F>*>(mail)); };
  const net::Posted posted = post_mail(number, command);
  if (posted == net::Posted::yes) return SendStatus::posted;
  base::destroy(command);
  return posted == net::Posted::full ? SendStatus::dropped : SendStatus::closed;
}

// A query from a thread that is not the worker's is a programmer's error.
[[noreturn]] void wrong_thread(const char* what) noexcept;

// Chains (chain.cc) -------------------------------------------------------------------------------------------------
void on_request(void* context, session::Exchange& e);
void on_watched_request(void* context, session::Exchange& e);
void on_upgrade(void* context, session::Exchange& e);
bool has_route(void* context, session::Exchange& e);
// Goes on at the exchange's position, and settles it when its handler is not on the stack.
void go_on(Worker& w, session::Exchange& e) noexcept;

// WebSockets (websocket_events.cc) ----------------------------------------------------------------------------------
extern const session::WsSink ws_sink;
extern const session::WsSink watched_ws_sink;
// The end of an upgrade's chain: refuses, or answers 101 and opens.
void accept_websocket(Worker& w, session::Exchange& e, WsRouteEntry& route) noexcept;

}  // namespace app
}  // namespace martlet

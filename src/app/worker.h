// One worker: the reactor, the sessions, and everything that App promises on top of them. App is its public face.
//
// A worker runs on one thread, which finds it through current_worker(); handles (WebSocket, Room, Response, Next) name
// it by number, act directly when they are on its thread, and send a command through its inbox when they are not.
#pragma once

#include <martlet/app.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/publish.h"
#include "app/log_line.h"
#include "app/rooms.h"
#include "app/router.h"
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
  static Audience audience(Kind kind, uint32_t worker, base::SlotId id) noexcept;
  static Audience room_audience(uint32_t worker, std::string_view name) noexcept;
  static Kind kind(const Audience& a) noexcept { return a.kind_; }
  static uint32_t worker(const Audience& a) noexcept { return a.worker_; }
  static base::SlotId id(const Audience& a) noexcept { return {a.slot_, a.generation_}; }
  static std::string_view name(const Audience& a) noexcept {
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
  uint32_t first = session::WsState::kNone;  // its connections
  uint32_t connections = 0;
  uint32_t number = 0;  // among the worker's WebSocket routes
  AudienceLog log;
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
  void add_use(std::string_view prefix, Step step);
  void add_uses(Chain& chain, std::string_view path);
  void add_route(std::string_view method, std::string_view path, Step* steps, size_t count);
  void add_ws(std::string_view path, std::unique_ptr<WsRouteEntry> entry);
  Result<uint16_t> listen(const ListenOptions& listen_options);
  Error open();
  void register_inbox() noexcept;
  void take_options() noexcept;
  std::string make_allow_field() const;

  // Running -------------------------------------------------------------------------------------------------------
  void turn(int64_t timeout_ns) noexcept;
  void begin_drain(milliseconds deadline) noexcept;
  void keep_draining() noexcept;
  void drain_step() noexcept;
  void end() noexcept;
  Stats snapshot() const noexcept;

  AppOptions options;
  net::Inbox* inbox = nullptr;
  uint32_t number = 0;
  Stats stats;
  net::Reactor reactor;
  session::Sessions sessions{reactor, stats};
  Rooms rooms;
  PublishLog log;
  AudienceLog everybody;
  AudienceLog* dirty_audiences = nullptr;  // those that were sent something this turn
  RetiredHandler* retired = nullptr;
  Function<void(const HandlerFailure&)> on_error;

  Router http_router;
  Router ws_router;
  std::deque<Step> steps;
  std::vector<Chain::Entry> uses;
  std::deque<std::string> prefixes;  // their texts
  std::vector<std::unique_ptr<Chain>> chains;     // of HTTP routes, by number
  std::vector<std::unique_ptr<Chain>> ws_chains;  // of WebSocket routes, by number
  std::deque<std::unique_ptr<WsRouteEntry>> ws_routes;
  Chain unmatched;
  uint32_t methods = 0;     // that there are routes for, a bit for each
  std::string allow_field;  // which these are, for OPTIONS *
  uint16_t port = 0;
  bool opened = false;
  bool draining = false;
  bool drain_timed = false;
  bool signalled = false;
  bool over = false;
  bool in_turn = false;
  Worker* next_on_thread = nullptr;    // workers that had a turn on this thread
  const void* thread_mark = nullptr;   // which thread that is; null before the first turn
  uint64_t cut_at_ns = 0;
  uint64_t first_drain_step_ns = 0;

  // The connection of a handle if it is an open or closing WebSocket; null when it is gone.
  net::Connection* websocket(base::SlotId id) noexcept {
    net::Connection* c = reactor.cork.owner;  // mostly it is the one being dispatched
    if (!c || c->slot != id.slot || c->generation != id.generation) c = reactor.connections.find(id);
    return c && c->protocol == &session::ws_protocol ? c : nullptr;
  }
  WebSocket handle(const net::Connection& c) const noexcept { return MessageAccess::socket(number, c.id()); }
  void report_failure(std::string_view route, WebSocket socket = {}) noexcept;
  void retire(RetiredHandler* handler) noexcept;
  void list(AudienceLog& audience) noexcept;
  void unlist(const AudienceLog& audience) noexcept;
  void leave_room(net::Connection& c, RoomRecord& room) noexcept;
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

// A call on its way to a worker.
template <typename F>
struct Command final : net::Mail {
  explicit Command(F&& f) noexcept : fn(std::move(f)) {}
  F fn;
};

// Hands it to the worker of this number; false: that worker is over, and the mail is still the caller's.
bool post_mail(uint32_t number, net::Mail* mail) noexcept;

// Runs fn(Worker&) on the worker of this number, in a later turn: posted; closed when that worker is over, dropped when
// memory is out. What fn carries is its own affair, KeptText for texts.
template <typename F>
SendStatus post_to(uint32_t number, F fn) noexcept {
  auto* command = base::create<Command<F>>(std::move(fn));
  if (!command) return SendStatus::dropped;
  command->run = [](net::Mail* mail, void* worker) {
    auto* c = static_cast<Command<F>*>(mail);
    c->fn(*static_cast<Worker*>(worker));
    base::destroy(c);
  };
  command->drop = [](net::Mail* mail) { base::destroy(static_cast<Command<F>*>(mail)); };
  if (post_mail(number, command)) return SendStatus::posted;
  base::destroy(command);
  return SendStatus::closed;
}

// A query from a thread that is not the worker's is a programmer's error.
[[noreturn]] void wrong_thread(const char* what) noexcept;

// Chains (chain.cc) -------------------------------------------------------------------------------------------------
void on_request(void* context, session::Exchange& e);
void on_upgrade(void* context, session::Exchange& e);
bool has_route(void* context, session::Exchange& e);
// Goes on at the exchange's position, and settles it when its handler is not on the stack.
void go_on(Worker& w, session::Exchange& e) noexcept;

// WebSockets (websocket_events.cc) ----------------------------------------------------------------------------------
extern const session::WsSink ws_sink;
// The end of an upgrade's chain: refuses, or answers 101 and opens.
void accept_websocket(Worker& w, session::Exchange& e, WsRouteEntry& route) noexcept;

}  // namespace app
}  // namespace martlet

// One worker: the reactor, the sessions, its place in a group, and the way of commands to it. It knows no route and no
// room: what stands above it derives from it (routing::RoutedWorker, realtime::RealtimeWorker; every worker is one) and
// fills its seam, and features hang on it as parts (parts.h).
//
// A worker runs on one thread, which finds it through current_worker_; handles (WebSocket, Room, Response, Next) name
// it by number, act directly when they are on its thread, and send a command through its inbox when they are not.
#pragma once

#include <martlet/app.h>
#include <martlet/log.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/alloc.h"
#include "base/kept_text.h"
#include "codec/log_text.h"
#include "net/mailbox.h"
#include "net/reactor.h"
#include "session/sessions.h"
#include "session/ws_session.h"
#include "worker/group.h"
#include "worker/orders.h"
#include "worker/parcel.h"
#include "worker/parts.h"

namespace martlet::worker {

// What goes when nobody can be running it: a handler that is replaced while it runs stays where it is until then.
struct Retired {
  Retired* next = nullptr;
  virtual ~Retired() = default;
};

// What the rooms above do at the points of a worker's life.
struct WorkerSeam {
  // Set-up is over: options and routes are made ready.
  Error (*open)(Worker& w) noexcept;
  // Parts have come that want to see messages.
  void (*parts_changed)(Worker& w) noexcept;
  // What was published in this turn (delivery_due) goes to its receivers' queues.
  void (*deliver)(Worker& w) noexcept;
  // A drain has begun: this text to all WebSockets.
  void (*send_notice)(Worker& w, std::string_view text) noexcept;
  // A WebSocket is about to be closed: first it gets what was published to it.
  void (*before_close)(Worker& w, net::Connection& c) noexcept;
  // For a line of the log: which WebSocket it is whose callback has failed, and whether it closes for it, if it is still open.
  void (*describe)(Worker& w, const WebSocket& ws, std::string_view route, bool closes, codec::LogText& line) noexcept;
  ParcelSeam parcels;
};

struct Worker {
  // What derives from it is not there yet: nothing of the seam is called.
  Worker(const AppOptions& app_options, const WorkerSeam& seam_above);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Set-up --------------------------------------------------------------------------------------------------------
  Result<uint16_t> listen(const ListenOptions& listen_options);
  Error open();
  Error may_listen(bool proxied) const noexcept;
  uint32_t make_room() noexcept;  // for connections; how many there may be (limit.cc)
  void tell_limit() noexcept;
  void register_inbox() noexcept;
  void take_options() noexcept;

  // Running -------------------------------------------------------------------------------------------------------
  void turn(int64_t timeout_ns) noexcept;
  void begin_drain(DrainRequest drain) noexcept;
  void keep_draining() noexcept;
  void drain_step() noexcept;
  void tell_drain(uint32_t deadline_ms) const noexcept;
  void tell_end() const noexcept;
  bool is_drained() noexcept;
  void say_goodbyes(uint64_t now_ns) noexcept;
  void say_goodbye(net::Connection& c) noexcept;
  void end() noexcept;
  // The same, and off its thread: what derives from it calls this while it is still there.
  void leave() noexcept;
  Stats snapshot() const noexcept;
  // The same of all workers of the group: of the others as they have last shown it.
  Stats sum_of_group() const noexcept;

  // Of the group ----------------------------------------------------------------------------------------------------
  bool place_connection(int fd) noexcept;
  // What a turn owes the group, before its output is flushed.
  void end_group_turn() noexcept;
  void show_turn() noexcept;
  void sit_down(Place& place) noexcept;
  void stand_up() noexcept;

  AppOptions options;
  const WorkerSeam* const seam;
  net::Inbox* inbox = nullptr;
  uint32_t number = 0;
  uint32_t first = 0;  // the number of the first worker of the group; one on its own is its own first
  uint32_t seat = 0;
  Group* group = nullptr;
  App* face = nullptr;  // the App that this is, in a Server
  Outgoing outgoing;
  std::atomic<const std::string*>* calling = nullptr;  // what is called now, where a watchdog looks
  uint64_t show_at_ns = 0;
  uint64_t claimed_descriptors = 0;
  uint64_t limit_told_ns = 0;  // when the log has last said that the limit of connections is reached
  Stats stats;
  net::Reactor reactor;
  session::Sessions sessions{reactor, stats};
  bool delivery_due = false;  // something was published in this turn
  Retired* retired = nullptr;
  Function<void(const HandlerFailure&)> on_error;
  const QueueCounts* queue_counts = nullptr;  // null where no messages wait for clients
  Common own_common;  // of one without a group
  Parts parts;
  uint32_t owed = 0;  // what a drain waits for besides connections

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
  uint32_t cut_connections = 0; // that had not ended by themselves

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
  // A callback of the user's has thrown (report.cc): on_error hears of it, or the log. The socket is the one whose handler it was, if it
  // was one; `closes`: where it is still open it closes for it (1011).
  enum class Then : uint8_t { goes_on, closes };
  void report_failure(std::string_view route, WebSocket socket = {}, Then then = Then::goes_on) noexcept;
  // The same of a step of a request, or of what its answer calls.
  void report_failure(std::string_view route, session::Exchange& e) noexcept;
  // "WHAT" and which request it is, by may_log().
  void log_request(LogLevel level, std::string_view what, std::string_view route, const session::Exchange& e) noexcept;
  void retire(Retired* thing) noexcept;
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

inline Common& common_of(Worker& w) noexcept { return w.group ? w.group->common : w.own_common; }

// A query from a thread that is not the worker's is a programmer's error.
[[noreturn]] void wrong_thread(const char* what) noexcept;

}  // namespace martlet::worker

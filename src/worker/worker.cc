// The life of a worker: set-up, turns, drain, end. See worker.h.
#include "worker/worker.h"

#include <martlet/log.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "net/worker_registry.h"
#include "session/http_response.h"
#include "base/check.h"
#include "sys/clock.h"
#include "sys/process.h"

namespace martlet::app {

thread_local constinit Worker* current_worker_ = nullptr;

namespace {

thread_local constinit Worker* workers_of_thread = nullptr;

// A worker belongs to the thread that gave it its first turn.
void join_thread(Worker& w) noexcept {
  if (!w.thread_mark) {
    w.thread_mark = &workers_of_thread;
    w.next_on_thread = workers_of_thread;
    workers_of_thread = &w;
  }
  MARTLET_CHECK(w.thread_mark == &workers_of_thread && "the turns of one App on two threads");
}

void leave_thread(Worker& w) noexcept {
  if (w.thread_mark != &workers_of_thread) return;
  for (Worker** link = &workers_of_thread; *link; link = &(*link)->next_on_thread) {
    if (*link != &w) continue;
    *link = w.next_on_thread;
    break;
  }
  w.thread_mark = nullptr;
}

}  // namespace

namespace {

Worker* find_by(uint32_t Worker::*which, uint32_t value) noexcept {
  for (Worker* w = workers_of_thread; w; w = w->next_on_thread) {
    if (w->*which != value) continue;
    w->reactor.refresh_clock();
    return w;
  }
  return nullptr;
}

}  // namespace

Worker* find_on_thread(uint32_t number) noexcept { return find_by(&Worker::number, number); }
Worker* find_member_on_thread(uint32_t first) noexcept { return find_by(&Worker::first, first); }

void wrong_thread(const char* what) noexcept {
  std::fprintf(stderr, "martlet: %s called off its worker's thread\n", what);
  std::abort();
}

namespace {

constexpr uint32_t kReservedDescriptors = 64;  // for listeners, the poller, and what the program opens
constexpr uint64_t kDrainStepNs = 20'000'000;

// Far above what there is memory for, and far enough from the end of the numbers that sums do not wrap.
size_t at_most_everything(size_t bytes) noexcept { return bytes < SIZE_MAX / 4 ? bytes : SIZE_MAX / 4; }

uint32_t to_ms(milliseconds time) noexcept {
  const auto count = time.count();
  return count < 0 ? 0 : count > INT32_MAX ? INT32_MAX : static_cast<uint32_t>(count);
}

[[noreturn]] void too_late(const char* what, std::string_view path) {
  std::fprintf(stderr, "martlet: route \"%.*s\": %s\n", static_cast<int>(path.size()), path.data(), what);
  std::abort();
}

uint8_t method_of(std::string_view name) {
  using proto::Method;
  for (const Method method : {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::del,
                              Method::options}) {
    if (proto::method_name(method) == name) return static_cast<uint8_t>(method);
  }
  return kAnyMethod;
}

enum class Below : uint8_t { never, perhaps, always };

// Whether the paths of a pattern lie below a prefix, whole segments compared: "/api" is before "/api" and "/api/x", not
// before "/apis". A parameter or a wildcard may match the prefix or something else: that is asked for each request.
Below below(std::string_view pattern, std::string_view prefix) noexcept {
  Below answer = Below::always;
  while (!prefix.empty()) {
    const std::string_view wanted = cut_segment(prefix);
    if (wanted.empty() && prefix.empty()) return answer;  // "/api/" is the same as "/api"
    if (pattern.empty()) return Below::never;
    const std::string_view segment = cut_segment(pattern);
    if (segment == "*") return Below::perhaps;
    if (!segment.empty() && segment[0] == ':') {
      answer = Below::perhaps;
    } else if (segment != wanted) {
      return Below::never;
    }
  }
  return answer;
}

void on_accept(void* context, net::Connection& c, bool over_limit) {
  auto& w = *static_cast<Worker*>(context);
  session::start_http(w.sessions, c, over_limit);
}

void on_refuse(void* context, int fd) { session::refuse_at_once(static_cast<Worker*>(context)->sessions, fd); }

void before_flush(void* context) {
  auto& w = *static_cast<Worker*>(context);
  if (w.draining) w.keep_draining();
  if (w.group) w.end_group_turn();
  if (w.dirty_audiences || !w.log.empty()) deliver_published(w);  // a room may have gone after it was sent to
  if (w.compression) w.compression->end_turn();
  while (RetiredHandler* handler = w.retired) {
    w.retired = handler->next;
    base::destroy(handler);
  }
}

void on_signal(void* context, int) {
  auto& w = *static_cast<Worker*>(context);
  if (w.signalled) {
    w.over = true;  // asked a second time
  } else {
    w.signalled = true;
    w.begin_drain({.deadline = w.options.drain_deadline});
  }
}

}  // namespace

Worker::Worker(const AppOptions& app_options) : options(app_options) {
  register_inbox();  // handles made during set-up (timers, to_route) name the worker already
}

void Worker::register_inbox() noexcept {
  Place& place = place_;
  if (place.group && !place.taken) return sit_down(place);
  if (auto registered = net::register_worker()) {
    inbox = *registered;
    first = number = inbox->worker();
  }
}

Worker::~Worker() {
  MARTLET_CHECK(!in_turn && "an App destroyed inside one of its callbacks");
  end();
  leave_thread(*this);
}

// Set-up --------------------------------------------------------------------------------------------------------------

// The first one is what listen() answers.
void Worker::refuse_route(const char* what, std::string_view path) {
  sys::log_line(LogLevel::error, std::string("route \"").append(path).append("\": ").append(what));
  if (!mistake) mistake = Error(what);
}

void Worker::add_use(std::string_view prefix, Step step) {
  if (opened) too_late("use() after listen()", prefix);
  if (prefix.ends_with("/*")) prefix.remove_suffix(2);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!prefix.empty() && prefix[0] != '/') return refuse_route("a prefix begins with '/'", prefix);
  if (prefix.find_first_of(":*") != std::string_view::npos) return refuse_route("a prefix has no parameters", prefix);
  steps.push_back(std::move(step));
  uses.push_back({&steps.back(), prefixes.emplace_back(prefix)});
}

void Worker::add_uses(Chain& chain, std::string_view path) {
  for (const Chain::Entry& use : uses) {
    const Below answer = below(path, use.prefix);
    if (answer == Below::always) chain.entries.push_back({use.step, {}});
    if (answer == Below::perhaps) chain.entries.push_back(use);
  }
}

void Worker::add_route(std::string_view method, std::string_view path, Step* list, size_t count) {
  if (opened) too_late("registered after listen()", path);
  Pattern pattern;
  if (const char* wrong = Pattern::parse(path, pattern)) return refuse_route(wrong, path);
  Chain& chain = *chains.emplace_back(std::make_unique<Chain>());
  add_uses(chain, path);
  for (size_t i = 0; i < count; i++) {
    steps.push_back(std::move(list[i]));
    chain.entries.push_back({&steps.back(), {}});
  }
  auto& last = StepAccess::handler(*chain.entries.back().step);
  if (chain.entries.size() == 1 && last) chain.only = &last;
  http_router.add(pattern, method_of(method), static_cast<uint32_t>(chains.size() - 1));
  methods |= method == "" ? ~uint32_t{0} : 1u << method_of(method);
  chain.pattern = std::move(pattern.text);
  chain.params = std::move(pattern.params);
}

void Worker::add_ws(std::string_view path, std::unique_ptr<WsRouteEntry> entry) {
  if (opened) too_late("registered after listen()", path);
  Pattern pattern;
  if (const char* wrong = Pattern::parse(path, pattern)) return refuse_route(wrong, path);
  const WsOptions& ws = entry->handlers.options;
  entry->worker = this;
  entry->pattern = path;
  entry->sink = calling ? &watched_ws_sink : &ws_sink;
  entry->number = static_cast<uint32_t>(ws_routes.size());
  entry->log.route = entry.get();
  entry->keep_request = ws.keep_request || entry->on_open;
  entry->limits.message.message_bytes = at_most_everything(ws.max_message_bytes);
  entry->limits.message.fragments = ws.max_fragments;
  entry->limits.unsent_bytes = ws.max_unsent_bytes ? at_most_everything(ws.max_unsent_bytes) : 1;
  entry->limits.heartbeat_interval_ms = to_ms(ws.heartbeat_interval);
  entry->limits.heartbeat_timeout_ms = to_ms(ws.heartbeat_timeout);
  entry->limits.slow_consumer = ws.slow_consumer;
  Chain& chain = *ws_chains.emplace_back(std::make_unique<Chain>());
  add_uses(chain, path);
  chain.websocket = entry.get();
  ws_router.add(pattern, kAnyMethod, static_cast<uint32_t>(ws_chains.size() - 1));
  chain.pattern = std::move(pattern.text);
  chain.params = std::move(pattern.params);
  ws_routes.push_back(std::move(entry));
}

// What OPTIONS * answers when there is no route for it.
std::string Worker::make_allow_field() const {
  using proto::Method;
  std::string field = "Allow: OPTIONS";
  const bool get = methods & 1u << static_cast<int>(Method::get);
  for (const Method method : {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::del}) {
    const bool has = methods & 1u << static_cast<int>(method);
    if (has || (get && method == Method::head)) field.append(", ").append(proto::method_name(method));
  }
  return field + "\r\n";
}

void Worker::take_options() noexcept {
  session::HttpLimits& limits = sessions.limits;
  limits.head.head_bytes = options.max_head_bytes < 65'535 ? options.max_head_bytes : 65'535;
  limits.head.fields = options.max_header_fields < proto::RequestHead::kMaxFields ? options.max_header_fields
                                                                                   : proto::RequestHead::kMaxFields;
  limits.body_bytes = at_most_everything(options.max_body_bytes);
  limits.receive_budget_bytes = at_most_everything(options.receive_budget_bytes);
  limits.head_timeout_ms = to_ms(options.head_timeout);
  limits.body_timeout_ms = to_ms(options.body_timeout);
  limits.keep_alive_ms = to_ms(options.keep_alive_timeout);
  limits.handshake_ms = to_ms(options.handshake_timeout);
  limits.close_ms = to_ms(options.close_timeout);
  reactor.write_timeout_ms = to_ms(options.write_timeout);
}

// Leaves everything as it was when it fails: it may be tried again.
Error Worker::open() {
  if (opened) return {};
  if (mistake) return mistake;
  if (!inbox && !over) register_inbox();
  if (!inbox) return Error("no worker number or descriptor is left");
  unmatched.entries = uses;
  unmatched.pattern.assign(1, '*');
  allow_field = make_allow_field();
  take_options();
  if (Error error = take_compression()) return error;
  sessions.http = {this, calling ? on_watched_request : on_request, on_upgrade, has_route};
  const uint64_t descriptors = sys::raise_descriptor_limit();
  uint64_t most = descriptors > 2 * kReservedDescriptors ? descriptors - kReservedDescriptors : descriptors / 2;
  if (options.max_connections && options.max_connections < most) most = options.max_connections;
  if (most > UINT32_MAX / 4) most = UINT32_MAX / 4;
  char line[96];
  std::snprintf(line, sizeof line, "at most %llu connections", static_cast<unsigned long long>(most));
  sys::log_line(LogLevel::info, line);
  net::ReactorHooks hooks{this, on_accept, on_refuse, before_flush, on_signal, nullptr};
  if (group) {
    Seat& own = group->seats[seat];
    reactor.share({&group->connections, &own.connections, group->watched ? &own.turn_since_ns : nullptr});
    if (group->placing != Placing::stay) {
      hooks.place = [](void* w, int fd) { return static_cast<Worker*>(w)->place_connection(fd); };
    }
  }
  if (Error error = reactor.open(hooks, *inbox, static_cast<uint32_t>(most))) return error;
  opened = true;
  reactor.rest();  // what is posted before the first turn shows at fd()
  return {};
}

Result<uint16_t> Worker::listen(const ListenOptions& listen_options) {
  if (Error error = open()) return error;
  Result<uint16_t> bound = reactor.listen(listen_options);
  if (bound && port == 0) port = *bound;
  return bound;
}

// Running -------------------------------------------------------------------------------------------------------------

void Worker::turn(int64_t timeout_ns) noexcept {
  MARTLET_CHECK(!in_turn && "run() or poll_once() inside a callback");
  join_thread(*this);
  Worker* const outer = current_worker_;  // one whose callback asked for this turn
  current_worker_ = this;
  in_turn = true;
  reactor.turn(timeout_ns);
  in_turn = false;
  current_worker_ = outer;
  if (draining && is_drained()) over = true;
  if (group) show_turn();
  if (over) {
    end();
    leave_thread(*this);
  }
}

void Worker::begin_drain(const DrainOptions& drain) noexcept {
  if (draining || over) return;
  draining = true;
  sessions.draining = true;
  drain_since_ns = sys::monotonic_ns();
  cut_at_ns = drain_since_ns + uint64_t{to_ms(drain.deadline)} * 1'000'000;
  const milliseconds spread = drain.spread < drain.deadline ? drain.spread : drain.deadline;
  spread_ns = uint64_t{to_ms(spread)} * 1'000'000;
  if (!drain.notice.empty()) notice = SharedFrame::text(drain.notice);
  if (group) group->begin_drain(cut_at_ns);
  reactor.accept_waiting();  // the kernel has told these clients that they are connected
  reactor.stop_listening();
  if (notice) for_each_websocket([this](net::Connection& c) { handle(c).send(notice); });
  say_goodbyes(drain_since_ns);
  // Requests that the kernel holds already are read first: idle connections end at the next step.
}

// Closes the WebSockets whose turn it is: all at once, or evenly over the spread.
void Worker::say_goodbyes(uint64_t now_ns) noexcept {
  const uint64_t passed = now_ns - drain_since_ns;
  const uint64_t all = reactor.connections.extent();
  const uint64_t due = passed >= spread_ns ? all : all * passed / spread_ns;
  for (; goodbyes < due; goodbyes++) {
    net::Connection* c = reactor.connections.at(goodbyes);
    if (c && !c->closing && c->protocol == &session::ws_protocol) say_goodbye(*c);
  }
}

void Worker::say_goodbye(net::Connection& c) noexcept {
  take_published(*this, c);
  session::close_websocket(sessions, c, proto::close_code::going_away, "The server is going away.", CloseCause::drain);
}

// The steps come by a timer. Until there is memory for it, they come with turns that do not sleep.
void Worker::keep_draining() noexcept {
  if (drain_timed || over) return;
  drain_timed = reactor.timers.every(reactor.now_ns(), kDrainStepNs / 1'000'000,
                                     {[](void* w) { static_cast<Worker*>(w)->drain_step(); }, nullptr, this})
                    .generation != 0;
  if (drain_timed) return;
  if (sys::monotonic_ns() >= drain_since_ns + kDrainStepNs) drain_step();
  reactor.want_turn();
}

void Worker::drain_step() noexcept {
  const uint64_t now_ns = sys::monotonic_ns();
  const bool cut = now_ns >= cut_at_ns;
  say_goodbyes(now_ns);
  for (uint32_t slot = 0; slot < reactor.connections.extent(); slot++) {
    net::Connection* c = reactor.connections.at(slot);
    if (!c || c->closing) continue;
    if (cut && c->protocol == &session::ws_protocol) {
      session::abort_websocket(sessions, *c, CloseCause::drain);
    } else if (cut) {
      reactor.abort(*c);
    } else if (c->protocol == &session::http_protocol) {
      session::drain_http(sessions, *c);
    }
  }
}

void Worker::end() noexcept {
  if (!inbox) return;
  over = true;
  if (group && !draining) group->begin_drain(0);  // no restart hands listeners over that are about to be closed
  Worker* outer = current_worker_;
  current_worker_ = this;
  for_each_websocket([this](net::Connection& c) {
    session::abort_websocket(sessions, c, draining ? CloseCause::drain : CloseCause::local_close);
  });
  reactor.end_all();
  before_flush(this);
  if (group) stand_up();
  inbox->close();
  inbox = nullptr;
  current_worker_ = outer;
}

Stats Worker::snapshot() const noexcept {
  Stats now = stats;
  now.accepted = reactor.stats.accepted;
  now.refused_connections = reactor.stats.refused;
  now.accept_pauses = reactor.stats.accept_pauses;
  now.open_connections = reactor.connections.size();
  now.open_rooms = rooms.size();
  if (inbox) now.mail_refused = inbox->refused();
  return now;
}

void Worker::report_failure(std::string_view route, WebSocket socket) noexcept {
  stats.handler_failures++;
  if (on_error) {
    on_error({detail::last_failure(), route, socket});
  } else {
    sys::log_limited(LogLevel::error, "handler failed", detail::last_failure());
  }
}

void Worker::retire(RetiredHandler* handler) noexcept {
  if (!handler) return;
  handler->next = retired;
  retired = handler;
  reactor.want_turn();  // it goes when nobody can be running it
}

void Worker::list(AudienceLog& audience) noexcept {
  if (audience.listed) return;
  audience.listed = true;
  audience.next = dirty_audiences;
  dirty_audiences = &audience;
  reactor.want_turn();
}

void Worker::unlist(const AudienceLog& audience) noexcept {
  if (!audience.listed) return;
  AudienceLog** link = &dirty_audiences;
  while (*link != &audience) link = &(*link)->next;
  *link = audience.next;
}

RoomRecord* Worker::enter_room(net::Connection& c, std::string_view name) noexcept {
  auto& ws = c.state<session::WsState>();
  const session::Membership* before = ws.rooms;
  RoomRecord* room = rooms.join(reactor.blocks, ws, c.slot, name);
  if (!room || !group || ws.rooms == before) return room;
  if (!room->shared) room->shared = group->directory.enter(AudienceKind::room, name, seat);
  if (!room->shared) {
    rooms.leave(ws, *room);
    return nullptr;
  }
  room->shared->add_member();
  return room;
}

void Worker::leave_room(net::Connection& c, RoomRecord& room) noexcept {
  auto& ws = c.state<session::WsState>();
  if (!rooms.is_member(ws, room)) return;
  if (!c.closing) take_published(*this, c);
  if (room.shared) room.shared->remove_member();
  if (room.members == 1) {
    unlist(room.log);
    if (room.shared) group->directory.leave(*room.shared, seat);
  }
  rooms.leave(ws, room);
}

base::SlotId Worker::find_room_id(std::string_view name) noexcept {
  if (const RoomRecord* room = rooms.find(name)) return id_of(*room);
  return group ? group->directory.find(AudienceKind::room, name).id : base::SlotId();
}

RoomRecord* Worker::find_room(base::SlotId id) noexcept {
  if (!group) return rooms.find(id);
  const DirectoryEntry* entry = group->directory.find(id);
  return entry ? rooms.find(*entry) : nullptr;
}

}  // namespace martlet::app

// martlet/app.h: the application: routes, middleware, listening, running.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/inject.h>
#include <martlet/loop.h>
#include <martlet/middleware.h>
#include <martlet/options.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/rooms.h>
#include <martlet/router.h>
#include <martlet/stats.h>
#include <martlet/topics.h>
#include <martlet/websocket.h>
#include <martlet/ws_changes.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

struct EventError;  // events.h
struct MARTLET_LAYOUT SessionOptions;  // sessions.h
class Shared;       // history.h
class MARTLET_LAYOUT Presence;  // presence.h
struct PresenceOptions;
struct HistoryOptions;

// What went wrong in a handler, for App::on_error.
struct HandlerFailure {
  std::string_view what;   // the exception's text; valid until the handler of App::on_error returns
  std::string_view route;  // the pattern of the route
  WebSocket socket = {};   // the WebSocket, when it was one of its handlers
  const Request* request = nullptr;  // the request, when it was one of its steps; null of others. As long valid
};

// An application on one thread: the one that calls run(). All calls that set it up (use, get, ws, …, on_error) come
// before listen(), from one thread; later ones abort. post(), reconfigure(), drain() and close() may be called from any thread.
// A route or prefix that is not of the form below is the Error that listen() answers; further ones are logged.
//
// In a Server (server.h) there is an App for each worker. What is said there of rooms, routes, everybody and connections
// means all of them; drain() and close() do, too.
//
// Paths: "/users/:id/files/*". A segment that starts with ':' is a parameter ("[id]" is the same), a last segment "*" matches
// all the rest, which may be empty ("/files/" matches "/files/*", "/files" does not); as "*rest" it is the parameter "rest",
// too. "/posts/:id<int>" takes numbers only (also: uuid, slug, alnum), "/files/:name?" is "/files" and "/files/:name" in one.
// Static segments win over parameters with a constraint, those over other parameters, parameters over "*"; where what follows
// does not match, the next best is tried. Segment by segment, case-sensitive; a trailing slash counts. Two routes of one method
// for the same paths are a mistake; of all() and a method, the first registered wins.
// One path is judged by all, guards, routes and handlers: escapes of unreserved characters are decoded, the others have
// upper-case digits, so that "/%68i" is "/hi" and "/caf%c3%a9" is the route "/café". A path with a "." or ".." segment in
// any spelling, with a NUL, or with a '%' that begins no escape, is 400 before any step sees it (RFC 3986 §6.2.2), and as
// a route or a prefix it is a mistake.
class App : public Routes<App> {
 public:
  explicit App(AppOptions options = {});
  // Ends what is left, as close() does. Inside a callback of its own it aborts.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Is told when a handler threw, of WebSockets, too; the peer gets 500 or a close with 1011 without it. For answering in
  // another way there is the on_error of Routes.
  using Routes::on_error;
  App& on_error(Function<void(const HandlerFailure&)> handler);
  // What the WebSocket routes that are registered after it have where they do not say otherwise: every option of theirs that is
  // as WsOptions has it by itself becomes as it is here. So a heartbeat_interval of 30 s, which is the default, cannot be said
  // by a route; what it says differently can. A second call replaces the first for what comes after it.
  //
  //   app.configure({.heartbeat_interval = 20s, .max_connections = 1'000, .origins = {"https://a.example"}});
  App& configure(WsOptions options);
  // Limits of topics and of who subscribes to them (topics.h); in a Server of each worker. Where it is not called, those that
  // TopicsOptions has by itself hold.
  App& topics_options(TopicsOptions options);
  // Limits of rooms, and what is remembered of them; see RoomsOptions. In a Server every worker's App says the same.
  //
  //   app.rooms_options({.history = 32, .max_rooms = 1'000, .max_rooms_per_socket = 10});
  App& rooms_options(const RoomsOptions& options);
  // Is asked about each join but those of JoinOptions::trusted, and decides at once or later, from any thread: private rooms.
  // A second one replaces the first, an empty one is none. It never runs inside join(), which answers a Room whose refusal() is
  // `undecided`; see Admit. One that throws before it has decided has refused. It may be a coroutine (task.h).
  //
  //   app.on_join([](WebSocket ws, std::string_view room, Admit admit) {
  //     room.starts_with("public-") || may(ws.data<User>(), room) ? admit.yes() : admit.no("Access denied");
  //   });
  App& on_join(Function<void(WebSocket, std::string_view, Admit)> decide);
  // Is told of events whose arguments are not those that a listener takes, in place of the answer {"event":"error",…}: see
  // events.h.
  App& on_event_error(Function<void(WebSocket, const EventError&)> handler);
  // Answers requests for paths that no route takes with any method, in place of the 404.
  template <typename F>
  MARTLET_THUNK App& not_found(F&& handler) {
    static_assert(detail::is_handler<F>, "a handler is called with (Request&, Response&)");
    if constexpr (detail::is_handler<F>) set_not_found(Step(std::forward<F>(handler)));
    return *this;
  }
  // Of the fields that steps have set, only these stay when an answer is not theirs: on failures (a step that threw, fail(),
  // next(HttpError)) and on the library's own answers (404, 405, 413, 503, …). Without it all stay; what describes a body (Content-*,
  // ETag, Last-Modified) or lets it be cached never does. Several calls add up; none but {}: nothing stays.
  App& keep_fields(std::initializer_list<std::string_view> names);
  // Registers the routes of all files that announce some (file_routes.h), which stand below this folder, as the compiler was
  // told their names: "app", or "server/app" where "app" alone is in their names before that. A file outside of it, or one that
  // is not called route, is the Error of listen(), as are two for one path.
  App& file_routes(std::string_view folder);
  // What is registered, in the order of registration: those of mounted Routers with their prefix.
  MARTLET_LAYOUT std::vector<RouteInfo> routes() const;

  // Listens; may be called more than once, also again after a failure. Answers the port (0 for a Unix socket). Where it
  // listens is logged (info). Without a host, on all addresses of this machine: see ListenOptions::host.
  Result<uint16_t> listen(uint16_t port);
  Result<uint16_t> listen(std::string_view host, uint16_t port);
  Result<uint16_t> listen(const ListenOptions& options);
  // The port of the first listen(), 0 before it.
  uint16_t port() const noexcept;

  // Serves on this thread until a drain has ended (SIGTERM and SIGINT start one) or close() was called. Answers the
  // exit status: 0 when drained, 1 when the loop could not run.
  int run(RunOptions options = {});

  // For those who own the loop: one turn, waiting at most this long for something to do (negative: until there is).
  // Answers false once drained or closed.
  bool poll_once(milliseconds timeout);
  // Readable when poll_once would find something to do; timers apart: see next_timer. -1 before listen(). Wait for it
  // with the timeout that next_timer() gives, then call poll_once(0ms).
  int fd() const noexcept;
  // How long until the next timer wants a turn; negative when there is none.
  milliseconds next_timer() const noexcept;

  // For tests: a request, or a WebSocket, without a network, through all that one from the network goes through; before listen()
  // as well as after it. Gives the App turns, as poll_once() does, until the answer is whole: deferred answers and timers take
  // their time. Of an App of its own, on its own thread, outside of its callbacks; elsewhere, without an answer in time, and when
  // the App is over the answer is a 503 whose body says why, with Reply::failed. Its peer has no address. Routes are
  // registered before the first of them, as before listen(). See inject.h.
  Reply inject(const InjectedRequest& request = {});
  InjectedWebSocket inject_ws(const InjectedRequest& request = {});

  // Any thread: stops accepting, lets requests finish with Connection: close, closes WebSockets with 1001, and cuts
  // what is left at the deadline. run() then returns.
  void drain(DrainOptions options = {});
  // Any thread: ends everything at once.
  void close();

  // Any thread: runs `fn` on the App's thread, soon; what a posted function posts runs in a later turn. Calls of one
  // thread keep their order.
  void post(Function<void()> fn);
  using Routes::post;  // a route

  // On the App's thread: runs `fn` once after, or again and again every so long (without drift), at millisecond precision.
  // The answer is false when memory is out.
  TimerId after(milliseconds delay, Function<void()> fn);
  TimerId every(milliseconds interval, Function<void()> fn);
  void cancel(TimerId timer);

  // On the App's thread: the room of this name; not ok() when it has no members.
  Room room(std::string_view name) const noexcept;
  // On the App's thread: all rooms, in no particular order. Walks them all: not for every request.
  MARTLET_LAYOUT std::vector<RoomInfo> rooms() const;
  // Rooms of this name, or whose names begin as a pattern does that ends with '*', have a memory: see history.h. Of patterns that
  // fit, the longest counts. Before listen().
  App& history(std::string_view pattern, const HistoryOptions& options);
  // The room of this name, which has a memory, and keeps it for as long as the App or Server lives. Before listen(), or later on
  // the App's thread; not ok() when memory is out.
  Shared shared(std::string_view room);
  // Who is in the room of this name, or in rooms whose names begin as a pattern does that ends with '*': see presence.h. `describe`
  // says what is shown of a member; it is called on the App's thread at the end of the turn in which that has come, and may be any
  // function of the program's. Of patterns that fit, the longest counts. Before listen().
  Presence presence(std::string_view room, Decision<Json(WebSocket)> describe);
  Presence presence(std::string_view room, Decision<Json(WebSocket)> describe, PresenceOptions options);
  // Whom to send to: a room, the connections of a WebSocket route (by its pattern), everybody. Any thread.
  Audience to(std::string_view room) const noexcept;
  Audience to(const Room& room) const noexcept;
  Audience to(std::initializer_list<std::string_view> rooms) const noexcept;  // each member once
  Audience to(std::span<const std::string> rooms) const noexcept;
  Audience to_route(std::string_view pattern) const noexcept;
  Audience everybody() const noexcept;
  SendStatus broadcast(std::string_view text) const noexcept;

  // Any thread: sends to all who have subscribed to this topic (topics.h), each once. The message is encoded once on each worker,
  // and leaves at the end of this turn. ok when there is a receiver, in a Server also when some other worker has subscribers,
  // of whatever topics; closed when there is none; posted from another thread; dropped when that is no topic, or is above the limits
  // of topics_options(), or memory is out. Slow receivers are treated as those of a room are (rooms.h).
  SendStatus publish(std::string_view topic, std::string_view text, PublishOptions options = {}) const noexcept;
  SendStatus publish(std::string_view topic, std::span<const std::byte> bytes, PublishOptions options = {}) const noexcept;
  SendStatus publish(std::string_view topic, const Message& message, PublishOptions options = {}) const noexcept;
  SendStatus publish(std::string_view topic, const SharedFrame& frame, PublishOptions options = {}) const noexcept;
  SendStatus publish(std::string_view topic, const JsonText& json, PublishOptions options = {}) const noexcept;
  // The same of an event (events.h, which has to be included).
  template <typename... Args>
  SendStatus publish_event(std::string_view topic, std::string_view event, const Args&... args) const {
    return detail::emit(topic_events(topic), event, args...);
  }

  // Any thread: the WebSocket of this name (WebSocket::id), open or not; a handle of no connection when the text is not
  // such a name, or one of another process.
  WebSocket find(std::string_view id) const noexcept;
  // Any thread: the open WebSockets, on all workers, of which `wanted(ws)` is true, at most so many; told later, or awaited: see
  // members.h, which has to be included. Each worker asks of its own connections on its own thread, so that queries are allowed,
  // and several may ask at the same time. One that throws ends the look at those of its worker.
  template <typename F>
    requires(std::is_invocable_r_v<bool, std::decay_t<F>&, WebSocket>)
  MARTLET_THUNK MembersRequest find(F&& wanted, size_t limit = 100) const;
  // find(id).send(…).
  SendStatus send_to(std::string_view id, std::string_view text) const noexcept;
  SendStatus send_to(std::string_view id, std::span<const std::byte> bytes) const noexcept;
  // Clients are known again by what they say who they are: messages wait for them, and what a connection had is there for the
  // next one. See sessions.h. Once, before listen(); a second call aborts.
  App& sessions(SessionOptions options);
  // Any thread: sends to the client of this identity, on whatever worker it is; while it is away the message waits for it. ok or
  // backpressure when it was sent at once; posted when it is on its way, or waits; dropped when memory or its limit is spent;
  // closed when nothing waits for such a client (SessionOptions::queue, queue_unknown), or without App::sessions. Messages for one
  // client arrive in the order in which they were sent.
  SendStatus send_to_client(std::string_view client, std::string_view text) const noexcept;
  SendStatus send_to_client(std::string_view client, std::span<const std::byte> bytes) const noexcept;
  SendStatus send_to_client(std::string_view client, const SharedFrame& frame) const noexcept;
  SendStatus send_to_client(std::string_view client, const JsonText& json) const noexcept;
  // Any thread: drops what waits for the client, and has the store forget it, as when somebody logs out. A connection of it stays; close
  // that first, or what it has is stored again when it ends.
  void forget_client(std::string_view client) const noexcept;
  // Any thread: closes all WebSockets, as WebSocket::close() does.
  void close_all(CloseCode code = CloseCode::going_away, std::string_view reason = {});

  // Any thread, from listen() on: changes options of all WebSocket routes, or of the one with this pattern (as it was registered,
  // a Router's with its prefix), in a Server on all workers, for connections to come and for those that are open, as
  // ws_changes.h says of each. It is done soon, by each worker on its own thread, between two callbacks; calls of one thread
  // keep their order. A worker looks at each of its connections once for it.
  // An Error, and nothing has changed anywhere: before listen(), when all is over, no such route, an origin that is none,
  // drop_oldest where a context is kept, no memory. What is changed at once by several is the same on all workers. A pattern is
  // looked for among the routes of this App (for a Server, of its first one); routes that not all have change where they are.
  //
  //   if (Error error = app.reconfigure({.heartbeat_interval = 60s, .max_message_bytes = 50_MiB})) return report(error);
  Error reconfigure(WsChanges changes);
  Error reconfigure(std::string_view pattern, WsChanges changes);

  // On the App's thread: open WebSockets.
  uint64_t connections() const noexcept;
  // On the App's thread. Those of other workers of a Server are at most 20 ms old.
  Stats stats() const noexcept;

 private:
  friend struct AppAccess;
  struct Impl;
  uint32_t first_worker() const noexcept;  // of the group; as handles name it

  friend class Routes<App>;
  detail::TopicEvents topic_events(std::string_view topic) const noexcept;
  void add_use(std::string_view prefix, Step step);
  void add_route(std::string_view method, std::string_view path, const RouteOptions& options, Step* steps, size_t count);
  void add_ws(std::string_view path, WsHandlers&& handlers);
  void add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options);
  void add_ws(std::string_view path, WsHandlers&& handlers, detail::WsRouteSteps&& steps);
  void add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options, detail::WsRouteSteps&& steps);
  void add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options, detail::WsRouteSteps&& steps);
  void add_ws_use(std::string_view prefix, WsStep step);
  void add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options);
  void add_constraint(std::string_view name, Predicate predicate);
  void add_error_handler(ErrorHandler handler);
  void add_router(std::string_view prefix, Router router);
  void set_not_found(Step handler);

  Impl* impl_;
};

}  // namespace martlet

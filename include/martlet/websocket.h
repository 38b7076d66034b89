// martlet/websocket.h: WebSocket connections (RFC 6455).
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/json_forward.h>
#include <martlet/loop.h>
#include <martlet/message.h>
#include <martlet/options.h>
#include <martlet/topics.h>
#include <martlet/typed_data.h>
#include <martlet/websocket_names.h>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

class Request;
class Room;
class Audience;
enum class JoinRefusal : uint8_t;
class ConnectionRequest;
class MessageWriter;
struct MARTLET_LAYOUT ConnectionInfo;
struct MessageAccess;

// Of events.h.
class AckRequest;
struct EventListener;

// What one who joins wants: of a room with memory (history.h), but for `trusted`.
struct JoinOptions {
  // Of `since`: as the connection was told it.
  std::string_view epoch = {};
  // So many of the last messages, oldest first: where `since` is not said, and behind the room:gap where that cannot be.
  uint32_t last = 0;
  // It is told where it stands (room:joined), once it has been told what it missed.
  bool positions = true;
  // All that was sent behind this offset, which it has been told up to now; or, where that cannot be, a room:gap.
  std::optional<uint64_t> since = {};
  // The server's own code wants it: App::on_join is not asked.
  bool trusted = false;
};

// How a connection ended.
struct CloseInfo {
  CloseCause cause = CloseCause::peer_eof;
  // The code of the Close frame that decided it; abnormal when there was none, no_status when it had none.
  CloseCode code = CloseCode::abnormal;
  // Its reason; valid until the handler returns.
  std::string_view reason = {};
};

// An error that ends a connection.
struct ErrorInfo {
  // protocol_error, invalid_payload, message_too_big, too_many_fragments, slow_consumer, heartbeat_timeout,
  // write_timeout, peer_reset, handler_failure or out_of_memory.
  CloseCause cause = CloseCause::protocol_error;
  // Of the Close that the peer is sent; abnormal when it is sent none.
  CloseCode code = CloseCode::abnormal;
  // What happened, in a sentence; of handler_failure the text of the exception. Valid until the handler returns.
  std::string_view message = {};
};

// Names a listener, to take it out (WebSocket::off). False: none.
struct ListenerId {
  uint64_t number = 0;  // of the process's listeners
  explicit operator bool() const noexcept { return number != 0; }
  friend bool operator==(const ListenerId&, const ListenerId&) = default;
};

// A WebSocket connection, by name: a small value to copy, store, hash, compare and use at any time. Once the
// connection is gone every call is a normal "closed".
//
// Commands (send, close, ping, join, leave, to, broadcast, on_*) may be called from any thread: on the connection's
// own worker they act at once, elsewhere they are carried there in order. Queries answer on the worker only; called
// elsewhere they abort with a message. No command runs a handler before it returns. When memory is out on another
// thread, a send answers dropped, and what answers nothing is not done.
class WebSocket {
 public:
  // A handle of no connection: closed.
  constexpr WebSocket() noexcept = default;

  // Commands ---------------------------------------------------------------------------------------------------------

  // Sends a text message; `text` must be UTF-8 (the peer closes with 1007 when it is not). The bytes are copied.
  SendStatus send(std::string_view text, Compress compress = Compress::automatic) const noexcept;
  // Sends a binary message. The bytes are copied.
  SendStatus send(std::span<const std::byte> bytes, Compress compress = Compress::automatic) const noexcept;
  // Sends a received message, text as text. Inside its handler nothing is copied when it is large and not compressed.
  SendStatus send(const Message& message, Compress compress = Compress::automatic) const noexcept;
  // Sends a prepared frame. Nothing is copied, and it is compressed once for many receivers.
  SendStatus send(const SharedFrame& frame, Compress compress = Compress::automatic) const noexcept;
  // Sends JSON as a text message: a Json, {{"type", "tick"}, {"n", 7}}, a JsonWriter, or an own type (json.h).
  SendStatus send(const JsonText& json, Compress compress = Compress::automatic) const noexcept;

  // Begins a message that is sent in pieces (message_writer.h). It is false when the connection is not open, or one is being
  // written already.
  MessageWriter begin_message(MessageType type) const noexcept;

  // Starts the close handshake: what was sent before still leaves, later sends answer closed. The reason is cut to 123
  // bytes. Codes that may not be sent (RFC 6455 §7.4) become 1000. A second close does nothing.
  void close(CloseCode code = CloseCode::normal, std::string_view reason = {}) const noexcept;
  // Ends the TCP connection at once, without a Close.
  void abort() const noexcept;
  // Sends a ping with at most 125 bytes (the rest is cut).
  SendStatus ping(std::string_view payload = {}) const noexcept;

  // Sends a pong that nobody asked for, with at most 125 bytes: a sign of life. Pings are answered by the library.
  SendStatus pong(std::string_view payload = {}) const noexcept;

  // Reads no more from the peer, which is slowed down by TCP once the kernel's buffers are full; what has been read and is
  // not whole, or not told yet, waits. A message that is being told is told to its end. Its silence does not count from then
  // on, nor is an end of its noticed (a reset is). resume() goes on; so does close(), whose answer has to be read.
  void pause() const noexcept;
  void resume() const noexcept;
  // Runs `fn` now, on the connection's worker (posted from elsewhere, and then not run when the connection is gone): what it
  // sends here leaves together, in one write when it returns, where otherwise it would leave at the end of the turn. In a
  // handler of the connection that is so anyway. What it throws is reported as that of post().
  void cork(Function<void()> fn) const;

  // Runs `fn(ws)` (or `fn()`) once after, or again and again every so long, as App::after and every do, but not when the
  // connection is gone: then it is destroyed. From another thread, or when memory is out, the answer is no timer.
  TimerId after(milliseconds delay, Function<void(WebSocket)> fn) const;
  TimerId every(milliseconds interval, Function<void(WebSocket)> fn) const;
  template <typename F>
    requires(std::is_invocable_v<std::decay_t<F>&> && !std::is_invocable_v<std::decay_t<F>&, WebSocket>)
  MARTLET_THUNK TimerId after(milliseconds delay, F&& fn) const {
    return after(delay, without_socket(std::forward<F>(fn)));
  }
  template <typename F>
    requires(std::is_invocable_v<std::decay_t<F>&> && !std::is_invocable_v<std::decay_t<F>&, WebSocket>)
  MARTLET_THUNK TimerId every(milliseconds interval, F&& fn) const {
    return every(interval, without_socket(std::forward<F>(fn)));
  }
  // Of this connection's timers one.
  void cancel(TimerId timer) const noexcept;

  // Enters a room, which exists from its first member to its last. Entering twice is the same as once. The handle is
  // not ok() when the join was refused, and says why (Room::refusal): the connection is gone, a limit is reached
  // (App::rooms_options), memory is out, or it has yet to be decided (App::on_join). Nor is it on another thread (the join is
  // on its way).
  Room join(std::string_view room) const noexcept;
  // The same with wishes, and what it missed: see history.h.
  Room join(std::string_view room, const JoinOptions& options) const noexcept;
  // Enters all of these, as one by one: the answer is the first refusal, none when there is none; others are entered all the same.
  JoinRefusal join(std::initializer_list<std::string_view> rooms) const noexcept;
  JoinRefusal join(std::span<const std::string> rooms) const noexcept;
  // Leaves it, or does not enter it when that has not been decided yet; a connection that closes leaves all its rooms after its
  // close handler has run.
  void leave(std::string_view room) const noexcept;
  void leave(const Room& room) const noexcept;
  // The members of a room but this connection, which need not be a member itself.
  Audience to(std::string_view room) const noexcept;
  Audience to(const Room& room) const noexcept;
  // The members of several rooms but this connection: each gets it once, in however many of them it is. (A
  // room with memory tells its members by itself.)
  Audience to(std::initializer_list<std::string_view> rooms) const noexcept;
  Audience to(std::span<const std::string> rooms) const noexcept;
  // The connections of a route but this one, by the pattern that it was registered with.
  Audience to_route(std::string_view pattern) const noexcept;
  // All other connections of the App, on whatever route; in a Server those of all workers.
  SendStatus broadcast(std::string_view text, Compress compress = Compress::automatic) const noexcept;
  SendStatus broadcast(std::span<const std::byte> bytes, Compress compress = Compress::automatic) const noexcept;
  SendStatus broadcast(const Message& message, Compress compress = Compress::automatic) const noexcept;
  SendStatus broadcast(const JsonText& json, Compress compress = Compress::automatic) const noexcept;

  // Subscribes to the topics that this filter matches (topics.h), from the next publish on. Twice is the same as once.
  SubscribeStatus subscribe(std::string_view filter) const noexcept;
  // Takes the subscription by this very filter back, if there is one. What has been published still comes.
  void unsubscribe(std::string_view filter) const noexcept;
  // App::publish, to all subscribers of the topic but this connection, which need not be one itself.
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

  // Listeners of this connection alone; they run beside the handlers of the route's WsHandlers, after them, in the order in
  // which they were added. Any number: each costs a block of some 100 bytes. What is added while an event is told hears
  // of the next one; what is taken out hears of none any more. A listener may add and take out any, itself as well. All
  // hear of an event, also when one of them throws or closes. The once_ forms run one time. An empty function adds
  // nothing. One that cannot be kept because memory is out closes the connection (1013).
  ListenerId on_message(Function<void(WebSocket, const Message&)> handler) const;
  ListenerId once_message(Function<void(WebSocket, const Message&)> handler) const;
  // In place of all that on_message, once_message and set_message have added here; an empty one takes them out.
  ListenerId set_message(Function<void(WebSocket, const Message&)> handler) const;
  // Runs exactly once, after the last on_message. The handle still answers its rooms; sends answer closed.
  ListenerId on_close(Function<void(WebSocket, const CloseInfo&)> handler) const;
  // For those who need to know no more than that it has ended.
  template <typename F>
    requires(std::is_invocable_v<std::decay_t<F>&> && !std::is_invocable_v<std::decay_t<F>&, WebSocket, const CloseInfo&>)
  MARTLET_THUNK ListenerId on_close(F&& handler) const {
    return on_close([fn = std::decay_t<F>(std::forward<F>(handler))](WebSocket, const CloseInfo&) mutable { return fn(); });
  }
  // Runs when everything that waited has been given to the kernel, after a send has answered backpressure or dropped.
  ListenerId on_drain(Function<void(WebSocket)> handler) const;
  ListenerId once_drain(Function<void(WebSocket)> handler) const;
  // Runs when an error ends the connection: at most once, and before on_close. What the peer did wrong, or a handler
  // that threw, is told before our Close is sent: a last message may be sent from here, or a Close with another code,
  // which then stays the code and cause of the end. Errors of another kind (a slow consumer, a timeout, a reset) are
  // told when the connection has ended. A connection that is closing already has no more errors.
  ListenerId on_error(Function<void(WebSocket, const ErrorInfo&)> handler) const;
  // The payload is valid until the handler returns. Pongs are sent by the library.
  ListenerId on_ping(Function<void(WebSocket, std::string_view)> handler) const;
  ListenerId on_pong(Function<void(WebSocket, std::string_view)> handler) const;
  ListenerId once_pong(Function<void(WebSocket, std::string_view)> handler) const;
  // Tells messages in pieces, as they come, however large they are: nothing of them is kept, max_message_bytes does not
  // hold, and neither the message handlers nor listeners of events hear of them. From the next message on, while there is such
  // a listener. pause() and resume() bound what comes. Compressed messages, which have to be inflated whole, are told whole.
  ListenerId on_fragment(Function<void(WebSocket, const Fragment&)> handler) const;
  // Asks fn(ws, message) of every message before anybody is told of it: handlers, listeners of events, who waits for an answer.
  // When it is false, nobody is. This is what limits of messages are made of, added by a step (ws_use): `fn` may send, and close,
  // too. Messages that are refused count like others (Stats::messages_received, idle_timeout). Of one that is told in pieces
  // it is asked with the first piece, and a refusal closes (1008). Filters run in order, and all of them. off() takes one out.
  template <typename F>
  MARTLET_THUNK ListenerId filter_messages(F&& fn) const {
    static_assert(std::is_invocable_r_v<bool, std::decay_t<F>&, WebSocket, const Message&>, "a filter of messages is a (WebSocket, const Message&) that returns bool");
    return add_filter([fn = std::decay_t<F>(std::forward<F>(fn))](WebSocket ws, const Message& message, bool& passes) mutable {
      if (!fn(ws, message)) passes = false;
    });
  }
  // Takes a listener out; one that has gone already, or is another connection's, is none of its business.
  void off(ListenerId listener) const noexcept;

  // Events: see events.h, which has to be included for these. Commands, like the others.
  template <typename F>
  MARTLET_THUNK ListenerId on(std::string_view event, F&& listener) const;
  template <typename F>
  MARTLET_THUNK ListenerId once(std::string_view event, F&& listener) const;
  void off(std::string_view event) const;
  template <typename... Args>
  SendStatus emit(std::string_view event, const Args&... args) const;
  SendStatus emit(std::string_view event, const Json& only) const;
  template <typename... Args>
  AckRequest emit_with_ack(std::string_view event, const Args&... args) const;
  AckRequest emit_with_ack(std::string_view event, const Json& only) const;

  // Runs `fn(ws)` on the connection's worker, soon, but never before this call has returned; not at all when the
  // connection is gone by then.
  void post(Function<void(WebSocket)> fn) const;

  // Queries, on the worker only ------------------------------------------------------------------------------------

  ReadyState ready_state() const noexcept;
  bool is_open() const noexcept { return ready_state() == ReadyState::open; }
  // Bytes that wait for this connection and have not been given to the kernel.
  size_t buffered_bytes() const noexcept;
  bool in_room(std::string_view room) const noexcept;
  // The names of the rooms that it is in, in no particular order.
  MARTLET_LAYOUT std::vector<std::string> rooms() const;

  // A T of this connection's own, found by its type (the first one of a connection in one compare). Made (as T()) when it is
  // first asked for; it ends with the connection, after the close handlers, in which it is still there. Any number of types;
  // the first costs a lazy block. Of a connection that is gone the answer is a T() of nobody's, good until the next such
  // answer on this thread: what is put into it is lost. Where memory is out, or T() throws, it throws.
  //   ws.data<Player>().score++;
  template <typename T>
  MARTLET_THUNK T& data() const {
    detail::DataSlot** first = data_slots();
    if (!first) return nobodys_data<T>();
    if (*first && (*first)->key == &detail::slot_key<T>) [[likely]] return static_cast<detail::DataSlotOf<T>*>(*first)->value;
    return more_data<T>(first);
  }
  // The same if it is there, else null.
  template <typename T>
  T* find_data() const noexcept {
    detail::DataSlot* slot = first_data();
    while (slot && slot->key != &detail::slot_key<T>) slot = slot->next;
    return slot ? &static_cast<detail::DataSlotOf<T>*>(slot)->value : nullptr;
  }
  // JSON of this connection's own, for people and for info(): an empty object at first. It lasts as data() does. Of a
  // connection that is gone, or without memory, a null that nothing can be put into. What it holds is limited
  // (WsOptions::max_metadata_bytes), which is looked at by each of these calls: above it the members that came last go, and
  // the connection is closed (1008, metadata_too_big).
  //   ws.metadata()["userId"] = 7;
  Json& metadata() const noexcept;
  // All that people want to know of a connection, in one value (connection_info.h).
  ConnectionInfo info() const;

  // The peer's address, asked of the kernel, or the one that a PROXY header has named (ListenOptions::proxy_protocol); empty when
  // it is gone or on a Unix socket. Fields of a request do not count here: Request::ip() is for those.
  std::string ip() const;
  std::string remote_address() const { return ip(); }
  // The peer's port as the kernel knows it; 0 when it is gone, on a Unix socket, or named by a PROXY header.
  uint16_t remote_port() const noexcept;
  // The request that opened it, when it was kept (WsOptions::keep_request): path, parameters, query, fields
  // (connection_request.h). Here the most common ones; empty when it was not kept. Valid until the close handlers have run.
  ConnectionRequest request() const noexcept;
  std::string_view url() const noexcept;
  std::string_view origin() const noexcept;
  std::string_view user_agent() const noexcept;
  // The subprotocol that was chosen (WsOptions::protocols), which costs a lazy block; empty when there is none. As long valid.
  std::string_view protocol() const noexcept;

  // Who its client is (App::sessions, sessions.h); empty when nobody has said. As long valid.
  std::string_view client_id() const noexcept;

  // When the handshake was answered; the epoch when the connection is gone.
  std::chrono::system_clock::time_point connected_at() const noexcept;
  // Whether it is open and its peer shows life: that it was heard from (pongs count) within one and a half heartbeat
  // intervals. While reading is paused, and without heartbeats, an open one counts as alive.
  bool is_alive() const noexcept;
  // How long the last answered ping took to come back, in whole milliseconds, at most a minute; heartbeats count as well as
  // ping(), but only the silent get them (see WsOptions::measure_latency). Nothing before the first one. The peer may answer late, or what was not asked: a figure for people.
  std::optional<milliseconds> latency() const noexcept;

  // Any thread -----------------------------------------------------------------------------------------------------

  // A name for logs and messages: "ws_" and 26 characters; unique over processes, reveals nothing, cannot be guessed.
  std::string id() const;

  friend constexpr bool operator==(const WebSocket&, const WebSocket&) noexcept = default;
  friend constexpr auto operator<=>(const WebSocket&, const WebSocket&) noexcept = default;

 private:
  friend struct MessageAccess;
  friend struct std::hash<WebSocket>;
  template <typename F>
  MARTLET_THUNK static Function<void(WebSocket)> without_socket(F&& fn) {
    return [fn = std::decay_t<F>(std::forward<F>(fn))](WebSocket) mutable { return fn(); };
  }
  ListenerId add_filter(Function<void(WebSocket, const Message&, bool&)> filter) const;
  detail::TopicEvents topic_events(std::string_view topic) const noexcept;
  // Where its typed data is; null when it is gone or memory is out.
  detail::DataSlot** data_slots() const noexcept;
  detail::DataSlot* first_data() const noexcept;
  template <typename T>
  MARTLET_THUNK T& more_data(detail::DataSlot** link) const {
    for (; *link; link = &(*link)->next) {
      if ((*link)->key == &detail::slot_key<T>) return static_cast<detail::DataSlotOf<T>*>(*link)->value;
    }
    auto* made = new detail::DataSlotOf<T>();
    while (*link) link = &(*link)->next;  // T() may have asked for others
    *link = made;
    return made->value;
  }
  template <typename T>
  MARTLET_THUNK static T& nobodys_data() {
    static thread_local std::optional<T> nobodys;
    return nobodys.emplace();
  }

  constexpr WebSocket(uint32_t worker, uint32_t slot, uint32_t generation) noexcept
      : worker_(worker), slot_(slot), generation_(generation) {}
  uint32_t worker_ = 0;
  uint32_t slot_ = 0;
  uint32_t generation_ = 0;
};

// Listeners of events that a route has for all its connections: WsHandlers{.on = {{"join", fn}, {"leave", fn}}}; see events.h.
class EventListeners {
 public:
  EventListeners() noexcept = default;
  EventListeners(std::initializer_list<EventListener> listeners);
  EventListeners(EventListeners&& other) noexcept;
  EventListeners(const EventListeners&) = delete;
  EventListeners& operator=(const EventListeners&) = delete;
  EventListeners& operator=(EventListeners&& other) noexcept;
  ~EventListeners() {
    if (list_) forget();
  }

 private:
  friend struct MessageAccess;
  struct List;
  struct Parts;  // what it takes to have events: named by the constructor with listeners alone
  void forget() noexcept;
  List* list_ = nullptr;
  const Parts* parts_ = nullptr;
};

// The handlers of a route, shared by all its connections: an idle connection then owns nothing of its own. They stand in
// the order of a connection's life.
struct MARTLET_LAYOUT WsHandlers {
  // Runs after the handshake; the request is valid until it returns.
  Function<void(WebSocket, Request&)> open = {};
  // Runs once per message, in order.
  Function<void(WebSocket, const Message&)> message = {};
  // Events, whose messages `message` does not see.
  EventListeners on = {};
  // See WebSocket::on_drain.
  Function<void(WebSocket)> drain = {};
  // See WebSocket::on_error.
  Function<void(WebSocket, const ErrorInfo&)> error = {};
  // Runs exactly once per connection whose open handler ran.
  Function<void(WebSocket, const CloseInfo&)> close = {};
  // Payloads are valid until the handler returns.
  Function<void(WebSocket, std::string_view)> ping = {};
  Function<void(WebSocket, std::string_view)> pong = {};
  WsOptions options = {};
};

}  // namespace martlet

template <>
struct std::hash<martlet::WebSocket> {
  size_t operator()(const martlet::WebSocket& ws) const noexcept {
    const uint64_t mixed = (uint64_t{ws.generation_} << 32 | ws.slot_) * 0x9E3779B97F4A7C15u + ws.worker_;
    return std::hash<uint64_t>()(mixed ^ mixed >> 29);
  }
};

// martlet/events.h: named events with arguments, and answers to them, over a WebSocket.
//
//   ws.on("join", [](WebSocket ws, std::string room) { ws.join(room); });
//   ws.on("save", [](WebSocket ws, Json doc, EventReply reply) { reply({{"ok", true}}); });   // at once or later, any thread
//   ws.emit("tick", 7, doc);  ws.to("lobby").emit("tick", 7);  app.everybody().emit("tick", 7);
//   ws.emit_with_ack("save", doc).timeout(5s).then([](WebSocket ws, AckResult answer) { … });
//   app.ws("/chat", WsHandlers{.on = {{"join", join}, {"leave", leave}}});
//
// On the wire an event is the text {"event":"save","args":[…]}, with "ack":7 in it when an answer is wanted; the answer is
// {"ack":7,"args":[…]}. Other members are ignored. With WsOptions::envelope = Envelope::type_data it is {"type":…,"data":…}
// instead, and the answer {"ack":7,"data":…}: data is the one argument; a listener with several takes them from a list.
//
// Listeners run in order, those of the route first. A message of an event that somebody listens to, or of an answer on a
// connection that has asked for one, goes to nobody else; all other text goes to on_message: that which is no JSON or is not of this
// form, events that nobody listens to (whatever their arguments), names of more than 128 bytes. Parts that count messages see them all.
//
// A listener takes (WebSocket, arguments…, EventReply); the first and the last may be left out. Arguments are what JSON can be read
// as (json_types.h): bool, integers, double, std::string, std::string_view (good until the listener returns), Json, own types,
// containers, optional<…>. They are read from the text straight into these types. There may be more of them in the message
// than the listener takes; a missing one is an error, unless it may be empty (optional). What a listener returns, if not void, is
// its reply. Where the arguments are not what a listener takes, it does not run, and the peer is sent the event "error" with
// {code, message, event}, or App::on_event_error is told: code "bad_arguments", or "too_many_arguments" above 32.
//
// A listener that throws closes the connection with 1011, like any handler. Listeners may be added and removed anywhere, inside
// themselves, too: those that come while an event is being told hear the next one, those that are taken off hear nothing more.
//
// A listener may be a coroutine (task.h): what it is told lasts as long as it does, and what its Task<T> returns is its reply.
//   AckResult answer = co_await ws.emit_with_ack("save", doc).timeout(5s);
//
// The first listener of a connection costs a block of it (extras), each name and listener one more. A connection may wait for 1,024 answers.
//
// Contents: what events are written with; EventReply, EventError, AckResult, AckRequest; what listeners are called with; coroutines;
// the calls of websocket.h and rooms.h.
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/kept_arguments.h>
#include <martlet/options.h>
#include <martlet/rooms.h>
#include <martlet/task.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace martlet {

inline constexpr size_t kMaxEventNameBytes = 128;
inline constexpr size_t kMaxEventArguments = 32;
inline constexpr size_t kMaxUnansweredAcks = 1024;  // of one connection

namespace detail {

struct EventAccess;

// The text of an event or an answer while it is written.
class EventWriter {
 public:
  explicit EventWriter(std::string_view event) noexcept;
  EventWriter(uint64_t ack, Envelope envelope, size_t count) noexcept;
  // An event that was written before, without its last brace.
  EventWriter(std::string_view head, uint32_t args_at, uint32_t count) noexcept;
  template <typename T>
  void add(const T& value) {
    if constexpr (std::is_null_pointer_v<T>) {
      out_.value(nullptr);
    } else if constexpr (json::Text<T>) {
      add_text(std::string_view(value));
    } else {
      json::write_value(out_, value);
    }
    count_++;
  }

 private:
  friend struct EventAccess;
  void add_text(std::string_view text) noexcept;
  JsonWriter out_;
  uint32_t args_at_ = 0;  // where the list begins
  uint32_t count_ = 0;
  bool bare_ = false;  // the value stands alone, in no list
  bool ended_ = false;
  bool good_ = true;
};

SendStatus send_event(const WebSocket& to, EventWriter& event) noexcept;
SendStatus send_event(const Room& to, EventWriter& event) noexcept;
SendStatus send_event(const Audience& to, EventWriter& event) noexcept;
SendStatus send_answer(const WebSocket& to, EventWriter& answer) noexcept;

template <typename To, typename... Args>
SendStatus emit(const To& to, std::string_view event, const Args&... args) {
  static_assert(sizeof...(Args) <= kMaxEventArguments, "an event has at most 32 arguments");
  EventWriter out(event);
  (out.add(args), ...);
  return send_event(to, out);
}

}  // namespace detail

// The answer to an event, for a listener to keep and to call once; what a second one says is for nobody. It is a small value, to be
// copied and used at any time from any thread. When the connection has gone, it answers closed.
class EventReply {
 public:
  constexpr EventReply() noexcept = default;

  // Whether the peer wants an answer. Else calling it does nothing, and answers ok.
  explicit operator bool() const noexcept { return ack_ != kNone; }
  // Sends these as the arguments of the answer, at most 32.
  template <typename... Args>
  SendStatus operator()(const Args&... args) const {
    static_assert(sizeof...(Args) <= kMaxEventArguments, "an answer has at most 32 arguments");
    if (!*this) return SendStatus::ok;
    detail::EventWriter out(ack_, envelope_, sizeof...(Args));
    (out.add(args), ...);
    return detail::send_answer(ws_, out);
  }
  SendStatus operator()(const Json& only) const;

 private:
  friend struct detail::EventAccess;
  static constexpr uint64_t kNone = UINT64_MAX;
  WebSocket ws_ = {};
  Envelope envelope_ = Envelope::event_args;
  uint64_t ack_ = kNone;
};

// An event that no listener could take, for App::on_event_error. The texts are valid until its handler returns.
struct EventError {
  std::string_view event;
  std::string_view code;     // "bad_arguments", "too_many_arguments"
  std::string_view message;  // "/0: an integer is wanted"
  EventReply reply = {};     // when the peer wants one
};

enum class AckStatus : uint8_t {
  ok,         // the peer has answered
  timed_out,  // not in time; an answer that comes later is for nobody
  closed,     // the connection has ended, or had before
  refused,    // not sent: 1,024 answers are outstanding, or it was dropped (SendStatus::dropped), or memory is out
};
std::string_view name_of(AckStatus status) noexcept;

// What became of emit_with_ack(). Views in it are valid until the handler returns; those of kept() and of co_await as long as it.
class MARTLET_LAYOUT AckResult {
 public:
  AckStatus status() const noexcept { return status_; }
  bool ok() const noexcept { return status_ == AckStatus::ok; }
  explicit operator bool() const noexcept { return ok(); }
  // How many arguments the answer has.
  size_t size() const noexcept;
  // One of them, as a Json or an own type; an error when there is none, or it is something else.
  template <typename T = Json>
  MARTLET_THUNK JsonResult<T> get(size_t index = 0) const {
    return JsonResult<T>::parse(text(index));
  }
  // Its text; empty when there is none.
  std::string_view text(size_t index = 0) const noexcept;
  // The same with a copy of the answer that it, and copies of it, own.
  MARTLET_THUNK AckResult kept() const {
    AckResult copy = *this;
    if (own_ || args_.empty()) return copy;
    copy.own_ = detail::Shared<std::string>::make(args_);
    copy.args_ = *copy.own_;
    return copy;
  }

 private:
  friend struct detail::EventAccess;
  std::string_view args_ = {};
  detail::Shared<std::string> own_ = {};
  AckStatus status_ = AckStatus::closed;
  bool bare_ = false;
};

// An event that is to be answered, on its way: emit_with_ack("save", doc).timeout(5s).then(fn). Nothing is sent before then().
namespace detail {
class AckAwait;
}
class [[nodiscard]] AckRequest {
 public:
  AckRequest(const AckRequest&) = delete;
  AckRequest& operator=(const AckRequest&) = delete;

  // How long the answer may take from then on; without it, as long as the connection lives.
  AckRequest& timeout(milliseconds time) noexcept {
    timeout_ = time;
    return *this;
  }
  // Sends it. `fn(ws, result)` runs once, on the connection's worker, never before this has returned; not at all only when the App has
  // ended by then or memory is out for telling it. It may be told after the connection's close handlers (closed).
  void then(Function<void(WebSocket, AckResult)> fn);
  // Sends it, and waits for the result: AckResult answer = co_await request. The task of a connection that has ended does not go
  // on, as ever; one that asks another connection than its own, or is a request's, is told `closed`.
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
  detail::AckAwait operator co_await() noexcept;
#endif

 private:
  friend class WebSocket;
  template <typename... Args>
  AckRequest(const WebSocket& ws, std::string_view event, const Args&... args) : ws_(ws), event_(event) {
    (event_.add(args), ...);
  }
  WebSocket ws_;
  milliseconds timeout_ = milliseconds(-1);
  detail::EventWriter event_;
};

// A coroutine that is told of it has a copy of the answer.
template <>
class detail::KeptArgument<AckResult> {
 public:
  MARTLET_THUNK explicit KeptArgument(const AckResult& result) : result_(result.kept()) {}
  explicit operator bool() const noexcept { return true; }
  const AckResult& get() const noexcept { return result_; }

 private:
  AckResult result_;
};

// What listeners are called with -----------------------------------------------------------------------------------------

// The arguments of an event on their way into the types that a listener takes. Made by the library.
class EventArguments {
 public:
  EventArguments(const EventArguments&) = delete;
  EventArguments& operator=(const EventArguments&) = delete;

  const WebSocket& socket() const noexcept { return socket_; }
  EventReply reply() const noexcept;
  size_t bytes() const noexcept { return args_.size(); }
  // False when they are something else, which has been noted.
  template <typename Held>
  MARTLET_THUNK bool read(Held& to);

 private:
  friend struct detail::EventAccess;
  EventArguments(const WebSocket& ws, std::string_view args, uint64_t ack, Envelope envelope) noexcept
      : socket_(ws), args_(args), ack_(ack), envelope_(envelope) {
    if (envelope == Envelope::event_args && args.empty()) args_ = "[]";
  }
  template <typename Held>
  MARTLET_THUNK bool read_any(Held& to);
  bool refuse_count(JsonReader& in) noexcept;
  // All is read; a bit for each that is missing.
  bool finish(json::TextReader& in, bool read, uint64_t missing) noexcept;

  WebSocket socket_;
  std::string_view args_;
  uint64_t ack_;
  Envelope envelope_;
  bool refused_ = false;
  bool too_many_ = false;
  const char* what_ = "";  // when it is refused: why, and where
  char path_[JsonError::kPathBytes];
};

namespace detail {

inline constexpr JsonOptions kArgumentOptions{.depth = 63};

// How an argument lies while the others are read. A view is into the message where that can be.
template <typename T>
struct HeldArgument {
  using Type = T;
  T value{};
  static constexpr bool may_be_missing = json::may_be_empty<T>;
  bool read(JsonReader& in, std::string_view) { return json::read_value(in, value); }
  T&& pass() noexcept { return std::move(value); }
};
template <>
struct HeldArgument<std::string_view> {
  using Type = std::string_view;
  std::string_view value{};
  std::string own{};
  static constexpr bool may_be_missing = false;
  bool read(JsonReader& in, std::string_view whole) {
    if (!in.text(value)) return false;
    if (value.data() >= whole.data() && value.data() < whole.data() + whole.size()) return true;
    own.assign(value.data(), value.size());  // it had escapes
    value = own;
    return true;
  }
  std::string_view pass() const noexcept { return value; }
};

template <typename R, typename... P>
struct Signature {
  using Result = R;
  static constexpr size_t kAll = sizeof...(P);
  using Parameters = std::tuple<std::type_identity<std::decay_t<P>>...>;
  template <size_t I>
  using Parameter = typename std::tuple_element_t<I, Parameters>::type;
};
template <typename F>
struct SignatureOf : SignatureOf<decltype(&F::operator())> {};
template <typename R, typename... P>
struct SignatureOf<R (*)(P...)> : Signature<R, P...> {};
template <typename R, typename... P>
struct SignatureOf<R (*)(P...) noexcept> : Signature<R, P...> {};
template <typename R, typename C, typename... P>
struct SignatureOf<R (C::*)(P...)> : Signature<R, P...> {};
template <typename R, typename C, typename... P>
struct SignatureOf<R (C::*)(P...) const> : Signature<R, P...> {};
template <typename R, typename C, typename... P>
struct SignatureOf<R (C::*)(P...) noexcept> : Signature<R, P...> {};
template <typename R, typename C, typename... P>
struct SignatureOf<R (C::*)(P...) const noexcept> : Signature<R, P...> {};

template <typename F>
concept HasSignature = requires { &F::operator(); } || (std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>);

// The same for a coroutine, which reads it later: a view is into what is kept beside it, and so is a reference to the view.
struct KeptView : HeldArgument<std::string> {
  std::string_view view{};
  const std::string_view& pass() noexcept { return view = value; }
};

template <typename F>
struct ListenerShape {
  using Of = SignatureOf<F>;
  using Result = typename Of::Result;
  template <size_t I, typename T>
  static consteval bool is() noexcept {
    if constexpr (I < Of::kAll) return std::is_same_v<typename Of::template Parameter<I>, T>;
    return false;
  }
  static constexpr size_t kBegin = is<0, WebSocket>() ? 1 : 0;
  static constexpr bool kReplies = Of::kAll > kBegin && is<Of::kAll - 1, EventReply>();
  static constexpr size_t kCount = Of::kAll - kBegin - (kReplies ? 1 : 0);
  static_assert(kCount <= kMaxEventArguments, "an event has at most 32 arguments");
  template <typename T>
  using Argument = std::conditional_t<is_task<Result> && std::is_same_v<T, std::string_view>, KeptView, HeldArgument<T>>;
  template <size_t... I>
  static std::tuple<Argument<typename Of::template Parameter<kBegin + I>>...> held(std::index_sequence<I...>);
  using Each = std::make_index_sequence<kCount>;
  using Held = decltype(held(Each()));
};

// `of` knows the socket and the reply: EventArguments, or what is kept of them.
template <typename F, typename Of, typename Held, size_t... I>
MARTLET_THUNK decltype(auto) invoke_listener(F& fn, Of& of, Held& held, std::index_sequence<I...>) {
  using Shape = ListenerShape<F>;
  if constexpr (Shape::kBegin == 1 && Shape::kReplies) {
    return fn(of.socket(), std::get<I>(held).pass()..., of.reply());
  } else if constexpr (Shape::kBegin == 1) {
    return fn(of.socket(), std::get<I>(held).pass()...);
  } else if constexpr (Shape::kReplies) {
    return fn(std::get<I>(held).pass()..., of.reply());
  } else {
    return fn(std::get<I>(held).pass()...);
  }
}

template <typename F>
MARTLET_THUNK void call_listener(F& fn, EventArguments& in) {
  using Shape = ListenerShape<F>;
  typename Shape::Held held;
  if (!in.read(held)) return;
  if constexpr (std::is_void_v<typename Shape::Result>) {
    invoke_listener(fn, in, held, typename Shape::Each());
  } else {
    in.reply()(invoke_listener(fn, in, held, typename Shape::Each()));
  }
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

// What a listener's coroutine has of its event: it may take references.
struct KeptEvent {
  WebSocket ws;
  EventReply answer;
  const WebSocket& socket() const noexcept { return ws; }
  const EventReply& reply() const noexcept { return answer; }
};

template <typename F, typename Held>
Task<> listen_and_keep(Shared<F> fn, KeptEvent event, Held held) {
  using Shape = ListenerShape<F>;
  using Answer = decltype(std::declval<typename Shape::Result>().operator co_await().await_resume());
  if constexpr (std::is_void_v<Answer>) {
    co_await invoke_listener(*fn, event, held, typename Shape::Each());
  } else {
    const typename Shape::Result task = invoke_listener(*fn, event, held, typename Shape::Each());
    event.answer(co_await task);  // which may be a view of what the listener's frame has
  }
}

template <typename F>
MARTLET_THUNK void start_listener(const Shared<F>& fn, EventArguments& in) {
  typename ListenerShape<F>::Held held;
  if (!in.read(held)) return;
  const KeptEvent event{in.socket(), in.reply()};
  Task<>::start(event.ws, in.bytes(), [&] { return listen_and_keep(fn, event, std::move(held)); });
}

#endif

using EventFunction = Function<void(EventArguments&)>;

template <typename F>
MARTLET_THUNK EventFunction make_listener(F&& fn) {
  using Stored = std::decay_t<F>;
  static_assert(HasSignature<Stored>, "a listener is a function or a lambda whose parameters have types: (WebSocket, arguments…, EventReply), without auto");
  if constexpr (!HasSignature<Stored>) {
    return EventFunction();
  } else if constexpr (is_task<typename SignatureOf<Stored>::Result>) {
    return EventFunction([fn = Shared<Stored>::make(std::forward<F>(fn))](EventArguments& in) { start_listener(fn, in); });
  } else {
    return EventFunction([fn = Stored(std::forward<F>(fn))](EventArguments& in) mutable { call_listener(fn, in); });
  }
}

ListenerId add_listener(const WebSocket& ws, std::string_view event, EventFunction fn, bool once);

// Into the argument with this number; one that nobody takes is skipped.
template <typename Held, size_t... I>
MARTLET_THUNK bool read_argument(JsonReader& in, [[maybe_unused]] std::string_view whole, size_t index, [[maybe_unused]] Held& held, std::index_sequence<I...>) {
  bool good = true;
  const bool taken = ((I == index && (good = std::get<I>(held).read(in, whole), true)) || ...);
  return taken ? good : in.skip();
}
// The quick way for what is mostly there. False: by the slow one.
template <typename Held, size_t... I>
MARTLET_THUNK bool read_plain(std::string_view args, Held& held, std::index_sequence<I...>) {
  if constexpr ((json::is_plain_type<typename std::tuple_element_t<I, Held>::Type> && ...)) {
    json::PlainList in(args);
    return in.take('[') && (((I == 0 || in.take(',')) && in.read(std::get<I>(held).value)) && ...) && in.ended();
  } else {
    static_cast<void>(args);
    static_cast<void>(held);
    return false;
  }
}
// A bit for each argument behind these that must not be missing.
template <typename Held, size_t... I>
uint64_t missing_arguments(size_t count, const Held&, std::index_sequence<I...>) noexcept {
  return ((I >= count && !std::tuple_element_t<I, Held>::may_be_missing ? uint64_t{1} << I : 0) | ... | uint64_t{0});
}

}  // namespace detail

template <typename Held>
MARTLET_THUNK bool EventArguments::read(Held& to) {
  constexpr auto kEach = std::make_index_sequence<std::tuple_size_v<Held>>();
  if (envelope_ == Envelope::event_args && detail::read_plain(args_, to, kEach)) return true;
  return read_any(to);
}

template <typename Held>
MARTLET_THUNK bool EventArguments::read_any(Held& to) {
  constexpr auto kEach = std::make_index_sequence<std::tuple_size_v<Held>>();
  json::TextReader text(args_, detail::kArgumentOptions);
  JsonReader& in = text.reader();
  size_t count = 0;
  bool good = true;
  if (envelope_ == Envelope::type_data && args_.empty()) {
    return finish(text, true, detail::missing_arguments(0, to, kEach));
  }
  if (envelope_ == Envelope::type_data && std::tuple_size_v<Held> <= 1) {
    good = json::read_safely(in, [&] { return detail::read_argument(in, args_, count++, to, kEach); });
  } else {
    good = json::read_safely(in, [&] {
      return in.array([&] { return count < kMaxEventArguments ? detail::read_argument(in, args_, count++, to, kEach) : refuse_count(in); });
    });
  }
  return finish(text, good, good ? detail::missing_arguments(count, to, kEach) : 0);
}

// A listener of a route, in braces: {"join", fn}.
struct EventListener {
  template <typename F>
  MARTLET_THUNK EventListener(std::string_view event, F&& listener) : name(event), fn(detail::make_listener(std::forward<F>(listener))) {}
  std::string_view name;
  mutable detail::EventFunction fn;  // taken out of the braces
};

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

// Waiting for an answer ---------------------------------------------------------------------------------------------------

namespace detail {

// What the task shares with the question, which may outlive it. Its own worker's thread.
struct MARTLET_LAYOUT AckWait {
  AckResult result = {};
  Resumable* waiting = nullptr;  // null: it goes on, or has gone
  uint32_t worker = 0;
};
void begin_ack(AckWait& wait, AckRequest& request, Function<void(WebSocket, AckResult)> told);
void take_ack(const Shared<AckWait>& wait, const AckResult& result);

class [[nodiscard]] AckAwait : Waiting {
 public:
  explicit AckAwait(AckRequest& request) noexcept : request_(&request) {}
  AckAwait(const AckAwait&) = delete;
  AckAwait& operator=(const AckAwait&) = delete;
  ~AckAwait() {
    if (wait_) wait_->waiting = nullptr;
  }
  bool await_ready() const noexcept { return false; }
  template <typename P>
  MARTLET_THUNK void await_suspend(std::coroutine_handle<P> who) {
    wait_ = Shared<AckWait>::make();
    wait_->waiting = &waits(who);
    begin_ack(*wait_, *request_, [wait = wait_](WebSocket, AckResult result) { take_ack(wait, result); });
  }
  AckResult await_resume() noexcept { return std::move(wait_->result); }

 private:
  AckRequest* request_;
  Shared<AckWait> wait_ = {};
};

}  // namespace detail

inline detail::AckAwait AckRequest::operator co_await() noexcept { return detail::AckAwait(*this); }

#endif

// The calls of websocket.h and rooms.h -------------------------------------------------------------------------------------

// Adds a listener; WebSocket::off takes it off again. The answer is empty (false) when the name of the event is empty or longer than
// 128 bytes: then nothing listens. The same function may listen more than once. Where memory is out for it, the connection is closed (1013).
template <typename F>
MARTLET_THUNK ListenerId WebSocket::on(std::string_view event, F&& listener) const {
  return detail::add_listener(*this, event, detail::make_listener(std::forward<F>(listener)), false);
}
// The same for one event: then it is taken off. Arguments that it cannot take do not count.
template <typename F>
MARTLET_THUNK ListenerId WebSocket::once(std::string_view event, F&& listener) const {
  return detail::add_listener(*this, event, detail::make_listener(std::forward<F>(listener)), true);
}

// Sends an event. The name has 1 to 128 bytes, else the answer is dropped. ok and the others as of send().
template <typename... Args>
SendStatus WebSocket::emit(std::string_view event, const Args&... args) const {
  return detail::emit(*this, event, args...);
}
template <typename... Args>
SendStatus Room::emit(std::string_view event, const Args&... args) const {
  return detail::emit(*this, event, args...);
}
template <typename... Args>
SendStatus Audience::emit(std::string_view event, const Args&... args) const {
  return detail::emit(*this, event, args...);
}

template <typename... Args>
AckRequest WebSocket::emit_with_ack(std::string_view event, const Args&... args) const {
  static_assert(sizeof...(Args) <= kMaxEventArguments, "an event has at most 32 arguments");
  return AckRequest(*this, event, args...);
}

}  // namespace martlet

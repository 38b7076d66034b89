// martlet/event_listener.h: how a listener of an event is called: its arguments are read from the text straight into the types that
// it takes, which its signature tells. A part of events.h, which is what programs include.
#pragma once

#include <martlet/config.h>
#include <martlet/event_writer.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/options.h>
#include <martlet/task.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace martlet {

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

}  // namespace martlet

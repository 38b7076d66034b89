// martlet/event_writer.h: how an event is written, and the answer to one: a part of events.h, which is what programs include.
#pragma once

#include <martlet/config.h>
#include <martlet/json.h>
#include <martlet/options.h>
#include <martlet/rooms.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace martlet {

inline constexpr size_t kMaxEventNameBytes = 128;
inline constexpr size_t kMaxEventArguments = 32;

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

}  // namespace martlet

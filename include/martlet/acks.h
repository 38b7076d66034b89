// martlet/acks.h: an event that the peer is to answer, and what becomes of it: a part of events.h, which is what programs include.
//
//   ws.emit_with_ack("save", doc).timeout(5s).then([](WebSocket ws, AckResult answer) { … });
//   AckResult answer = co_await ws.emit_with_ack("save", doc).timeout(5s);
#pragma once

#include <martlet/config.h>
#include <martlet/awaiting.h>
#include <martlet/event_writer.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/kept_arguments.h>
#include <martlet/loop.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace martlet {

inline constexpr size_t kMaxUnansweredAcks = 1024;  // of one connection

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

namespace detail {
class AckAwait;
}

// An event that is to be answered, on its way: emit_with_ack("save", doc).timeout(5s).then(fn), or co_await. Nothing is sent before.
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

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

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

}  // namespace martlet

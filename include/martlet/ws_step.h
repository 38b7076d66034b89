// martlet/ws_step.h: what stands between the 101 of a WebSocket and its route's handler. See Routes::ws_use (router.h).
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/middleware.h>
#include <martlet/websocket.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace martlet {

class Request;

namespace detail {

struct SocketStepParts;  // what it takes to run steps behind the 101: named by the constructor of a WsStep alone
extern const SocketStepParts socket_step_parts;

template <typename F>
inline constexpr bool is_socket_step = std::is_invocable_v<std::decay_t<F>&, WebSocket, Request&, Next>;

}  // namespace detail

// A step behind the 101: a function (WebSocket, Request&, Next), which may be a coroutine (task.h). The connection is open, and
// may be written to; the step closes it, with a code, or calls next(), at once or later, from any thread. One that has
// `Error mistake() const` is asked for it when it is registered, as a Step is (router.h): it is the Error of listen().
class WsStep {
 public:
  WsStep(WsStep&&) noexcept = default;
  WsStep(const WsStep&) = delete;
  WsStep& operator=(WsStep&&) noexcept = default;
  WsStep& operator=(const WsStep&) = delete;
  ~WsStep() = default;
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, WsStep> && detail::is_socket_step<F>)
  MARTLET_THUNK WsStep(F&& fn)
      : mistake_(detail::mistake_of(fn)), function_(std::forward<F>(fn)), parts_(&detail::socket_step_parts) {}

 private:
  friend struct SocketStepAccess;
  std::unique_ptr<Error> mistake_;  // null: none
  Function<void(WebSocket, Request&, Next)> function_;
  const detail::SocketStepParts* parts_;
};

}  // namespace martlet

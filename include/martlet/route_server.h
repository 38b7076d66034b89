// martlet/route_server.h: routes in two phases: what is done once per worker, and what is done for each client; and what a
// connection leaves to be done at its end.
//
//   app.ws("/chat", [](RouteServer& server) {               // once, before the first client …
//     return [server](WebSocket ws, Request& req) {         // … then for each client …
//       server.broadcast("somebody came");
//       return [server] { server.broadcast("somebody went"); };   // … and this once, when it has gone
//     };
//   });
#pragma once

#include <martlet/config.h>
#include <martlet/function.h>
#include <martlet/request.h>
#include <martlet/rooms.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

namespace realtime {
struct WsRouteEntry;
}

// What is to be done when a connection has ended. See ConnectionHandler.
using Cleanup = Function<void()>;

// RouteServer::stats().
struct RouteStats {
  uint64_t connections = 0;  // open ones of the route, on all workers of a Server; those whose steps still run (ws_use) included
  uint64_t here = 0;         // those of this worker
};

// A WebSocket route as its own set-up sees it: a value to copy and to capture, good for as long as its App.
class RouteServer {
 public:
  // As it was registered, behind the prefixes of the Routers around it.
  std::string_view pattern() const noexcept;

  // Any thread: to all connections of the route, on all workers of a Server. See Audience for what is answered, and for whom
  // to leave out: server.everybody().except(ws).send("…").
  Audience everybody() const noexcept;
  SendStatus broadcast(std::string_view text, Compress compress = Compress::automatic) const noexcept { return everybody().send(text, compress); }
  SendStatus broadcast(std::span<const std::byte> bytes, Compress compress = Compress::automatic) const noexcept { return everybody().send(bytes, compress); }
  SendStatus broadcast(const Message& message, Compress compress = Compress::automatic) const noexcept { return everybody().send(message, compress); }
  SendStatus broadcast(const SharedFrame& frame, Compress compress = Compress::automatic) const noexcept { return everybody().send(frame, compress); }
  SendStatus broadcast(const JsonText& json, Compress compress = Compress::automatic) const noexcept { return everybody().send(json, compress); }
  // An event (events.h, which has to be included), encoded once.
  template <typename... Args>
  SendStatus emit(std::string_view event, const Args&... args) const {
    return everybody().emit(event, args...);
  }

  // The App's thread: the connections of the route on this worker that have been let in, the newest first, as they are now. A Server's other workers
  // have more; who wants to reach all sends.
  MARTLET_LAYOUT std::vector<WebSocket> clients() const;
  // The App's thread.
  RouteStats stats() const noexcept;

 private:
  friend struct MessageAccess;
  explicit RouteServer(realtime::WsRouteEntry& route) noexcept : route_(&route) {}
  realtime::WsRouteEntry* route_;
};

namespace detail {
// Keeps it for the connection's end; one that has ended already, or for which there is no memory, has it done now, and the
// latter is closed.
void keep_cleanup(const WebSocket& ws, Cleanup cleanup) noexcept;
}  // namespace detail

// What a route does for each of its connections: it is called with (WebSocket, Request&) or with (WebSocket), and may return
// a function without arguments, which runs exactly once, when the connection has ended, however it has; after the close
// handlers, and before it leaves its rooms. Where the handler itself throws there is none. It may be a coroutine (task.h), a
// Task<Cleanup> too; then the Request is good until that has ended.
class ConnectionHandler {
 public:
  using Open = Function<void(WebSocket, Request&)>;

  template <typename F>
  static constexpr bool fits = std::is_invocable_v<std::decay_t<F>&, WebSocket, Request&> || std::is_invocable_v<std::decay_t<F>&, WebSocket>;

  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, ConnectionHandler> && fits<F>)
  MARTLET_THUNK ConnectionHandler(F&& handler) : open_(make(std::forward<F>(handler))) {}

 private:
  friend struct ConnectionHandlerAccess;

  template <typename F>
  static decltype(auto) call(F& handler, WebSocket ws, Request& req) {
    if constexpr (std::is_invocable_v<F&, WebSocket, Request&>) {
      return handler(ws, req);
    } else {
      return handler(ws);
    }
  }

  template <typename F>
  MARTLET_THUNK static Open make(F&& handler) {
    using Stored = std::decay_t<F>;
    using Left = decltype(call(std::declval<Stored&>(), std::declval<WebSocket>(), std::declval<Request&>()));
    constexpr bool takes_request = std::is_invocable_v<Stored&, WebSocket, Request&>;
    if constexpr (detail::is_task<Left> && !takes_request) {
      return [fn = Left::template of_socket<WebSocket>(std::forward<F>(handler))](WebSocket ws, Request&) mutable { fn(ws); };
    } else if constexpr (std::is_invocable_v<Left>) {
      return [fn = Stored(std::forward<F>(handler))](WebSocket ws, Request& req) mutable { detail::keep_cleanup(ws, Cleanup(call(fn, ws, req))); };
    } else if constexpr (takes_request) {
      return Open(std::forward<F>(handler));
    } else {
      return [fn = Stored(std::forward<F>(handler))](WebSocket ws, Request&) mutable { fn(ws); };
    }
  }

  Open open_;
};

// What the library and Routes may look at in a ConnectionHandler.
struct ConnectionHandlerAccess {
  static ConnectionHandler::Open open(ConnectionHandler&& handler) noexcept { return std::move(handler.open_); }
};

namespace detail {

// The first phase, called once: it sets what is done for each connection.
using RouteSetup = Function<void(RouteServer&, ConnectionHandler::Open&)>;

template <typename F>
inline constexpr bool is_route_setup = !ConnectionHandler::fits<F> && std::is_invocable_v<std::decay_t<F>&, RouteServer&>;

template <typename F>
MARTLET_THUNK RouteSetup route_setup(F&& set_up) {
  using Stored = std::decay_t<F>;
  using Handler = std::invoke_result_t<Stored&, RouteServer&>;
  static_assert(std::is_constructible_v<ConnectionHandler, Handler>,
                "a route's set-up returns what is called with (WebSocket, Request&) or (WebSocket) for each connection");
  return [fn = Stored(std::forward<F>(set_up))](RouteServer& server, ConnectionHandler::Open& open) mutable {
    open = ConnectionHandlerAccess::open(ConnectionHandler(fn(server)));
  };
}

}  // namespace detail

}  // namespace martlet

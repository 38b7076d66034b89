// martlet/connection_request.h: the request that opened a WebSocket, as far as it was kept.
#pragma once

#include <martlet/config.h>
#include <martlet/request.h>
#include <martlet/websocket.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace martlet {

// What WebSocket::request() answers: a name for what the connection keeps, as small as the WebSocket. It is asked on the
// worker's thread only; views are valid until the connection's close handlers have run. Of a connection that is gone, or
// of a route that keeps no request (WsOptions::keep_request), everything is empty.
class ConnectionRequest {
 public:
  // Whether there is one.
  explicit operator bool() const noexcept;

  // As Request::url(), path() and query_string().
  std::string_view url() const noexcept;
  std::string_view path() const noexcept;
  std::string_view query_string() const noexcept;
  // As Request::param(): percent-decoded, empty when the route has no such name.
  std::string_view param(std::string_view name) const noexcept;
  // All of them, in the order of the pattern.
  std::span<const NamedText> params() const noexcept;
  // The first value of a query parameter, decoded; nothing when it is absent.
  std::optional<std::string> query(std::string_view name) const;
  // The same as values of a type (as Request::param<T>, query<T>): nothing when absent or none.
  template <typename T>
  MARTLET_THUNK std::optional<T> param(std::string_view name) const {
    const std::string_view text = param(name);
    return text.empty() ? std::nullopt : typed<T>(text);
  }
  template <typename T>
  MARTLET_THUNK std::optional<T> query(std::string_view name) const {
    static_assert(!std::is_same_v<T, std::string_view>, "the value is made for this call: take a std::string");
    const std::optional<std::string> text = query(name);
    return text ? typed<T>(*text) : std::nullopt;
  }

  std::string_view origin() const noexcept;
  std::string_view user_agent() const noexcept;
  // A field that WsOptions::keep_headers names (any case), as Request::header(); nothing when the client sent none, or it is
  // not named.
  std::optional<std::string_view> header(std::string_view name) const noexcept;
  // Those that were sent, in the order of keep_headers.
  std::span<const NamedText> headers() const noexcept;

 private:
  friend class WebSocket;
  explicit ConnectionRequest(const WebSocket& ws) noexcept : ws_(ws) {}
  template <typename T>
  MARTLET_THUNK static std::optional<T> typed(std::string_view text) {
    T value{};
    return detail::read_typed(text, value) ? std::optional<T>(std::move(value)) : std::nullopt;
  }
  WebSocket ws_;
};

}  // namespace martlet

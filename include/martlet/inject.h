// martlet/inject.h: requests and WebSockets without a network, for tests of an application: App::inject, App::inject_ws.
//
//   Reply answer = app.inject({.method = "POST", .path = "/posts", .body = R"({"title":"x"})"});
//   CHECK(answer.status == 201);
//
//   InjectedWebSocket ws = app.inject_ws({.path = "/echo"});
//   ws.send("hello");
//   CHECK(ws.next_message() == "hello");
#pragma once

#include <martlet/config.h>
#include <martlet/options.h>
#include <martlet/reply.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

class App;

// A request, in the order in which it is written. What it says is sent as it is. Unless `fields` name them it has Host:
// localhost; Content-Length, when it has a body or a method that has one (POST, PUT, PATCH); and Content-Type:
// application/json when the body begins as JSON does, with '{' or '['.
struct MARTLET_LAYOUT InjectedRequest {
  std::string_view method = "GET";
  std::string_view path = "/";  // with the query, if there is one
  std::string_view body = {};
  std::vector<std::pair<std::string_view, std::string_view>> fields = {};
  // How long the App is given turns for the answer.
  milliseconds deadline = std::chrono::seconds(10);
};

namespace detail {
class InjectedSocket;
}

// The client's end of a WebSocket that App::inject_ws() has opened. Its calls give the App turns, in which everything that
// is due there is done: timers, other connections. Like inject() they are for the App's own thread, outside of its callbacks;
// elsewhere, and when the App is over, they do nothing and answer as if the WebSocket had ended. The App must outlive it.
// Pings are answered. Nothing is compressed unless the fields of the request ask for it, which this end cannot read.
class MARTLET_LAYOUT InjectedWebSocket {
 public:
  InjectedWebSocket(InjectedWebSocket&& other) noexcept;
  InjectedWebSocket(const InjectedWebSocket&) = delete;
  InjectedWebSocket& operator=(const InjectedWebSocket&) = delete;
  InjectedWebSocket& operator=(InjectedWebSocket&& other) noexcept;
  // Ends the connection, without a Close, when it is still there.
  ~InjectedWebSocket();

  // The answer to the handshake: 101, or why not (see App::inject).
  const Reply& answer() const noexcept { return answer_; }
  // Open: neither refused nor ended by either side.
  bool is_open() const noexcept;

  // Sends a text, which must be UTF-8, or bytes; the App has them, and has had a turn with them, when it answers true. False:
  // the WebSocket has ended.
  bool send(std::string_view text);
  bool send(std::span<const std::byte> bytes);
  // The next message, text or bytes: one that has come, or comes within this time. Nothing when none does or the WebSocket
  // has ended.
  std::optional<std::string> next_message(milliseconds deadline = std::chrono::seconds(10));
  // The same without waiting: what has come after one turn.
  std::optional<std::string> receive() { return next_message(milliseconds(0)); }
  // Whether the last message was text.
  bool was_text() const noexcept;

  // Closes, and waits for the App's Close. Messages that have come before it can still be received.
  void close(CloseCode code = CloseCode::normal, std::string_view reason = {});
  // What the App's Close said: 0 before it, 1005 without a code, 1006 when the connection ended without it.
  int close_code() const noexcept;
  std::string_view close_reason() const noexcept;

 private:
  friend class App;
  InjectedWebSocket(detail::InjectedSocket* socket, Reply answer) noexcept : socket_(socket), answer_(std::move(answer)) {}

  detail::InjectedSocket* socket_;  // null: refused
  Reply answer_;
};

}  // namespace martlet

// martlet/message_writer.h: a message that is sent in pieces, as it is made: it need never be in memory as a whole.
//
//   MessageWriter out = ws.begin_message(MessageType::binary);
//   out.write(piece);      // again and again; dropped: there is no room now, on_drain tells when there is
//   out.finish();
#pragma once

#include <martlet/config.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace martlet {

// What WebSocket::begin_message() answers. Meanwhile other messages to the connection wait for its end, in order: as many
// bytes as may be unsent (WsOptions::max_unsent_bytes), what is above that is dropped; pings, pongs and a Close do not wait.
// So it is to be finished soon. The pieces are not compressed; those of a text are UTF-8 together, and may end inside of a
// character. One that ends without finish() closes the connection (1011): nobody takes the half for the whole. What waits
// for its end when the connection is closed is lost, and counted as dropped.
//
// Any thread, but it stays with the one that has begun it. From another thread than the connection's all of it is posted, so that
// nobody can be told that there is no room: a peer that then does not keep up is a slow consumer, and the connection is
// closed (1008), whatever the route's policy; and a message that cannot begin, as another is being written, is lost. Who
// sends much posts (App::post), and writes there.
class MessageWriter {
 public:
  MessageWriter() noexcept = default;
  MessageWriter(MessageWriter&& other) noexcept : ws_(other.ws_), number_(std::exchange(other.number_, 0)) {}
  MessageWriter& operator=(MessageWriter&& other) noexcept {
    std::swap(ws_, other.ws_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~MessageWriter() { give_up(); }

  // False for one that was finished, or never begun: the connection was closed, or another message was being written (neither
  // is known on another thread), or memory was out.
  explicit operator bool() const noexcept { return number_ != 0; }

  // Sends a piece, which is copied. dropped: it was not taken, as max_unsent_bytes wait (or memory is out; from another thread
  // as well when 64 MiB wait there): try again, after on_drain. closed: there is no such message any more.
  SendStatus write(std::string_view piece) noexcept { return write(std::as_bytes(std::span(piece))); }
  SendStatus write(std::span<const std::byte> piece) noexcept;
  // The message is whole. What has waited for that leaves behind it. Only the first call does something, unless it has answered
  // dropped: memory was out on another thread, and it may be tried again.
  SendStatus finish() noexcept;

 private:
  friend class WebSocket;
  MessageWriter(const WebSocket& ws, uint64_t number) noexcept : ws_(ws), number_(number) {}
  void give_up() noexcept;
  WebSocket ws_;
  uint64_t number_ = 0;  // of the process's; 0: none
};

}  // namespace martlet

// martlet/rooms.h: rooms, and sending to many at once.
#pragma once

#include <martlet/config.h>
#include <martlet/websocket.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace martlet {

// A room and how many connections are in it, as App::rooms() lists them.
struct MARTLET_LAYOUT RoomInfo {
  std::string name;
  size_t size = 0;
};

// A room, by name: a value to copy, store and use at any time. A room exists from its first member to its last; a
// handle of a room that is gone is not ok(), has size 0, and sending to it reaches nobody.
// In a Server a room has its members on all workers, and its handle is good on each of them.
// send() may be called from any thread; the queries on a worker's only.
class Room {
 public:
  constexpr Room() noexcept = default;

  bool ok() const noexcept;
  explicit operator bool() const noexcept { return ok(); }
  // How many connections are in it.
  size_t size() const noexcept;
  // Empty when the room is gone.
  std::string name() const;

  // Sends to every member. The message is encoded once, whatever the size of the room, and leaves at the end of this
  // turn. Messages to one room arrive in the order they were sent.
  SendStatus send(std::string_view text, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(std::span<const std::byte> bytes, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(const Message& message, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(const SharedFrame& frame, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(const JsonText& json, Compress compress = Compress::automatic) const noexcept;
  // An event (events.h, which has to be included), encoded once.
  template <typename... Args>
  SendStatus emit(std::string_view event, const Args&... args) const;
  SendStatus emit(std::string_view event, const Json& only) const;

  friend constexpr bool operator==(const Room&, const Room&) noexcept = default;

 private:
  friend struct MessageAccess;
  constexpr Room(uint32_t worker, uint32_t slot, uint32_t generation) noexcept
      : worker_(worker), slot_(slot), generation_(generation) {}
  uint32_t worker_ = 0;
  uint32_t slot_ = 0;
  uint32_t generation_ = 0;
};

// Who a message goes to: the members of one room, or the connections of one route, or all connections of the App, less
// the excepted. Made by to and to_route of a WebSocket and of the App; meant to be used in the same expression, on any thread.
class Audience {
 public:
  Audience(const Audience& other) noexcept;
  Audience(Audience&& other) noexcept;
  Audience& operator=(Audience other) noexcept;
  ~Audience() {
    if (more_) forget_more();
  }

  // Leaves these connections out, any number of them; a closed one, or the id of none (WebSocket::id), is nobody. From the
  // ninth on they take memory: when it is out, send() answers dropped and sends nothing to anybody.
  Audience& except(WebSocket ws) noexcept;
  Audience& except(std::string_view id) noexcept;
  Audience& except(std::span<const WebSocket> list) noexcept;
  Audience& except(std::initializer_list<WebSocket> list) noexcept {
    return except(std::span<const WebSocket>(list.begin(), list.size()));
  }
  Audience& except(std::span<const std::string> ids) noexcept;

  // ok when there is a receiver, closed when there is none, posted from another thread, dropped when memory is out. Slow
  // receivers are treated by their own route's policy when the turn ends, and counted.
  // In a Server: receivers on other workers get it with the end of this turn, too. A worker that has not turned for so
  // long that 64 MiB of messages wait for it gets no more: that is counted (Stats::mail_refused), and when it turns again,
  // those of its receivers that missed something are slow consumers. A thread that is no worker is told at once instead:
  // dropped, when one of the workers is like that, though the others take it.
  SendStatus send(std::string_view text, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(std::span<const std::byte> bytes, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(const Message& message, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(const SharedFrame& frame, Compress compress = Compress::automatic) const noexcept;
  SendStatus send(const JsonText& json, Compress compress = Compress::automatic) const noexcept;
  // An event (events.h, which has to be included), encoded once.
  template <typename... Args>
  SendStatus emit(std::string_view event, const Args&... args) const;
  SendStatus emit(std::string_view event, const Json& only) const;

 private:
  friend struct MessageAccess;
  // lost: memory was out for who is left out.
  enum class Kind : uint8_t { none, lost, room, route, all };
  static constexpr uint32_t kFewExcepts = 8;
  Audience() noexcept = default;
  void lose() noexcept;
  bool make_room() noexcept;
  void forget_more() noexcept;

  Kind kind_ = Kind::none;
  uint32_t except_count_ = 0;
  uint32_t worker_ = 0;      // the first of a Server's
  uint32_t slot_ = 0;        // of the room, or the number of the route
  uint32_t generation_ = 0;  // of the room
  SharedFrame name_;         // of a room or route, where it was asked for on another thread
  WebSocket* more_ = nullptr;  // all who are left out, where there are more than a few
  uint32_t more_room_ = 0;
  WebSocket except_[kFewExcepts];
};

}  // namespace martlet

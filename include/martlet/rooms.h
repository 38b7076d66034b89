// martlet/rooms.h: rooms, and sending to many at once.
#pragma once

#include <martlet/config.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace martlet {

class MembersRequest;               // members.h
struct MARTLET_LAYOUT RoomDetails;  // room_records.h

// A room and how many connections are in it, as App::rooms() lists them.
struct MARTLET_LAYOUT RoomInfo {
  std::string name;
  size_t size = 0;
};

// Why a Room that join() has answered is not ok().
enum class JoinRefusal : uint8_t {
  none,                      // it is, or it is no answer of join()
  closed,                    // the connection is gone
  out_of_memory,
  too_many_rooms,            // RoomsOptions::max_rooms
  too_many_rooms_of_socket,  // RoomsOptions::max_rooms_per_socket; or 64 joins of it wait for a decision
  name_too_long,             // RoomsOptions::max_name_bytes
  not_allowed,               // App::on_join has said no
  undecided,                 // App::on_join has not said anything yet: it is entered when that says yes
};
std::string_view name_of(JoinRefusal refusal) noexcept;

// Of App::rooms_options.
struct RoomsOptions {
  // How many comings and goings a room's record remembers, at most; the oldest are forgotten (Room::info, room_records.h).
  uint32_t history = 0;
  // How long a room stays when its last member has left: with its record and metadata, its handles, size() 0. At most 65,536
  // empty ones are kept, the oldest go first. 0: it goes at once.
  std::chrono::milliseconds keep_empty = std::chrono::milliseconds(0);
  // Of a room's name.
  uint32_t max_name_bytes = 1024;
  // Rooms at a time, in a Server on all workers together, empty ones that are kept included. 0: any number.
  uint32_t max_rooms = 0;
  // Rooms that one connection is in. 0: any number.
  uint32_t max_rooms_per_socket = 0;
};

// What App::on_join decides a join by: once, at once or later, from any thread; it may be copied and kept. A decision about
// what has been decided, or is not wanted any more (the connection has gone, or has left the room again), does nothing and is
// counted (Stats::late_admits). Inside the function of on_join it takes effect when that has returned; later, before the call
// returns; on another thread it is carried to the connection's worker. Without a decision the connection does not enter: such
// a join waits as long as the connection lives, at most 64 of one connection do.
class Admit {
 public:
  // It enters the room, if that is possible still (a limit may be reached by now).
  void yes() const noexcept;
  // It does not. With a reason the client is told by an event (events.h), "room:refused" with {"room": …, "reason": …};
  // without one by nobody.
  void no(std::string_view reason = {}) const noexcept;

 private:
  friend struct MessageAccess;
  Admit(uint32_t worker, uint32_t slot, uint32_t generation) noexcept : worker_(worker), slot_(slot), generation_(generation) {}
  uint32_t worker_;
  uint32_t slot_;
  uint32_t generation_;
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
  // Of one that is not ok() as join() answered it: why.
  constexpr JoinRefusal refusal() const noexcept { return generation_ ? JoinRefusal::none : static_cast<JoinRefusal>(slot_); }
  // How many connections are in it.
  size_t size() const noexcept;
  // Empty when the room is gone.
  std::string name() const;
  // What is remembered of it, a copy (room_records.h, which has to be included); a query like these.
  RoomDetails info() const;

  // Any thread: what the program has to say of the room, for info(), shared by all workers; it lasts as long as the room does, and
  // is an empty object at first. set_metadata replaces it; update_metadata puts the members of an object into it, one that is null
  // takes out what is there, all at once: several may do so at the same time. Nothing happens when the room is gone.
  void set_metadata(Json metadata) const noexcept;
  void update_metadata(Json members) const noexcept;
  // Who is in it, on whatever worker, at most so many; told later, or awaited: see members.h, which has to be included.
  MembersRequest members(size_t limit = 100) const noexcept;
  template <typename F>
  MARTLET_THUNK void members(size_t limit, F&& fn) const;
  // Any thread: closes all members, on all workers, as WebSocket::close() does. posted when no worker of this thread knows the
  // room; dropped when memory is out for telling other workers.
  SendStatus close(CloseCode code = CloseCode::normal, std::string_view reason = "Room closed") const noexcept;

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

  // Those that are no room are all the same.
  friend constexpr bool operator==(const Room& a, const Room& b) noexcept {
    return a.generation_ == b.generation_ && (a.generation_ == 0 || (a.worker_ == b.worker_ && a.slot_ == b.slot_));
  }

 private:
  friend struct MessageAccess;
  constexpr Room(uint32_t worker, uint32_t slot, uint32_t generation) noexcept
      : worker_(worker), slot_(slot), generation_(generation) {}
  uint32_t worker_ = 0;
  uint32_t slot_ = 0;
  uint32_t generation_ = 0;
};

// Who a message goes to: the members of one room, or of several, or the connections of one route, or all connections of the App, less
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
  enum class Kind : uint8_t { none, lost, room, route, all, rooms };
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
  SharedFrame name_;         // of a room or route, where it was asked for on another thread; the names of several rooms
  WebSocket* more_ = nullptr;  // all who are left out, where there are more than a few
  uint32_t more_room_ = 0;
  WebSocket except_[kFewExcepts];
};

}  // namespace martlet

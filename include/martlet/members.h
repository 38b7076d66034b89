// martlet/members.h: who is in a room, and who is whom, on all workers: answered later, as others are asked.
//
//   app.room("lobby").members(100, [](std::vector<MemberInfo> all) { … });
//   MemberList list = co_await app.room("lobby").members(100).timeout(500ms);
//   app.find([](WebSocket ws) { return ws.metadata()["user"].text_or("") == "ada"; }).then([](MemberList found) { … });
#pragma once

#include <martlet/config.h>
#include <martlet/app.h>
#include <martlet/awaiting.h>
#include <martlet/function.h>
#include <martlet/json.h>
#include <martlet/rooms.h>
#include <martlet/websocket.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

inline constexpr size_t kMostMembers = 10'000;  // that one answer tells of

// A connection as its own worker has seen it when it was asked.
struct MARTLET_LAYOUT MemberInfo {
  std::string id = {};  // WebSocket::id()
  Json metadata = Json::object();
  std::string remote_address = {};
  WebSocket socket = {};  // to send to it, from any worker
};

// In no particular order.
struct MARTLET_LAYOUT MemberList {
  std::vector<MemberInfo> members = {};
  bool complete = true;  // every worker has answered in time, and memory was there for all of it; else some are missing, or all
  bool more = false;     // there are more than were asked for
};

namespace detail {

// What has come, in memory of the library's, which may be out without an exception. The list is made of it in the unit that asks,
// whose exceptions are its own.
struct MARTLET_LAYOUT ToldMember {
  ToldMember* next = nullptr;
  Json metadata = Json::object();
  WebSocket socket = {};
  uint8_t id_size = 0;
  uint8_t address_size = 0;
  char id[32];
  char address[40];
};
struct MARTLET_LAYOUT ToldMembers {
  ToldMember* first = nullptr;
  size_t count = 0;
  bool complete = true;
  bool more = false;
};

MARTLET_THUNK inline void fill(std::vector<MemberInfo>& members, ToldMembers& told) {
  members.reserve(told.count);
  for (ToldMember* one = told.first; one; one = one->next) {
    members.push_back({std::string(one->id, one->id_size), std::move(one->metadata), std::string(one->address, one->address_size), one->socket});
  }
}

#if MARTLET_HAS_EXCEPTIONS
MARTLET_THUNK inline MemberList list_of(ToldMembers& told) noexcept {
  try {
    MemberList list{{}, told.complete, told.more};
    fill(list.members, told);
    return list;
  } catch (...) {
    return MemberList{{}, false, told.more};
  }
}
#else
MARTLET_THUNK inline MemberList list_of(ToldMembers& told) noexcept {
  MemberList list{{}, told.complete, told.more};
  fill(list.members, told);
  return list;
}
#endif

}  // namespace detail

// A question on its way. Nothing is asked before then() or co_await.
class [[nodiscard]] MembersRequest {
 public:
  MembersRequest(MembersRequest&&) noexcept = default;
  MembersRequest& operator=(MembersRequest&&) = delete;

  // How long the answer may take, two seconds without it; then it is told what has come until then, as not complete.
  MembersRequest& timeout(milliseconds time) noexcept {
    timeout_ = time;
    return *this;
  }
  // Asks. Any thread. `fn(list)` runs once, on the worker that asks, for a thread that is none on the first one; never before
  // this has returned; not at all only when its App has ended by then or memory is out for it. Where memory is out for the list
  // it is told an empty one, which is not complete.
  template <typename F>
    requires(std::is_invocable_v<std::decay_t<F>&, MemberList>)
  MARTLET_THUNK void then(F&& fn) {
    ask([fn = std::decay_t<F>(std::forward<F>(fn))](detail::ToldMembers& told) mutable { fn(detail::list_of(told)); });
  }
  // Asks, and waits: MemberList list = co_await request.
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
  auto operator co_await() noexcept;
#endif

 private:
  friend class App;
  friend class Room;
  MembersRequest(uint32_t worker, const Room& room, size_t limit) noexcept : worker_(worker), limit_(limit), room_(room) {}
  MembersRequest(uint32_t worker, Decision<bool(WebSocket)> wanted, size_t limit) noexcept
      : worker_(worker), limit_(limit), wanted_(std::move(wanted)) {}
  void ask(Function<void(detail::ToldMembers&)> fn) noexcept;
  uint32_t worker_;
  size_t limit_;
  Room room_ = {};
  Decision<bool(WebSocket)> wanted_ = {};
  milliseconds timeout_ = std::chrono::seconds(2);
};

template <typename F>
MARTLET_THUNK void Room::members(size_t limit, F&& fn) const {
  if constexpr (std::is_invocable_v<std::decay_t<F>&, MemberList>) {
    members(limit).then(std::forward<F>(fn));
  } else {
    static_assert(std::is_invocable_v<std::decay_t<F>&, std::vector<MemberInfo>>, "who is told of members takes a MemberList or a std::vector<MemberInfo>");
    members(limit).then([fn = std::decay_t<F>(std::forward<F>(fn))](MemberList list) mutable { return fn(std::move(list.members)); });
  }
}

template <typename F>
  requires(std::is_invocable_r_v<bool, std::decay_t<F>&, WebSocket>)
MARTLET_THUNK MembersRequest App::find(F&& wanted, size_t limit) const {
  return MembersRequest(first_worker(), Decision<bool(WebSocket)>(std::forward<F>(wanted)), limit);
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

namespace detail {

// What the task shares with the question, which may outlive it. Its own worker's thread.
struct MARTLET_LAYOUT MembersWait {
  MemberList list = {};
  Resumable* waiting = nullptr;  // null: it goes on, or has gone
  uint32_t worker = 0;
};
void begin_members(MembersWait& wait) noexcept;
void take_members(const Shared<MembersWait>& wait, MemberList list);

class [[nodiscard]] MembersAwait : Waiting {
 public:
  explicit MembersAwait(MembersRequest& request) noexcept : request_(&request) {}
  MembersAwait(const MembersAwait&) = delete;
  MembersAwait& operator=(const MembersAwait&) = delete;
  ~MembersAwait() {
    if (wait_) wait_->waiting = nullptr;
  }
  bool await_ready() const noexcept { return false; }
  template <typename P>
  MARTLET_THUNK void await_suspend(std::coroutine_handle<P> who) {
    wait_ = Shared<MembersWait>::make();
    wait_->waiting = &waits(who);
    begin_members(*wait_);
    request_->then([wait = wait_](MemberList list) { take_members(wait, std::move(list)); });
  }
  MemberList await_resume() noexcept { return std::move(wait_->list); }

 private:
  MembersRequest* request_;
  Shared<MembersWait> wait_ = {};
};

}  // namespace detail

inline auto MembersRequest::operator co_await() noexcept { return detail::MembersAwait(*this); }

#endif

}  // namespace martlet

// What a request and a WebSocket have of the user that a guard has found: one object, counted. It is put there when the question
// is asked, and filled in by whoever answers it, maybe on another thread, before the request goes on.
#pragma once

#include <martlet/auth_user.h>
#include <martlet/function.h>
#include <martlet/request.h>
#include <martlet/websocket.h>

#include <atomic>
#include <utility>

namespace martlet::guards {

struct AuthRecord final : detail::Counted {
  explicit AuthRecord(AuthUser&& who) noexcept
      : Counted([](Counted* self) noexcept { delete static_cast<AuthRecord*>(self); }), user(std::move(who)) {}

  AuthUser user;
  std::atomic<bool> is_found{false};  // until then `user` is whoever the credentials name
  bool by_token = false;              // RFC 6750 has words for what such a user may not do
};

// In Request::data() and WebSocket::data().
struct AttachedUser {
  detail::CountedPointer record = {};
};

inline AuthRecord* record_in(const detail::CountedPointer& pointer) noexcept { return static_cast<AuthRecord*>(pointer.get()); }

// Somebody who was found; null when nobody was.
template <typename Of>
const AuthRecord* found_record(const Of& of) noexcept {
  const AttachedUser* attached = of.template find_data<AttachedUser>();
  const AuthRecord* record = attached ? record_in(attached->record) : nullptr;
  return record && record->is_found.load(std::memory_order_acquire) ? record : nullptr;
}

}  // namespace martlet::guards

// See martlet/auth_user.h.
#include <martlet/auth_user.h>
#include <martlet/log.h>

#include <algorithm>

#include "guards/auth_record.h"

namespace martlet {

namespace {

using guards::AttachedUser;
using guards::AuthRecord;

detail::CountedPointer record_of(AuthUser&& user) {
  auto* record = new AuthRecord(std::move(user));
  record->is_found.store(true, std::memory_order_relaxed);
  return detail::CountedPointer(record);
}

bool names(const std::vector<std::string>& list, std::string_view text) noexcept {
  return std::find(list.begin(), list.end(), text) != list.end();
}

constexpr std::string_view kRoomPermission = "room:";

bool is_for_room(std::string_view permission, std::string_view room) noexcept {
  return permission.starts_with(kRoomPermission) && permission.substr(kRoomPermission.size()) == room;
}

// The library's lines name them. Said before main(), in programs that have users at all.
template <typename Of>
std::string_view id_of(const Of& of) noexcept {
  const AuthUser* user = auth_user(of);
  return user ? std::string_view(user->id.empty() ? user->username : user->id) : std::string_view();
}

[[maybe_unused]] const bool named = (name_users_in_log(id_of<Request>, id_of<WebSocket>), true);

}  // namespace

const AuthUser* auth_user(const Request& req) noexcept {
  const AuthRecord* record = guards::found_record(req);
  return record ? &record->user : nullptr;
}

const AuthUser* auth_user(const WebSocket& ws) noexcept {
  const AuthRecord* record = guards::found_record(ws);
  return record ? &record->user : nullptr;
}

void set_auth_user(Request& req, AuthUser user) { req.data<AttachedUser>().record = record_of(std::move(user)); }

void set_auth_user(const WebSocket& ws, AuthUser user) { ws.data<AttachedUser>().record = record_of(std::move(user)); }

void keep_auth_user(const WebSocket& ws, const Request& req) {
  if (guards::found_record(req)) ws.data<AttachedUser>() = *req.find_data<AttachedUser>();
}

bool has_role(const AuthUser* user, std::string_view role) noexcept { return user && names(user->roles, role); }

bool can(const AuthUser* user, std::string_view permission) noexcept { return user && names(user->permissions, permission); }

bool can_join(const AuthUser* user, std::string_view room) noexcept {
  if (room.starts_with("public-")) return true;
  return user && std::any_of(user->permissions.begin(), user->permissions.end(), [room](const std::string& p) { return is_for_room(p, room); });
}

}  // namespace martlet

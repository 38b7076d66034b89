// What a program keeps of a connection: typed data, which its own unit makes and which is only linked here, and metadata.
#include <martlet/json.h>
#include <martlet/websocket.h>

#include <algorithm>

#include "json/cells.h"
#include "realtime/commands.h"
#include "realtime/connection_data.h"
#include "realtime/connection_slots.h"
#include "realtime/log_lines.h"

namespace martlet {

// Typed data ----------------------------------------------------------------------------------------------------------

detail::DataSlot** WebSocket::data_slots() const noexcept {
  net::Connection* c = realtime::query(*this, "WebSocket::data");
  session::WsExtras* extras = c ? realtime::extras_for(*c) : nullptr;
  return extras ? &extras->data : nullptr;
}

detail::DataSlot* WebSocket::first_data() const noexcept {
  net::Connection* c = realtime::query(*this, "WebSocket::find_data");
  const session::WsExtras* extras = c ? realtime::extras_of(*c) : nullptr;
  return extras ? extras->data : nullptr;
}

// Metadata ------------------------------------------------------------------------------------------------------------

namespace realtime {

namespace {

constexpr size_t kDeepest = 100;
constexpr size_t kValueBytes = 16;  // that a value, or a name, counts beside its text

// What a value takes of `left`, counted as its text would be, about; false when that is not enough.
bool weigh(const Json& value, size_t& left, size_t depth) noexcept {
  size_t own = kValueBytes;
  if (value.is_string()) own += value.text_or("").size();
  if (own > left || depth > kDeepest) return false;
  left -= own;
  for (const Json& item : value.items()) {
    if (!weigh(item, left, depth + 1)) return false;
  }
  for (const auto& [name, member] : value.members()) {
    if (name.size() + kValueBytes > left) return false;
    left -= name.size() + kValueBytes;
    if (!weigh(member, left, depth + 1)) return false;
  }
  return true;
}

// How many of the first members the limit allows; what was put there first is what a program leans on.
size_t members_that_fit(const Json& value, size_t left) noexcept {
  size_t fit = 0;
  for (const auto& [name, member] : value.members()) {
    const size_t share = name.size() + kValueBytes;
    if (share > left || !weigh(member, left -= share, 1)) break;
    fit++;
  }
  return fit;
}

// Takes the last members out: mostly one, but a program may have put many there in one go.
void trim(Json& value, size_t fit) noexcept {
  constexpr size_t kFew = 8;
  if (value.size() - fit <= kFew) {
    while (value.size() > fit) {
      auto last = value.members().begin();
      for (size_t i = 1; i < value.size(); i++) ++last;
      value.erase(std::string_view((*last).name));
    }
    return;
  }
  Json kept = Json::object();
  for (const auto& [name, member] : value.members()) {
    if (kept.size() == fit) break;
    kept[name] = std::move(member);
  }
  value = std::move(kept);
}

}  // namespace

bool metadata_fits(net::Connection& c, const Json& metadata) noexcept {
  size_t left = static_cast<const WsRouteEntry*>(c.state<session::WsState>().route)->metadata_bytes;
  return weigh(metadata, left, 0);
}

void limit_metadata(RealtimeWorker& w, net::Connection& c, Metadata& metadata) noexcept {
  const size_t most = static_cast<const WsRouteEntry*>(c.state<session::WsState>().route)->metadata_bytes;
  size_t left = most;
  if (weigh(metadata.json, left, 0)) [[likely]] return;
  if (metadata.json.is_object()) {
    trim(metadata.json, members_that_fit(metadata.json, most - std::min(most, kValueBytes)));
  } else {
    metadata.json = Json();
  }
  const CloseInfo why{CloseCause::metadata_too_big, CloseCode::policy_violation, "The connection's metadata is too large."};
  if (c.state<session::WsState>().ready == ReadyState::open) log_mistake(c, why);
  session::fail_websocket(w.sessions, c, proto::close_code::policy_violation, why.reason, why.cause);
}

}  // namespace realtime

Json& WebSocket::metadata() const noexcept {
  net::Connection* c = realtime::query(*this, "WebSocket::metadata");
  auto* metadata = c ? realtime::slot_for<realtime::Metadata>(*c) : nullptr;
  if (!metadata) return const_cast<Json&>(json::nobodys());  // what is put into it is lost
  realtime::limit_metadata(*realtime::here(worker_), *c, *metadata);
  return metadata->json;
}

}  // namespace martlet

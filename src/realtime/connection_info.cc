// See connection_info.h, and what of it a WebSocket answers one by one.
#include <martlet/connection_info.h>

#include "realtime/commands.h"
#include "realtime/connection_data.h"
#include "session/origin.h"
#include "sys/socket.h"

namespace martlet {

std::vector<std::string> WebSocket::rooms() const {
  std::vector<std::string> names;
  net::Connection* c = realtime::query(*this, "WebSocket::rooms");
  if (!c) return names;
  const realtime::RealtimeWorker& w = *realtime::here(worker_);
  for (const session::Membership* m = c->state<session::WsState>().rooms; m; m = m->next_of_socket) {
    names.emplace_back(w.rooms.find_live(m->room_slot)->name());
  }
  return names;
}

uint16_t WebSocket::remote_port() const noexcept {
  net::Connection* c = realtime::query(*this, "WebSocket::remote_port");
  if (!c) return 0;
  const session::OriginFinder* finder = realtime::here(worker_)->sessions.origins;
  session::AddressText proxied;
  return finder && finder->proxied(finder->context, *c, proxied) ? 0 : sys::peer_port(c->fd);
}

ConnectionInfo WebSocket::info() const {
  net::Connection* c = realtime::query(*this, "WebSocket::info");
  ConnectionInfo info{.id = id(), .state = ready_state(), .rooms = rooms(), .remote_address = ip(), .remote_port = remote_port()};
  realtime::Metadata* metadata = c ? realtime::find_metadata(*c) : nullptr;
  if (!metadata) return info;
  realtime::limit_metadata(*realtime::here(worker_), *c, *metadata);
  info.metadata = metadata->json;
  return info;
}

Json ConnectionInfo::to_json() const noexcept {
  Json names = Json::array();
  for (const std::string& room : rooms) names.push_back(room);
  return {{"id", id},
          {"state", static_cast<int>(state)},
          {"rooms", std::move(names)},
          {"metadata", metadata},
          {"remoteAddress", remote_address},
          {"remotePort", remote_port}};
}

}  // namespace martlet

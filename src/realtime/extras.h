// A connection's lazy block: what it owns beyond its state. Connections that need none of it have none.
#pragma once

#include <martlet/websocket.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/kept_text.h"
#include "worker/slots.h"
#include "worker/worker.h"

namespace martlet::realtime {

// A handler of one connection, by address: one that is replaced while it runs stays where it is until it has returned.
template <typename Signature>
struct OwnHandler final : worker::Retired {
  explicit OwnHandler(Function<Signature>&& f) noexcept : function(std::move(f)) {}
  Function<Signature> function;
};

// A slot of it: the request that opened the connection, as far as it is kept.
struct KeptRequest {
  static constexpr worker::PartKey kKey{};
  KeptRequest(std::string_view url, std::string_view origin, std::string_view agent) noexcept
      : text(url, origin, agent), url_bytes(static_cast<uint32_t>(url.size())), origin_bytes(static_cast<uint32_t>(origin.size())) {}

  bool ok() const noexcept { return text.ok(); }
  std::string_view url() const noexcept { return text.text().substr(0, url_bytes); }
  std::string_view origin() const noexcept { return text.text().substr(url_bytes, origin_bytes); }
  std::string_view user_agent() const noexcept { return text.text().substr(url_bytes + origin_bytes); }

  base::KeptText text;  // url, origin and user agent, one behind the other
  uint32_t url_bytes;
  uint32_t origin_bytes;
};

}  // namespace martlet::realtime

namespace martlet::session {

struct WsExtras {
  realtime::OwnHandler<void(WebSocket, const Message&)>* message = nullptr;
  realtime::OwnHandler<void(WebSocket, const CloseInfo&)>* close = nullptr;
  realtime::OwnHandler<void(WebSocket)>* drain = nullptr;
  realtime::OwnHandler<void(WebSocket, const ErrorInfo&)>* error = nullptr;
  realtime::OwnHandler<void(WebSocket, std::string_view)>* ping = nullptr;
  realtime::OwnHandler<void(WebSocket, std::string_view)>* pong = nullptr;
  worker::Slots slots;
};

}  // namespace martlet::session

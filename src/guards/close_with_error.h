// How guards end a connection: with a reason, and perhaps a message that says it before, for clients that look at messages only.
#pragma once

#include <martlet/json.h>
#include <martlet/websocket.h>

#include <string_view>

namespace martlet::guards {

inline void close_with_error(const WebSocket& ws, CloseCode code, std::string_view reason, bool error_first) noexcept {
  if (error_first) ws.send({{"type", "error"}, {"message", reason}});
  ws.close(code, reason);
}

}  // namespace martlet::guards

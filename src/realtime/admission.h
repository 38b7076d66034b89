// Who may open a WebSocket, by the rules of its WsOptions: origins, subprotocols, and what `verify` decides. Between the
// route's middleware and the 101. The worker's thread.
#pragma once

#include <martlet/admission.h>

#include <cstdint>
#include <string_view>

#include "realtime/realtime.h"
#include "session/exchange.h"

namespace martlet {

// What the library may look at in a Verification.
struct VerifyAccess {
  static const detail::VerifyParts* parts(const Verification& v) noexcept { return v.parts_; }
  static Step& step(const Verification& v) noexcept { return static_cast<detail::VerifyStep*>(v.step_.get())->step; }
};

struct detail::VerifyParts {
  // Puts its steps at the end of the route's chain.
  void (*install)(realtime::WsRouteEntry& route, routing::Chain& chain);
};

namespace realtime {

struct Verdict {
  uint16_t status = 101;          // or of the refusal
  const char* text = "";          // of the refusal
  std::string_view protocol = {};  // the subprotocol, a view into the request's head; empty: none
};
Verdict judge_handshake(const WsRouteEntry& route, session::Exchange& e) noexcept;

void refuse_handshake(session::Exchange& e, int status, std::string_view text) noexcept;

}  // namespace realtime
}  // namespace martlet

// Input that is held until it can be parsed: the beginning of a head, or what waits behind an answer that is owed.
// The worker's thread.
#pragma once

#include "session/http_session.h"

namespace martlet::session {

inline void release_held(HttpState& http) noexcept {
  if (http.held) http.held->release();
  http.held = nullptr;
  http.held_begin = http.held_end = 0;
}

// Keeps [at, end), which is not parsed yet and not empty. `at` lies in the held block already, or in the receive buffer.
void hold_some(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept;

// The same, or what was held is no more.
inline void hold(Sessions& s, net::Connection& c, const uint8_t* at, const uint8_t* end) noexcept {
  at == end ? release_held(c.state<HttpState>()) : hold_some(s, c, at, end);
}

// Makes room behind what is held, for the next read. False when memory is out.
bool grow_held(Sessions& s, HttpState& http) noexcept;

}  // namespace martlet::session

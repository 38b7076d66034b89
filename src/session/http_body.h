// The body of a request on its way into memory (RFC 9112 §6): by Content-Length into one block of its exact size, behind
// a copy of the head; in chunks into a buffer that grows, with the head in a block. A body that is here whole with its
// head is left where it lies. The session reads and answers; here it is only said what has become of the body.
// The worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "session/exchange.h"
#include "session/sessions.h"

namespace martlet::session {

// The most that is read at once: a connection must not keep the others waiting.
inline constexpr size_t kBodyReadBytes = size_t{64} << 10;

enum class BodyState : uint8_t {
  whole,    // the exchange's `body` is set
  coming,   // the exchange is detached and waits for the rest
  refused,  // the request is to be answered with this status, for this cause
};

struct Body {
  BodyState state;
  int status = 0;
  std::string_view cause = {};
};

// The body of the request whose head begins at `at`, as far as it lies in [at, end); `next` is set to what follows it.
Body begin_body(Sessions& s, Exchange& e, const uint8_t* at, const uint8_t* end, const uint8_t*& next) noexcept;

// How much is here of a body that is coming.
size_t received_bytes(const Exchange& e) noexcept;

// Where the next read of a body that is coming goes. Not empty.
std::span<uint8_t> body_room(Sessions& s, Exchange& e) noexcept;

// [at, end) has been read into that room; `at` advances to what follows the body.
Body take_body(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept;

// The same with [at, end) read already, into other memory.
Body take_copied(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept;

}  // namespace martlet::session

// The body of a request on its way into memory (RFC 9112 §6): by Content-Length into one block of its exact size, in chunks
// into a buffer that grows. A body that is here whole with its head is left where it lies. An announcement alone costs
// nothing: the block is taken when the first byte is to go there, which is not before a step has wanted the body. What is
// passed over behind an answer goes nowhere.
// The session reads and answers; here it is only said what has become of the body.
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
inline constexpr Body kNoBodyMemory{BodyState::refused, 503, "Out of memory."};

// The body of the request whose head begins at `at`, if it lies whole in [at, end): `next` is set to what follows it. Of one
// that is coming it is set to what is not taken yet: of a known length all that is here, in chunks nothing.
Body begin_body(Sessions& s, Exchange& e, const uint8_t* at, const uint8_t* end, const uint8_t*& next) noexcept;

// How much is here of a body that is coming.
size_t received_bytes(const Exchange& e) noexcept;

// Where the next read of a body that is coming goes. Empty: memory is out.
std::span<uint8_t> body_room(Sessions& s, Exchange& e) noexcept;

// [at, end) has been read into that room; `at` advances to what follows the body.
Body take_body(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept;

// The same with [at, end) read already, into other memory.
Body take_copied(Sessions& s, Exchange& e, const uint8_t*& at, const uint8_t* end) noexcept;

}  // namespace martlet::session

// The library's own answers to a request whose head was read: refusals, and the 503 of an application that does not
// answer in time. They carry the fields that the application's steps have set, so that a browser may read them (CORS)
// and a log can name them. The worker's thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "session/exchange.h"

namespace martlet::session {

// Takes back what was set for a body that will not be sent: its type, Content-*, validators, and leave to cache it; and what
// is not to stay, see Sessions::kept_fields.
void drop_body_fields(Exchange& e) noexcept;

// The answer is to be a failure with this status: drop_body_fields(), and what the exchange's refusal adds when it is that one's.
void begin_failure(Exchange& e, int status) noexcept;

// Refuses the request: through the steps for every request when it has seen none yet, else at once. Afterwards it is
// answered, or detached and a step of it goes on later, or the connection is closing. The connection is to end with it.
void run_refusal(Sessions& s, Exchange& e, const Exchange::Refusal& refusal) noexcept;

// Answers with the exchange's refusal.
void send_refusal(Exchange& e) noexcept;

inline constexpr uint32_t kNoLimit = UINT32_MAX;

// How many milliseconds the application has left for an answer that it has owed since `since_ms`, or kNoLimit.
uint32_t answer_time_left(const Sessions& s, const Exchange& e, uint32_t since_ms) noexcept;

// There are none left: answers in its place.
void answer_overdue(Exchange& e) noexcept;

}  // namespace martlet::session

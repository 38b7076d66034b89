// See http_pace.h. Milliseconds are the loop's own, without what it stood still.
#include "session/http_pace.h"

#include "base/limits.h"
#include "session/http_body.h"
#include "session/http_session.h"

namespace martlet::session {

namespace {

constexpr uint32_t kRateGraceMs = 10'000;  // before a body's rate counts

// How long the bytes that are here may have taken.
uint32_t time_for_body(const HttpLimits& limits, uint64_t bytes) noexcept {
  if (limits.min_body_rate == 0) return base::kNeverMs;
  const uint64_t ms = kRateGraceMs + bytes * 1000 / limits.min_body_rate;
  return ms < base::kLongestMs ? static_cast<uint32_t>(ms) : base::kNeverMs;
}

}  // namespace

bool passed(const net::Reactor& reactor, uint32_t since_ms, uint32_t timeout_ms, uint32_t& left_ms) noexcept {
  const uint32_t left = base::time_left(reactor.now_ms(), since_ms, timeout_ms);
  if (left > 0 && left < left_ms) left_ms = left;
  return left == 0;
}

bool body_passed(const Sessions& s, net::Connection& c, uint32_t& left_ms) noexcept {
  const HttpState& http = c.state<HttpState>();
  return passed(s.reactor, c.last_seen_ms, s.limits.body_timeout_ms, left_ms) ||
         passed(s.reactor, http.since_ms, time_for_body(s.limits, received_bytes(*http.exchange)), left_ms) ||
         passed(s.reactor, http.request_ms, s.limits.request_timeout_ms, left_ms);
}

bool is_overdue(const Sessions& s, net::Connection& c) noexcept {
  const HttpState& http = c.state<HttpState>();
  uint32_t left_ms = base::kNeverMs;
  switch (http.phase) {
    case HttpPhase::idle: return !c.out && passed(s.reactor, http.since_ms, s.limits.keep_alive_ms, left_ms);
    case HttpPhase::head: return passed(s.reactor, http.since_ms, s.limits.head_timeout_ms, left_ms);
    case HttpPhase::body: return body_passed(s, c, left_ms);
    case HttpPhase::response:
    case HttpPhase::lingering: break;
  }
  return false;
}

}  // namespace martlet::session

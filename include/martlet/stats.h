// martlet/stats.h: counters of one App, or of a Server's workers together. All count from its start, but those named `open_`
// and those that say "now".
#pragma once

#include <martlet/config.h>

#include <cstdint>

namespace martlet {

struct Stats {
  uint64_t accepted = 0;            // TCP connections
  uint64_t open_connections = 0;    // now
  uint64_t open_websockets = 0;     // now
  uint64_t refused_connections = 0; // above max_connections (503), or for want of memory
  uint64_t requests = 0;            // HTTP requests, upgrades included, that a chain or a handshake got to see
  uint64_t bad_requests = 0;        // refused by the library, which then closes: malformed, over a limit, too slow
  uint64_t messages_received = 0;   // WebSocket messages given to handlers
  uint64_t messages_sent = 0;       // to one connection each; a room's message counts once per receiver
  uint64_t messages_dropped = 0;    // by drop_newest, drop_oldest, a slow consumer's close, or for want of memory
  uint64_t messages_conflated = 0;  // replaced by a newer one of their key, for a slow receiver (PublishOptions::conflate)
  uint64_t messages_inflated = 0;   // received compressed (RFC 7692)
  uint64_t messages_deflated = 0;   // compressed; one for many receivers counts once for each class of them
  uint64_t pings_answered = 0;      // by WebSockets: heartbeats and ping()
  uint64_t ping_answer_ms = 0;      // how long that took, all together
  uint64_t compression_bytes = 0;   // now, of connections that compress with a context of their own
  uint64_t compression_fallbacks = 0; // connections that were to have one, but the budget was spent
  uint64_t slow_consumers = 0;      // connections closed for it
  uint64_t handler_failures = 0;    // handlers that threw, or did not answer
  uint64_t handler_timeouts = 0;    // requests answered 503 as no answer came in time
  uint64_t late_responses = 0;      // second terminal calls
  uint64_t late_nexts = 0;          // second next() calls, and those beside an answer
  uint64_t refused_headers = 0;     // Response::set with text that would have broken the head
  uint64_t accept_pauses = 0;       // times accepting paused because descriptors or memory ran out
  uint64_t open_rooms = 0;          // now
  uint64_t websocket_routes_off = 0; // that WsOptions::enabled turns off, on each worker
  uint64_t queued_messages = 0;     // now, for clients who are away or whose worker has yet to turn (sessions.h); of all workers
  uint64_t queue_dropped = 0;       // of these the ones above a limit
  uint64_t queue_expired = 0;       // and those that have waited too long
  uint64_t late_admits = 0;         // decisions of App::on_join about joins that were decided already, or no longer wanted
  uint64_t mail_refused = 0;        // messages from other threads that were dropped as this worker did not turn

  // Of all answered pings, in milliseconds; 0 before the first one. See WsOptions::measure_latency.
  double mean_latency() const noexcept { return pings_answered ? static_cast<double>(ping_answer_ms) / static_cast<double>(pings_answered) : 0; }
};

}  // namespace martlet

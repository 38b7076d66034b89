// What the sessions of one worker share: limits, the sinks that the application fills, pools, and the date of the
// second. The reactor carries a pointer to it. The worker's thread.
#pragma once

#include <martlet/stats.h>

#include <cstdint>
#include <string_view>

#include "base/node_pool.h"
#include "net/reactor.h"
#include "proto/http_parser.h"
#include "session/exchange.h"

namespace martlet::session {

struct WsInput;
struct WsStreaming;
struct WsWriting;
class WsCompression;
struct OriginFinder;

// Which fields stay on the library's own answers; filled by who limits them.
struct KeptFields {
  bool (*has)(const KeptFields& self, std::string_view name) noexcept;
};

struct HttpLimits {
  proto::HeadLimits head;
  uint64_t body_bytes = uint64_t{1} << 20;
  uint64_t receive_budget_bytes = uint64_t{256} << 20;
  uint32_t head_timeout_ms = 10'000;
  uint32_t body_timeout_ms = 30'000;
  uint32_t min_body_rate = 500;        // bytes a second, after a grace; 0: any
  uint32_t request_timeout_ms = 300'000;
  uint32_t keep_alive_ms = 75'000;
  uint32_t handshake_ms = 10'000;
  uint32_t close_ms = 5'000;
  uint32_t answer_ms = 0;  // for an answer that comes later; 0: no limit
  bool half_close_is_abort = false;
  // See discard.h; `discarding`: connections at the same time.
  uint64_t discard_bytes = uint64_t{256} << 20;
  uint32_t discard_ms = 30'000;
  uint32_t discard_idle_ms = 2'000;
  uint32_t discarding = 256;
};

// The application's side of HTTP. Called with the connection's cork open.
struct HttpSink {
  void* context = nullptr;
  // A request without a body: runs its chain. It is answered on return, or deferred, or the application will go on later.
  void (*on_request)(void* context, Exchange& exchange) = nullptr;
  // A request with one, of which the head is here: finds its chain, and sets how large the body may be.
  void (*find_chain)(void* context, Exchange& exchange) = nullptr;
  // Runs the chain that was found, or goes on in it. When it comes to a step that wants the body, which is still coming, it
  // says so (flags.wants_body), and is called again when the body is whole.
  void (*run_chain)(void* context, Exchange& exchange) = nullptr;
  // A request that asks for a WebSocket and is a good handshake.
  void (*on_upgrade)(void* context, Exchange& exchange) = nullptr;
  // A request that the library refuses: runs the steps that are for every request, unless it has seen some already, then
  // answers with the refusal. It is answered on return, or a step will go on later.
  void (*on_refused)(void* context, Exchange& exchange) = nullptr;
  // No answer has come in the time that there is for it: this is said, and answered with the exchange's refusal. The exchange
  // may be gone on return.
  void (*on_overdue)(void* context, Exchange& exchange) = nullptr;
  // The connection has ended and the answer was still owed: calls the exchange's `aborted`.
  void (*on_aborted)(void* context, Exchange& exchange) = nullptr;
};

struct Sessions {
  Sessions(net::Reactor& r, Stats& counters) noexcept;
  ~Sessions();
  // Sets the limit, and what clients are told of it.
  void set_keep_alive(uint32_t keep_alive_ms) noexcept;

  net::Reactor& reactor;
  Stats& stats;
  HttpLimits limits;
  HttpSink http;
  const KeptFields* kept_fields = nullptr;  // null: all that do not describe a body
  const OriginFinder* origins = nullptr;  // null: nobody is believed to be a proxy
  const WsWriting* writing = nullptr;      // the application's; null when nobody has written a message in pieces
  const WsStreaming* streaming = nullptr;  // the application's; null when nobody wants messages in pieces
  WsCompression* compression = nullptr;  // the application's; null when no route compresses
  bool draining = false;
  uint64_t receiving_bytes = 0;  // charged to the receive budget
  uint32_t discarding = 0;       // connections whose input is thrown away

  proto::HttpParser parser;
  base::NodePool<Exchange, 4> exchanges;
  base::NodePool<WsInput, 8> inputs;
  Exchange* spare = nullptr;  // the last exchange, kept warm

  // "HTTP/1.1 200 OK\r\nDate: …\r\nContent-Type: …\r\nContent-Length: " of the present second: for text, for JSON.
  char ok_text[128];
  char ok_json[128];
  // "Connection: keep-alive\r\nKeep-Alive: timeout=…\r\n", for those who asked.
  char keep_alive_lines[64] = {};
  uint32_t keep_alive_bytes = 0;
  int64_t date_second = -1;
  uint64_t date_until_ns = 0;

  // Bodies and messages from here on count against the receive budget, byte by byte as they arrive: memory that was
  // reserved and not written to costs nothing, so an announcement alone takes nothing from others.
  static constexpr size_t kChargedBytes = size_t{64} << 10;

  // Whether something that is announced with this size could arrive if nobody else sent anything.
  bool may_arrive(size_t bytes) const noexcept {
    return bytes < kChargedBytes || bytes <= limits.receive_budget_bytes;
  }
  // `have` bytes are here of something announced with `wanted`; `charged` is its share of the budget so far. False: the
  // budget is used up, and the share is as it was.
  bool charge(size_t& charged, size_t have, size_t wanted) noexcept {
    if (wanted < kChargedBytes || have <= charged) return true;
    const size_t more = have - charged;
    if (receiving_bytes + more > limits.receive_budget_bytes) return false;
    receiving_bytes += more;
    charged = have;
    return true;
  }
};

inline Sessions& sessions_of(net::Reactor& reactor) noexcept { return *static_cast<Sessions*>(reactor.sessions); }

}  // namespace martlet::session

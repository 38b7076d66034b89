// martlet/options.h: every option, with its unit, its default and the reason for it. Structs for designated
// initialisers; members stand in alphabetical order, as those need one order to remember.
#pragma once

#include <martlet/config.h>
#include <martlet/compression.h>
#include <martlet/function.h>
#include <martlet/proxies.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace martlet {

namespace literals {
using namespace std::chrono_literals;
constexpr size_t operator""_KiB(unsigned long long n) noexcept { return static_cast<size_t>(n) << 10; }
constexpr size_t operator""_MiB(unsigned long long n) noexcept { return static_cast<size_t>(n) << 20; }
constexpr size_t operator""_GiB(unsigned long long n) noexcept { return static_cast<size_t>(n) << 30; }
}  // namespace literals

using std::chrono::milliseconds;

// What happens to a WebSocket whose peer does not read, once max_unsent_bytes wait for it.
enum class SlowConsumerPolicy : uint8_t {
  close,        // unsent messages are discarded, close 1008, cause slow_consumer; aborted after 2 s
  drop_newest,  // the message being sent is dropped (SendStatus::dropped)
  drop_oldest,  // the oldest whole messages that have not begun to leave are dropped
};

// What becomes of a path with "." or ".." segments. Those that are hidden (behind %2F or a '\', before a ';') are 400 always.
enum class PathPolicy : uint8_t {
  strict,   // 400: no client sends one, as each resolves them itself (RFC 3986 §5.2.4)
  resolve,  // the path without them, which guards, routes and handlers see; 400 when it would leave the root
};

// Whether "/a" and "/a/" are one path.
enum class TrailingSlash : uint8_t {
  distinct,  // no
  ignore,    // yes: a route takes both
  redirect,  // no, but where there is only the other one the client is sent there: 308 (RFC 9110 §15.4.9)
};

// How events (events.h) look on the wire.
enum class Envelope : uint8_t {
  event_args,  // {"event":"move","args":[3,"left"]}
  type_data,   // {"type":"move","data":…}: of an event with one argument data is that, of more a list of them
};

// Of an App. All limits are tested before memory is spent. A time of 0 has passed at once; a very long one is none.
struct MARTLET_LAYOUT AppOptions {
  // How long the body of a request may pause between two bytes. Then 408. Like all times for which a peer is waited for
  // it leaves out what the worker itself stood still.
  milliseconds body_timeout = std::chrono::seconds(30);
  // How long a WebSocket's close handshake may take; then the connection ends. Where the peer still sends, as one that reads
  // nothing before it has sent everything, the rest is thrown away (discard_timeout), so that it still gets to read our Close.
  milliseconds close_timeout = std::chrono::seconds(5);
  // Of WebSocket messages, on all routes that do not say otherwise: off.
  Compression compression = {};
  // What this worker's connections may own for CompressionMode::dedicated, in bytes.
  size_t compression_budget_bytes = size_t{64} << 20;
  // The library's log tells all there is: log_level() is `debug` from listen() on, that of the whole process (log.h), as it is with MARTLET_DEBUG=true
  // in the environment. False leaves the level as it is. Nothing else changes: what a debug build is, which aborts on mistakes, is another matter.
  bool debug = false;
  // After the last answer on a connection (413, or any other that closes it; a WebSocket's 1009 or 1008) what its peer
  // still sends is read and thrown away, as most clients read the answer only when they have sent everything, and closing
  // at once would reset the connection under it. This is how long that goes on while nothing comes: for the gaps of a
  // slow network, and for a peer that has nothing more to send and has only to close.
  milliseconds discard_idle_timeout = std::chrono::seconds(2);
  // How long it goes on in all, from the moment when the answer has left. An upload of 256 MiB at 70 Mbit/s.
  milliseconds discard_timeout = std::chrono::seconds(30);
  // How long drain() waits for what is in flight before it cuts it.
  milliseconds drain_deadline = std::chrono::seconds(5);
  // Whether a client that ends its sending direction while its answer is owed has gone: then the connection ends at once
  // and Response::on_aborted() is called. Off, as a client may do that and wait (RFC 9112 §9.6; `nc -N`, some proxies and
  // load balancers' checks do): it gets its answer, and one that has really gone is noticed by its reset only, mostly
  // when something is sent to it. On, it suits long polls whose clients are browsers and HTTP libraries, which never do.
  bool half_close_is_abort = false;
  // How long the application may take for an answer, from the moment at which it was to come later (res.defer(), a Next
  // that was kept). Then 503, the log names the route, and a late answer does nothing. 0: no limit, as a long poll waits for as long as it likes;
  // DeferOptions::deadline is for one request. A handler that does not return cannot be interrupted.
  milliseconds handler_timeout = milliseconds(0);
  // How long a head may take from its first byte (from the connection's start for the first). Then 408.
  milliseconds head_timeout = std::chrono::seconds(10);
  // How long a WebSocket handshake may take, a middleware that decides later included. Then 408.
  milliseconds handshake_timeout = std::chrono::seconds(10);
  // Buffers that this worker keeps for reuse when nobody uses them, in bytes. What a burst needed above it goes back to the
  // system a few seconds after the burst. Enough for some dozens of connections in mid-message; 0 keeps none, and more
  // than 96 MiB are never kept. What it keeps anyway: a receive buffer of 512 KiB, and small records that grow with
  // the number of connections.
  size_t idle_memory_bytes = size_t{2} << 20;
  // How long an idle keep-alive connection is held; who asks for it by a Connection field is told. More than the 60 s
  // after which common proxies let go, so that it is they who close and no request meets a close of ours.
  milliseconds keep_alive_timeout = std::chrono::seconds(75);
  // A request body in memory, in bytes. 413 above it.
  size_t max_body_bytes = size_t{1} << 20;
  // Connections at the same time; the ones above it are accepted, answered 503 and closed, which the log says. 0: what
  // RLIMIT_NOFILE allows (see raise_descriptor_limit), less a reserve of 64, and of 8 for each worker of a Server. Never
  // more than that.
  uint32_t max_connections = 0;
  // How much is thrown away of one connection after its last answer, in bytes; see discard_timeout. The TCP connection
  // ends above it, perhaps with a reset. What people upload by mistake fits in; a peer who sends more will not stop.
  size_t max_discard_bytes = size_t{256} << 20;
  // On how many connections of this worker input is thrown away at the same time; the others end with the first bytes
  // that come after their last answer. A connection on which nothing comes is not counted. Each costs a turn of the loop
  // one read of 64 KiB (about 10 µs), so that all of them together delay the others' answers by some 3 ms at most.
  uint32_t max_discarding = 256;
  // Request line and fields together, in bytes; at most 65,535. 431 above it (414 when the target alone is too long).
  uint32_t max_head_bytes = 16 * 1024;
  // Fields of a head, at most 100. 431 above it.
  uint32_t max_header_fields = 100;
  // The least rate of a request's body, in bytes a second, after a grace of 10 s: whatever has come counts, the first
  // 10 s do not. 408 below it. Else a byte now and then would hold a connection for ever. 0: any rate.
  uint32_t min_body_rate = 500;
  // Threads for what tasks offload (task.h), 1 to 256; a Server's workers share them. They are started when they are first
  // needed. Enough for calls that wait for something else, as a database; for what computes, as many as processors are to
  // spare.
  uint32_t offload_threads = 4;
  // Of paths with dot segments.
  PathPolicy path_policy = PathPolicy::strict;
  // What a handler has thrown stays in the log and with the error handlers (Failure::exception); the client gets "Internal
  // Server Error". False, for development: the client gets the exception's text, too.
  bool production = true;
  // Which fields of those in trusted_proxies are believed. The fields that most proxies write unless they are told otherwise.
  ProxyFields proxy_fields = ProxyFields::x_forwarded;
  // Whether listen() raises the process's soft limit on open files (RLIMIT_NOFILE) to what max_connections and the reserve
  // need; to the hard limit where max_connections is 0. The usual 1,024 would be a poor server. It is the whole process's, and
  // that of children which the program starts itself (those of supervise() and a restart have the former one again): off
  // for a program whose other parts, or children, use select().
  bool raise_descriptor_limit = true;
  // What this worker may hold of bodies and messages of 64 KiB and more, in bytes: while they arrive, and a body also
  // until its request is answered; and of what coroutines of WebSockets keep (task.h), however small. Counted is what has arrived, not what was announced, so that peers who announce much
  // and send little keep nobody else out. The one whose next bytes do not fit any more gets 503, or a WebSocket 1013;
  // the others go on. What is announced with more than the whole budget is refused at once. Keeps many half-sent large
  // messages, and many large bodies before a slow handler, from using up the machine.
  size_t receive_budget_bytes = size_t{256} << 20;
  // How long a request may take from its first byte (from the connection's start for the first request, if its head
  // comes in parts) to the last one of its body. Then 408. 0: no limit.
  milliseconds request_timeout = std::chrono::minutes(5);
  // Whether a slash at the end of a path counts.
  TrailingSlash trailing_slash = TrailingSlash::distinct;
  // Who is believed to be a proxy (proxies.h), and may say who its client is: Request::ip(), ips(), host(), protocol(), id(). By
  // default nobody: what anybody may write is no address.
  TrustedProxies trusted_proxies = {};
  // A write that makes no progress for this long ends the connection.
  milliseconds write_timeout = std::chrono::seconds(60);
};

// Of one HTTP route: app.post("/upload", {.max_body_bytes = 1_GiB}, handler).
struct RouteOptions {
  // A request body in memory, in bytes, in place of AppOptions::max_body_bytes; 0: what that says. 413 above it.
  size_t max_body_bytes = 0;
};

// Of Response::defer().
struct DeferOptions {
  // The answer is to come within this time from now; then the client gets 503 and a late answer does nothing. In place of
  // AppOptions::handler_timeout, shorter or longer. 0: what that says.
  milliseconds deadline = milliseconds(0);
};

namespace detail {
struct VerifyParts;  // what it takes to verify: named by the constructor from a function alone
extern const VerifyParts verify_parts;
}  // namespace detail

// An option: a function that is called with (Request&, Verify) and decides by the Verify (admission.h), or with (Request&) and answers
// bool (false: 401). It may be a coroutine that returns a Task<> (task.h). One that throws has refused: 500. Copies share it, as
// those of a Decision. The request is valid until it returns, as that of a middleware.
class Verification {
 public:
  Verification() noexcept = default;
  Verification(const Verification&) noexcept = default;
  Verification(Verification&&) noexcept = default;
  Verification& operator=(const Verification&) noexcept = default;
  Verification& operator=(Verification&&) noexcept = default;
  ~Verification() = default;
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Verification>)
  MARTLET_THUNK Verification(F&& fn);  // router.h

  explicit operator bool() const noexcept { return parts_ != nullptr; }

 private:
  friend struct VerifyAccess;
  detail::CountedPointer step_ = {};
  const detail::VerifyParts* parts_ = nullptr;  // static
};

// Of one WebSocket route.
struct MARTLET_LAYOUT WsOptions {
  // Whether a browser may connect from this origin, as it has sent it ("https://example.com"): asked of those that `origins` does
  // not name. One that throws has refused: 500.
  Decision<bool(std::string_view origin)> allow_origin = {};
  // Chooses the subprotocol, in place of `protocols`, among those that the client offers (at most 64, in its order); nothing: none
  // of them. Called for clients that offer some. What was not offered is none, and the log says so. One that throws has refused: 500.
  Decision<std::optional<std::string_view>(std::span<const std::string_view> offered)> choose_protocol = {};
  // Of this route's messages; when nothing is said, as AppOptions::compression.
  Compression compression = {};
  // False: the route is not there, as if it had not been registered: 404. Said in App::configure: no route is, and
  // Stats::websocket_routes_off counts them.
  bool enabled = true;
  // How its events look, and what it takes for one. Where the routes of an App do not agree, what is emitted to rooms and to
  // everybody looks like event_args.
  Envelope envelope = Envelope::event_args;
  // A silent peer is pinged, no later than after this long; any inbound byte counts as life. Pings are spread, so that
  // clients that came together are not pinged together. More than half of heartbeat_timeout is taken as that half. 0 switches
  // heartbeats off.
  milliseconds heartbeat_interval = std::chrono::seconds(30);
  // A peer that was silent for this long, and has had half of it to answer a ping, is gone: the TCP connection ends with
  // cause heartbeat_timeout. No silence is what the loop itself stood still, and what passes while the peer cannot be heard
  // (reading is paused) or has output before it that it does not take (write_timeout is for that). Without heartbeats the
  // silence alone counts; where memory was out for pings all the while, twice this. 0: never.
  milliseconds heartbeat_timeout = std::chrono::seconds(60);
  // A peer that sends no message for this long is sent Close 1000, "Connection timeout", cause idle_timeout, however alive it
  // is: pings and pongs are no messages, and what it is sent is none of its own. One that arrives in pieces counts while
  // they come. Late by a fifth of a second at most, or by a four-thousandth of it. 0, or more than two years: never.
  milliseconds idle_timeout = milliseconds(0);
  // Fields of the request that are kept for the life of the connection (WebSocket::request()), by their names; at most 64.
  // Naming one is keep_request = true.
  std::vector<std::string> keep_headers = {};
  // Whether the request is kept for the life of the connection, as far as WebSocket::request() tells of it. Costs a block per
  // connection; the per-connection form of App::ws keeps it whatever this says.
  bool keep_request = false;
  // Connections of this route at the same time, on all workers of a Server together; 503 above it. 0: no limit of its own. Those
  // that `verify` has not decided about yet do not count.
  uint32_t max_connections = 0;
  // Fragments of one message that carry little: each 16 bytes of it allow one more, and its last one is not counted. So
  // it bounds what a message can cost beyond its bytes, and nobody who sends something. 1008 above it.
  uint32_t max_fragments = 65'536;
  // How long a connection may be open; then it is sent Close 1001, cause max_lifetime, and may come again: to be
  // authenticated anew, or to spread clients over servers that have come later. Each at a moment of its own in the last
  // tenth of this time, so that clients that came together do not go together. 0, or more than two years: for ever.
  milliseconds max_lifetime = milliseconds(0);
  // A message, reassembled and inflated, in bytes. 1009 above it.
  size_t max_message_bytes = size_t{1} << 20;
  // What WebSocket::metadata() of one connection may hold, counted as text: its names and strings, and 16 for each name and
  // value; nor may it be nested deeper than 100. 1008 above it, cause metadata_too_big.
  size_t max_metadata_bytes = size_t{64} << 10;
  // Bytes that may wait for one connection before `slow_consumer` acts. Below it one more message of any size is taken.
  size_t max_unsent_bytes = size_t{1} << 20;
  // Whether heartbeats ping those who speak, too, so that WebSocket::latency() is known of all. Each costs a frame of 2 bytes
  // in every heartbeat_interval, and its answer one of 6.
  bool measure_latency = false;
  // Origins that browsers may connect from, compared without case: "https://example.com". "https://*.example.com" is every host
  // below that one, at any depth, but not itself; "http://localhost:*" is any port, the scheme's own as well; "*" is any origin.
  // A '*' elsewhere, and what is no origin, is the Error of listen(). 403 for others. Any when empty, unless allow_origin
  // says otherwise. Requests without Origin (no browser) pass; see require_origin.
  std::vector<std::string> origins = {};
  // Where there are WebSockets, of App::configure alone: upgrades for other paths get 404, whatever route takes them. Paths, or
  // with "/*" behind them all that lies below: {"/ws", "/chat/*"}. Empty: everywhere.
  std::vector<std::string> paths = {};
  // Subprotocols in order of the server's preference; the first one that the client offers too is chosen. When it offers
  // some and none is chosen, it is let in without one, which browsers do not take; the log says so (info, a few a second).
  std::vector<std::string> protocols = {};
  // Whether a request without Origin is refused, too: 403.
  bool require_origin = false;
  // Whether who does not agree on a subprotocol is refused, who offers none as well: 400.
  bool require_protocol = false;
  // What to do with a peer that does not read.
  SlowConsumerPolicy slow_consumer = SlowConsumerPolicy::close;
  // Decides about each client (admission.h): at once, later, or from another thread. Runs behind all middleware of the route,
  // for who has passed the rules of this struct; max_connections is looked at again when it has accepted.
  Verification verify = {};
};

// Where to listen.
struct MARTLET_LAYOUT ListenOptions {
  // Connections the kernel may hold before they are accepted.
  int backlog = 4096;
  // "*" or "": all addresses of this machine, IPv6 and IPv4, where it has both. "localhost": 127.0.0.1 and ::1, so that
  // nobody else on the network reaches it. A numeric address: "127.0.0.1", "0.0.0.0" (all, IPv4 alone), "::" (IPv6 and
  // IPv4), "::1". Or "unix:/path" (port is then ignored).
  std::string host = "*";
  // With "*", "localhost" and "::": IPv6 only.
  bool only_ipv6 = false;
  // 0: any free port, the same one for both families; App::port() tells which.
  uint16_t port = 0;
  // Each connection begins with a header of the PROXY protocol, version 1 or 2, which says who the client is (Request::ip(),
  // WebSocket::ip()). Peers that AppOptions::trusted_proxies does not name, those that send no such header within
  // AppOptions::head_timeout, and those that send a malformed one are cut without an answer. Needs trusted_proxies.
  bool proxy_protocol = false;
  // Several processes want to share the port (SO_REUSEPORT): those that all say so, and are of the same user, can.
  // False: nobody else may listen there.
  bool reuse_port = false;
  // Permission bits of a Unix socket's file, for example 0660. -1: as the umask says.
  int unix_mode = -1;
};

// Of App::run().
struct RunOptions {
  // SIGTERM and SIGINT drain the App; a second one ends it at once. Where several Apps and Servers of a process run, each on
  // its thread, all drain. One that was ignored when the program was started (SIGINT by a shell's `&`) stays
  // ignored. False: the signals are left alone.
  bool handle_signals = true;
};

// Of App::drain() and Server::drain().
struct MARTLET_LAYOUT DrainOptions {
  // What is left after this long is cut.
  milliseconds deadline = std::chrono::seconds(5);
  // A text message that WebSockets are sent before their Close, for example "the server restarts"; none when empty.
  std::string notice = {};
  // Over how long the WebSockets are told to go, so that they do not all come back at once. At most the deadline.
  milliseconds spread = milliseconds(0);
};

}  // namespace martlet

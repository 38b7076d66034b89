// martlet/limits.h: how often somebody may do something: RateLimiter for anything, rate_limit() for requests, and for WebSockets
// connection_limit(), max_per_ip(), message_limit() and route_limit().
//
//   app.use("/api", rate_limit({.max = 100, .per = 60s}));                     // 429 with Retry-After, RateLimit, RateLimit-Policy
//   app.ws_use(connection_limit({.max = 5, .per = 60s}));                      // 1008 "Rate limit exceeded"
//   app.ws_use(max_per_ip(10));                                                // 1008 "Too many connections from this IP"
//   app.ws_use(message_limit({.max = 10, .per = 1s}));                         // 1008 "Message rate limit exceeded"
//
// In a Server a limit is that of all workers together: each function below is called by the function that sets a worker up, and
// those of all workers count in one table (common.h). The same object may be given to several routes, which then share the count.
// What was refused is not counted: who keeps trying is let through as soon as it is due.
//
// A key (an address, a user, whatever a function makes of a request, however long) is hashed with a random secret
// (SipHash-1-3), and counted under 32 bits of that in one of the table's sets of ten; it is not kept. The table has a fixed size,
// which it has from the start (its pages are the system's until they are used):
//
//   bytes  =  max_keys × 21.4   (12.8 for each of max_keys / 0.6 places: 4 of the hash, 8 of state; and the set's lock)
//   with Limit::sliding_log     + max_keys × 6.7 × max
//
// A place is free again when its count has run out. Where all ten of a set are in use a newcomer takes over the place that
// counts least, with its count (as the Space-Saving algorithm does): so it may be told that it has a little less than it
// has, but nobody gets rid of a count by having others come, and a flood of new keys drives itself out. Of max_keys that count
// at the same time about one in eighty shares its place.
//
// Clocks are monotonic: that of the system, or turn_time() (loop.h) for the steps below. One that jumps ahead lets counts run out;
// one that jumps back makes nobody wait longer than twice `per`.
//
// Options that cannot be meant (a max of 0, …), those of the key included, and a table for which there is no memory are the Error of
// listen(); a step that is called all the same refuses: 500, or 1011. A RateLimiter, which no App knows, aborts with a message.
#pragma once

#include <martlet/config.h>
#include <martlet/error.h>
#include <martlet/function.h>
#include <martlet/loop.h>
#include <martlet/middleware.h>
#include <martlet/options.h>
#include <martlet/request.h>
#include <martlet/response.h>
#include <martlet/websocket.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

// How it is counted.
enum class Limit : uint8_t {
  // `max` from the first one on until `per` has passed, then anew. Around that moment twice as many may come within `per`. max up to
  // 16,777,215.
  fixed_window,
  // A token bucket (the generic cell rate algorithm is one, counted by a single time) that holds one unless `burst` says more:
  // they come evenly spaced, `per` / `max` apart.
  gcra,
  // Exactly, to the millisecond: never more than `max` within any time of `per`. The time of each is kept, so it takes 4 × max bytes for each key; max
  // up to 1,024, per up to 24 days.
  sliding_log,
  // The same nearly: those of the present window, and of the one before it as many as its part that lies within `per` would have had
  // if they had come evenly. 8 bytes whatever `max` is, and mostly off by a few percent; max up to 1,048,575.
  sliding_window,
  // A bucket of `burst` tokens (`max` when that is 0), which is full at first and gets `max` new ones in each `per`, one by one.
  token_bucket,
};

// What a limiter says.
struct RateDecision {
  bool allowed = false;
  uint32_t limit = 0;            // max; of token_bucket and gcra the bucket's size
  uint32_t remaining = 0;        // how many more may come now
  milliseconds reset{0};         // until there is more of that; 0 when nothing is used. Rounded up
  milliseconds retry_after{0};   // until what was refused would be allowed. Rounded up
  explicit operator bool() const noexcept { return allowed; }
};

struct RateLimiterOptions {
  Limit algorithm = Limit::sliding_window;
  // Of token_bucket and gcra: how many may come at once. 0: `max` and 1. At most what `per` / `max` times it is a century.
  uint32_t burst = 0;
  // Null: std::chrono::steady_clock. In handlers turn_time (loop.h) is cheaper.
  MonotonicClock clock = nullptr;
  // So many in each `per`. Not 0.
  uint32_t max = 100;
  // How many keys are counted apart; see above. 1 to 268,435,456.
  uint32_t max_keys = 100'000;
  // From 1 ms to ten years, and long enough for max / per to be no more than one in a nanosecond.
  milliseconds per = std::chrono::seconds(60);
};

namespace detail {
class RateTable;
}

// Counts by key. Any thread, all calls: about 30 ns, no allocation; a set's lock is held for some ten of them. A Common<RateLimiter>
// (common.h) is one for all workers.
//
//   RateLimiter logins({.algorithm = Limit::token_bucket, .max = 10, .per = 60s});
//   if (const RateDecision d = logins.allow(name); !d) return res.status(429).send("Too many attempts");
class RateLimiter {
 public:
  // Aborts with a message when the options cannot be meant, or there is no memory for its table.
  explicit RateLimiter(const RateLimiterOptions& options = {});
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;
  ~RateLimiter();

  // Whether this may be done, which then counts as `cost` of them. More than the limit is refused always.
  RateDecision allow(std::string_view key, uint32_t cost = 1) noexcept;
  // The same of several, in their order and at one time, for who has many at once: the processor fetches the counts of the next ones
  // meanwhile, so that of large tables it is several times as fast. As many as the shorter of the two has.
  void allow(std::span<const std::string_view> keys, std::span<RateDecision> decisions) noexcept;
  // The same without counting.
  RateDecision peek(std::string_view key, uint32_t cost = 1) noexcept;
  // Nothing counts for it any more: who has logged in, say.
  void forget(std::string_view key) noexcept;

  // What the table takes, in bytes, when all its pages are in use.
  size_t bytes() const noexcept;
  // How many newcomers had to take over another one's count.
  uint64_t shared() const noexcept;

 private:
  detail::RateTable* table_;
};

namespace detail {

struct KeyTaker;
void take_key(KeyTaker& to, std::string_view key) noexcept;

template <typename T>
void take_key_of(KeyTaker& to, const T& key) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    take_key(to, std::string_view(key));
  } else if constexpr (std::is_integral_v<T>) {
    const char* bytes = reinterpret_cast<const char*>(&key);
    take_key(to, std::string_view(bytes, sizeof key));
  } else {
    static_assert(requires { static_cast<bool>(key), *key; }, "a key is a text, a number, or an optional of one");
    if (key) take_key_of(to, *key);
  }
}

struct LimitKeyAccess;

}  // namespace detail

// Under what a request, or the WebSocket that it opens, is counted: by_ip() and the like, or a function of the program's,
// (const Request&) or (Request&), that returns a text, a number, or an optional of one. An empty one, or none, is counted by its address
// instead, so that nobody gets around a limit by leaving something out. One that throws has refused: 500, or 1011.
class MARTLET_LAYOUT LimitKey {
 public:
  template <typename F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, LimitKey> && std::is_invocable_v<std::decay_t<F>&, const Request&>)
  MARTLET_THUNK LimitKey(F&& fn)
      : kind_(Kind::function), function_([fn = std::decay_t<F>(std::forward<F>(fn))](const Request& req, detail::KeyTaker& to) mutable {
          detail::take_key_of(to, fn(req));
          return true;
        }) {}

 private:
  friend struct detail::LimitKeyAccess;
  friend LimitKey by_ip(uint8_t ipv6_prefix);
  friend LimitKey by_header(std::string_view name);
  friend LimitKey by_route();
  friend LimitKey by_socket();
  enum class Kind : uint8_t { ip, header, function, route, socket };
  explicit LimitKey(Kind kind) : kind_(kind) {}

  Kind kind_;
  uint8_t ipv6_prefix_ = 56;
  std::string header_ = {};
  Decision<bool(const Request&, detail::KeyTaker&)> function_ = {};
};

// The client's address (Request::ip(), that is, behind proxies that AppOptions::trusted_proxies names), of IPv6 so many bits: a /56 is
// what one customer of a provider has, who may come from any address of it. Connections without an address (Unix sockets) are one.
LimitKey by_ip(uint8_t ipv6_prefix = 56);
// A field of the request: an API key that is checked elsewhere. Who makes them up has as many counts.
LimitKey by_header(std::string_view name);
// All of them under one: whoever comes.
LimitKey by_route();
// Of message_limit() alone: each connection by itself.
LimitKey by_socket();

// Who a guard before this one has found the client to be: the `id` of auth_user(req) (auth_user.h, which has to be included). Of a type of
// the program's own the `id` of Request::data<User>(): by_user<Account>(). Who is nobody, or has no id, counts by address.
struct MARTLET_LAYOUT AuthUser;
const AuthUser* auth_user(const Request& req) noexcept;
template <typename User = AuthUser>
LimitKey by_user() {
  return LimitKey([](const Request& req) {
    const User* user;
    if constexpr (std::is_same_v<User, AuthUser>) {
      user = auth_user(req);
    } else {
      user = req.find_data<User>();
    }
    return user ? std::string_view(user->id) : std::string_view();
  });
}

// Which fields tell clients about a limit, on what is let through and on what is refused (which has Retry-After always).
enum class LimitFields : uint8_t {
  standard,     // RateLimit: "default";r=99;t=12 and RateLimit-Policy: "default";q=100;w=60 (draft-ietf-httpapi-ratelimit-headers-10)
  none,
  separate,     // RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset in seconds, of that draft up to its sixth version
  x_ratelimit,  // X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset as a time of day in seconds
};

struct MARTLET_LAYOUT RateLimitOptions {
  // As in RateLimiterOptions; so are burst, clock, max, max_keys and per.
  Limit algorithm = Limit::sliding_window;
  uint32_t burst = 0;
  MonotonicClock clock = turn_time;
  LimitFields fields = LimitFields::standard;
  LimitKey key = by_ip();
  uint32_t max = 100;
  uint32_t max_keys = 100'000;
  // What who is refused gets to read: the text of a 429, as from Response::fail().
  std::string message = "Too Many Requests";
  // The policy's name in the fields: letters, digits and such, up to 64. Several limits before one route are to have different names.
  std::string name = "default";
  milliseconds per = std::chrono::seconds(60);
  // Requests that are neither counted nor told of it. One that throws has refused: 500.
  Decision<bool(const Request&)> skip = {};
};

namespace detail {
struct RateLimitState;
struct ConnectionLimitState;
struct MaxPerIpState;
struct MessageLimitState;
}  // namespace detail

// A middleware: for use() and routes. It costs no allocation, but what the fields take of the request's memory.
class RateLimitStep {
 public:
  explicit RateLimitStep(RateLimitOptions&& options);
  void operator()(Request& req, Response& res, Next next) const noexcept;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  detail::Shared<detail::RateLimitState> state_;
};
RateLimitStep rate_limit(RateLimitOptions options = {});

// New WebSocket connections. By default five of an address within any minute.
struct MARTLET_LAYOUT ConnectionLimitOptions {
  // As in RateLimiterOptions; so are burst, clock, max, max_keys and per.
  Limit algorithm = Limit::sliding_log;
  uint32_t burst = 0;
  MonotonicClock clock = turn_time;
  LimitKey key = by_ip();
  uint32_t max = 5;
  uint32_t max_keys = 100'000;
  milliseconds per = std::chrono::seconds(60);
  // Of the Close 1008.
  std::string reason = "Rate limit exceeded";
};

// A step for ws_use() and WebSocket routes.
class ConnectionLimitStep {
 public:
  explicit ConnectionLimitStep(ConnectionLimitOptions&& options);
  void operator()(WebSocket ws, Request& req, Next next) const noexcept;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  detail::Shared<detail::ConnectionLimitState> state_;
};
ConnectionLimitStep connection_limit(ConnectionLimitOptions options = {});

// WebSocket connections at the same time.
struct MARTLET_LAYOUT MaxPerIpOptions {
  LimitKey key = by_ip();
  uint32_t max = 10;
  // Of the Close 1008.
  std::string reason = "Too many connections from this IP";
};

// A step for ws_use() and WebSocket routes. A connection counts from there until its close handlers run (once, however it ends);
// each address that has one takes 32 bytes, each connection a listener (on_close). Where memory is out it is closed (1013).
class MaxPerIpStep {
 public:
  explicit MaxPerIpStep(MaxPerIpOptions&& options);
  void operator()(WebSocket ws, Request& req, Next next) const noexcept;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;
  // How many are counted now, of all keys. Any thread.
  uint64_t connections() const noexcept;

 private:
  detail::Shared<detail::MaxPerIpState> state_;
};
MaxPerIpStep max_per_ip(uint32_t max);
MaxPerIpStep max_per_ip(MaxPerIpOptions options = {});

// What happens with a message that is over the limit.
enum class LimitAction : uint8_t {
  close,  // nobody is told of it; Close 1008 with `reason`
  reply,  // nobody is told of it; {"type":"error","message":`message`} goes back, and the connection stays
  warn,   // handlers are told of it as of any other, and {"type":"warning","message":…,"limit":max,"current":n} goes back before
};

struct MARTLET_LAYOUT MessageLimitOptions {
  LimitAction action = LimitAction::close;
  // Nothing: of warn fixed_window, else sliding_log up to a max of 64, and sliding_window above it.
  std::optional<Limit> algorithm = {};
  // As in RateLimiterOptions; so are clock, max, max_keys and per.
  uint32_t burst = 0;
  MonotonicClock clock = nullptr;
  // by_socket(): each connection by itself, for which it keeps some 150 bytes (and 4 × max of a sliding_log). With other keys
  // the connections of an address, a user, or all of them have one count.
  LimitKey key = by_socket();
  uint32_t max = 10;
  uint32_t max_keys = 100'000;
  // Empty: of reply "Rate limit exceeded", of warn "⚠️ Message rate limit approaching".
  std::string message = {};
  milliseconds per = std::chrono::seconds(1);
  // Of the Close 1008.
  std::string reason = "Message rate limit exceeded";
};

// A step for ws_use() and WebSocket routes. Every message counts: text and binary, events and answers to them. One that is told in
// pieces (on_fragment) counts with the first, and closes the connection (1008) when it may not pass. What is over the limit with
// `warn` goes on counting until the window is over; that one is fixed_window by each connection always.
class MessageLimitStep {
 public:
  explicit MessageLimitStep(MessageLimitOptions&& options);
  void operator()(WebSocket ws, Request& req, Next next) const noexcept;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  detail::Shared<detail::MessageLimitState> state_;
};
MessageLimitStep message_limit(MessageLimitOptions options = {});

// Both for one route, as frameworks with a "rateLimit" of a route have it: so many messages of each connection (1008, "Message rate
// limit exceeded"), and so many new connections of each address (1008, "Rate limit exceeded"), in each `per`.
//
//   app.ws("/chat", route_limit({.max = 100, .per = 60s}), handler);
struct RouteLimitOptions {
  Limit algorithm = Limit::fixed_window;
  MonotonicClock clock = turn_time;
  uint32_t max = 100;
  uint32_t max_keys = 100'000;
  milliseconds per = std::chrono::seconds(60);
};

class RouteLimitStep {
 public:
  explicit RouteLimitStep(const RouteLimitOptions& options);
  void operator()(WebSocket ws, Request& req, Next next) const noexcept;
  // Of the options; the Error of listen().
  Error mistake() const noexcept;

 private:
  detail::Shared<detail::ConnectionLimitState> connections_;
  detail::Shared<detail::MessageLimitState> messages_;
};
RouteLimitStep route_limit(RouteLimitOptions options = {});

}  // namespace martlet

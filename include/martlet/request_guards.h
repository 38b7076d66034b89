// martlet/request_guards.h: small middleware around requests: their name, their time, their size, and a sign at the door.
//
//   app.use(request_id());
//   app.use(response_time());
//   app.use("/api", timeout(5s));
//   app.post("/comments", body_limit(16_KiB), add_comment);
#pragma once

#include <martlet/config.h>
#include <martlet/common.h>
#include <martlet/error.h>
#include <martlet/middleware.h>
#include <martlet/options.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

class Request;
class Response;

// What request_id(), response_time(), timeout() and body_limit() make: middleware. Copies are alike. A mistake in what they are made of is
// the Error of listen(); one that is called all the same answers 500.
class MARTLET_LAYOUT RequestIdGuard {
 public:
  explicit RequestIdGuard(std::string field);
  void operator()(Request& req, Response& res, Next next) const noexcept;
  Error mistake() const noexcept { return mistake_; }

 private:
  std::string field_;
  Error mistake_ = {};
};
class MARTLET_LAYOUT ResponseTimeGuard {
 public:
  ResponseTimeGuard(std::string field, std::string metric);
  void operator()(Request& req, Response& res, Next next) const noexcept;
  Error mistake() const noexcept { return mistake_; }

 private:
  std::string field_;
  std::string metric_;
  Error mistake_ = {};
};
class MARTLET_LAYOUT TimeoutGuard {
 public:
  TimeoutGuard(milliseconds limit, std::string text) : limit_(limit), text_(std::move(text)) {}
  void operator()(Request& req, Response& res, Next next) const noexcept;
  Error mistake() const noexcept;

 private:
  milliseconds limit_;
  std::string text_;
};
class BodyLimitGuard {
 public:
  explicit BodyLimitGuard(size_t max_bytes) noexcept : max_bytes_(max_bytes) {}
  void operator()(Request& req, Response& res, Next next) const noexcept;

 private:
  size_t max_bytes_;
};

// Every answer has Request::id() in this field: the id that a trusted proxy has sent (AppOptions::trusted_proxies), else one that was
// made here. What others send is not believed.
inline RequestIdGuard request_id(std::string field = "X-Request-Id") { return RequestIdGuard(std::move(field)); }

struct MARTLET_LAYOUT ResponseTimeOptions {
  std::string field = "X-Response-Time";
  // For Server-Timing (https://www.w3.org/TR/server-timing/), which browsers' tools show: the metric's name. Then it is added there, in
  // place of `field`.
  std::string metric = {};
};
// Every answer says how long it took from this step until its head was made: "1.234ms", or "total;dur=1.234". It tells strangers, too, how
// long something takes here: leave it away where that is worth guessing at.
inline ResponseTimeGuard response_time(ResponseTimeOptions options = {}) {
  return ResponseTimeGuard(std::move(options.field), std::move(options.metric));
}

// An answer that comes later than this after the step gets the client 503 with this text in its place, and does nothing. It is for what waits
// (res.defer(), coroutines, a kept Next): a handler that does not return cannot be interrupted. Who has to stop working learns of it as
// with a deadline of DeferOptions, which replaces this one.
inline TimeoutGuard timeout(milliseconds limit, std::string text = {}) { return TimeoutGuard(limit, std::move(text)); }

// Bodies above this are 413: at once where Content-Length says so, else when they have become that large. It can only lower what the route
// takes (AppOptions::max_body_bytes, RouteOptions::max_body_bytes).
inline BodyLimitGuard body_limit(size_t max_bytes) { return BodyLimitGuard(max_bytes); }

struct MARTLET_LAYOUT MaintenanceOptions {
  bool on = false;
  // In how long clients are asked to come back (Retry-After), in whole seconds. 0: not said.
  std::chrono::seconds retry_after = std::chrono::seconds(120);
  // Paths, with all below them, that are served all the same.
  std::vector<std::string> skip = {};
  std::string text = "The service is down for maintenance.";
};

// Answers everything with 503 while it is on: requests, and WebSockets that would open. What is open stays. A middleware, and a switch that
// any thread may use; copies are the same one, and so is what the workers of a Server make in their set-up (common.h).
//
//   Maintenance maintenance({.skip = {"/health"}});
//   app.use(maintenance);
//   app.post("/admin/maintenance", only_admins, [maintenance](Request&, Response& res) { maintenance.on(), res.end(); });
class MARTLET_LAYOUT Maintenance {
 public:
  explicit Maintenance(MaintenanceOptions options = {});
  void on() const noexcept { state_->on.store(true, std::memory_order_relaxed); }
  void off() const noexcept { state_->on.store(false, std::memory_order_relaxed); }
  bool is_on() const noexcept { return state_->on.load(std::memory_order_relaxed); }

  void operator()(Request& req, Response& res, Next next) const noexcept;
  // Of the options; the Error of listen(). Called all the same it answers 500.
  Error mistake() const noexcept { return mistake_; }

 private:
  struct State {
    explicit State(bool begins_on) noexcept : on(begins_on) {}
    std::atomic<bool> on;
  };
  Common<State> state_;
  MaintenanceOptions options_;
  std::string retry_after_;
  Error mistake_ = {};
};

}  // namespace martlet

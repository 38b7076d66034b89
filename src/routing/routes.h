// The routes of a worker, and the way of a request through the steps of its route.
//
// Registered before listen(), read-only afterwards. A WebSocket's route ends in the upgrade seam, which is filled by who
// knows what a WebSocket is: here it is a pattern with steps before it. The worker's thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/path.h"
#include "routing/router.h"
#include "session/exchange.h"
#include "session/ws_session.h"
#include "worker/worker.h"

namespace martlet {

// What the library may look at in a Step.
struct StepAccess {
  static Function<void(Request&, Response&)>& handler(Step& s) noexcept { return s.handler_; }
  static Function<void(Request&, Response&, Next)>& middleware(Step& s) noexcept { return s.middleware_; }
  static const Error* mistake(const Step& s) noexcept { return s.mistake_.get(); }
  static bool wants_body(const Step& s) noexcept { return s.wants_body_; }
};

// And in a Next.
struct NextAccess {
  static Next make(uint32_t worker, base::SlotId connection, uint32_t request, uint32_t position) noexcept {
    return Next(worker, connection.slot, connection.generation, request, position);
  }
  static uint32_t worker(const Next& n) noexcept { return n.worker_; }
  static base::SlotId connection(const Next& n) noexcept { return {n.slot_, n.generation_}; }
  static uint32_t request(const Next& n) noexcept { return n.request_; }
  static uint32_t position(const Next& n) noexcept { return n.position_; }
};

namespace routing {

using ErrorHandler = Function<void(const Failure&, Request&, Response&)>;

// The error handlers of an App, or of a Router on it.
struct ErrorScope {
  ErrorScope* outer = nullptr;
  std::list<ErrorHandler> handlers;
};

// The steps that one route runs through, in order. Steps of use() stand in many chains.
struct Chain {
  struct Entry {
    Step* step;
    std::string_view prefix = {};  // of use(), when it depends on the request whether the path lies below it; else empty
    bool wants_body = false;       // it does not run before the body is whole
    bool prefix_varies = false;    // it has parameters: the step is of the routes that are registered below it, by their texts
  };
  std::string pattern;  // as it was registered
  std::string_view method = {};  // empty: any
  std::vector<std::string> params;
  std::vector<Entry> entries;
  uint32_t uses = 0;  // the first of them: those of use()
  uint64_t max_body_bytes = 0;  // 0: the App's
  ErrorScope* scope = nullptr;
  session::WsRoute* websocket = nullptr;
  Function<void(Request&, Response&)>* only = nullptr;  // the one handler that is the whole chain
};

// Whether the prefix of a step may have parameters, for then it guards no path but those of the routes below it: one that a
// Router is mounted on may.
enum class UsePrefix : bool { fixed, of_mount };

struct RoutedWorker;

// The end of an upgrade's chain: refuses, or answers 101 and opens.
using UpgradeSeam = void (*)(RoutedWorker& w, session::Exchange& e, session::WsRoute& route) noexcept;

struct RoutedWorker : worker::Worker {
  RoutedWorker(const AppOptions& app_options, const worker::WorkerSeam& seam_above, UpgradeSeam upgrade_seam)
      : Worker(app_options, seam_above), upgrade(upgrade_seam) {
    if (app_options.trailing_slash != TrailingSlash::ignore) return;
    http_router.ignore_trailing_slash();
    ws_router.ignore_trailing_slash();
  }

  void add_use(std::string_view prefix, Step step, UsePrefix kind);
  void add_route(std::string_view method, std::string_view path, const RouteOptions& route_options, Step* list, size_t count);
  void add_constraint(std::string_view name, Predicate predicate);
  // Null when the pattern is not good, which has been noted: listen() answers it.
  Chain* add_ws(std::string_view path, session::WsRoute& route, std::span<Step> before);
  // Makes the prefix of a step comparable. False when it is not good, which has been noted.
  bool take_prefix(std::string_view& prefix, UsePrefix kind, bool& varies);
  // Set-up is over.
  void open_routes();

  const UpgradeSeam upgrade;
  // A next() of no request that HTTP still has, with an error or without (null); null where none can be another's.
  void (*socket_next)(RoutedWorker& w, const Next& next, const HttpError* error) noexcept = nullptr;
  // What a step has thrown becomes an answer; null where no one has asked for more than the plain one.
  void (*fail_thrown)(RoutedWorker& w, session::Exchange& e) noexcept = nullptr;
  // The exchange's refusal goes through the error handlers; null where there are none.
  void (*fail_refused)(RoutedWorker& w, session::Exchange& e) noexcept = nullptr;
  RouteTree http_router;
  RouteTree ws_router;
  Constraints constraints;
  std::list<Step> steps;
  std::vector<Chain::Entry> uses;
  std::list<std::string> prefixes;             // their texts
  std::vector<std::unique_ptr<Chain>> chains;  // of HTTP routes, by number
  std::vector<std::unique_ptr<Chain>> ws_chains;  // of WebSocket routes, by number
  Chain unmatched;
  Chain refused;         // of a path that may mislead: no step sees it
  uint32_t methods = 0;  // that there are routes for, a bit for each
  char allow_line[std::string_view("Allow: OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE\r\n").size()];
  ErrorScope errors;     // the App's
  ErrorScope* scope = &errors;  // of what is registered now
  std::list<ErrorScope> scopes;  // of Routers
  Step* not_found = nullptr;

  void refuse_route(const char* what, std::string_view path);
  void note_mistake(const Error& error);
  void take_step(Step&& step);

 private:
  void add_uses(Chain& chain, std::string_view path);
  void add_steps(Chain& chain, std::span<Step> list);
};

// Whether the routes of a pattern lie below the prefix of a step, which may vary (Chain::Entry::prefix_varies).
Below below_use(std::string_view pattern, std::string_view prefix, bool varies) noexcept;

// next() was called twice, or beside an answer.
void note_bad_next(RoutedWorker& w, std::string_view pattern) noexcept;
// Whether the step of a Next at this position may go on; if not, that is counted and logged.
bool is_next(RoutedWorker& w, const session::Exchange& e, uint32_t position) noexcept;

// The task of a step has thrown; or it was good, and has not answered as it should have.
void task_ended(RoutedWorker& w, session::Exchange& e, bool good) noexcept;

// The sinks of session::HttpSink (chain.cc); the context is the RoutedWorker.
void on_request(void* context, session::Exchange& e);
void on_watched_request(void* context, session::Exchange& e);
void on_upgrade(void* context, session::Exchange& e);
void find_chain_of(void* context, session::Exchange& e);
void run_chain(void* context, session::Exchange& e);
void on_refused(void* context, session::Exchange& e);
void on_overdue(void* context, session::Exchange& e);
void on_aborted(void* context, session::Exchange& e);

}  // namespace routing
}  // namespace martlet

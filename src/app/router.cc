// Router: what was registered on it, until it is mounted; and mounting, which registers it again on the App. Routers on
// Routers become one flat list in the order of registration, so that a step of use() is before what came behind it.
#include <martlet/app.h>

#include <memory>

#include "app/app_access.h"
#include "base/check.h"
#include "http/failures.h"
#include "realtime/ws_steps.h"

namespace martlet {

namespace {

// One thing that was registered. What it is, is said by what it has.
struct Entry {
  std::string path = {};
  size_t scope = 0;
  // A route, or a step of use() when there is no method.
  bool is_use = false;
  bool has_prefix = false;  // of its own, not only that of a mount
  std::string method = {};
  RouteOptions options = {};
  std::vector<Step> steps = {};
  // A constraint, of this name.
  Predicate constraint = {};
  // A WebSocket's route.
  std::unique_ptr<realtime::WsRouteEntry> websocket = nullptr;
  // Behind its 101; without a route, of ws_use().
  std::vector<WsStep> socket_steps = {};
};

// A Router's error handlers, and within which they are: an index, or the App's.
struct Scope {
  static constexpr size_t kNone = SIZE_MAX;
  size_t outer = kNone;
  std::vector<ErrorHandler> handlers = {};
};

// "/" of a Router is its prefix; everything else stands behind it. What does not begin with a slash does not afterwards, so
// that the App refuses it: of "/api" and "users" it would make "/apiusers".
std::string joined(std::string_view prefix, std::string_view path) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty()) return std::string(path);
  if (!path.empty() && path[0] != '/') return std::string(path).append(" below ").append(prefix);
  return std::string(prefix).append(path == "/" ? std::string_view() : path);
}

}  // namespace

struct Router::Record {
  // Of the route that was registered last.
  void take_steps(detail::WsRouteSteps&& steps) {
    entries.back().steps = std::move(steps.before);
    entries.back().socket_steps = std::move(steps.behind);
  }

  std::vector<Entry> entries;
  std::vector<Scope> scopes = std::vector<Scope>(1);  // the first is its own
};

struct RouterAccess {
  static Router::Record& record(Router& router) noexcept {
    MARTLET_CHECK(router.record_ && "a Router is mounted once, and not used after that");
    return *router.record_;
  }
};

Router::Router() : record_(new Record()) {}
Router::Router(Router&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
Router& Router::operator=(Router&& other) noexcept { return std::swap(record_, other.record_), *this; }
Router::~Router() { delete record_; }

void Router::add_use(std::string_view prefix, Step step) {
  Entry& entry = record_->entries.emplace_back(Entry{.path = std::string(prefix), .is_use = true, .has_prefix = prefix.find_first_not_of("/*") != prefix.npos});
  entry.steps.push_back(std::move(step));
}

void Router::add_route(std::string_view method, std::string_view path, const RouteOptions& options, Step* steps, size_t count) {
  Entry& entry = record_->entries.emplace_back(Entry{.path = std::string(path), .method = std::string(method), .options = options});
  for (size_t i = 0; i < count; i++) entry.steps.push_back(std::move(steps[i]));
}

void Router::add_ws_use(std::string_view prefix, WsStep step) {
  Entry& entry = record_->entries.emplace_back(Entry{.path = std::string(prefix), .is_use = true, .has_prefix = prefix.find_first_not_of("/*") != prefix.npos});
  entry.socket_steps.push_back(std::move(step));
}

void Router::add_ws(std::string_view path, WsHandlers&& handlers, detail::WsRouteSteps&& steps) {
  add_ws(path, std::move(handlers));
  record_->take_steps(std::move(steps));
}

void Router::add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options, detail::WsRouteSteps&& steps) {
  add_ws(path, std::move(on_open), std::move(options));
  record_->take_steps(std::move(steps));
}

void Router::add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options, detail::WsRouteSteps&& steps) {
  add_ws_setup(path, std::move(set_up), std::move(options));
  record_->take_steps(std::move(steps));
}

void Router::add_ws(std::string_view path, WsHandlers&& handlers) {
  Entry& entry = record_->entries.emplace_back(Entry{.path = std::string(path)});
  entry.websocket = std::make_unique<realtime::WsRouteEntry>();
  entry.websocket->handlers = std::move(handlers);
}

void Router::add_ws(std::string_view path, Function<void(WebSocket, Request&)> on_open, WsOptions options) {
  add_ws(path, WsHandlers{.options = std::move(options)});
  record_->entries.back().websocket->on_open = std::move(on_open);
}

void Router::add_ws_setup(std::string_view path, detail::RouteSetup set_up, WsOptions options) {
  Entry& entry = record_->entries.emplace_back(Entry{.path = std::string(path)});
  entry.websocket = realtime::two_phase_route(std::move(set_up), std::move(options));
}

void Router::add_constraint(std::string_view name, Predicate predicate) {
  record_->entries.emplace_back(Entry{.path = std::string(name), .constraint = std::move(predicate)});
}

void Router::add_error_handler(ErrorHandler handler) { record_->scopes[0].handlers.push_back(std::move(handler)); }

void Router::add_router(std::string_view prefix, Router router) {
  Record& record = RouterAccess::record(router);
  const size_t first = record_->scopes.size();
  for (Scope& scope : record.scopes) {
    scope.outer = scope.outer == Scope::kNone ? 0 : first + scope.outer;
    record_->scopes.push_back(std::move(scope));
  }
  for (Entry& entry : record.entries) {
    if (!entry.constraint) entry.path = joined(prefix, entry.path);
    entry.scope += first;
    record_->entries.push_back(std::move(entry));
  }
}

namespace {

// Registers one Router's entries on a worker.
class Mounting {
 public:
  Mounting(realtime::RealtimeWorker& w, std::string_view prefix) noexcept : w_(w), prefix_(prefix) {}

  void add_scopes(std::vector<Scope>& scopes) {
    for (Scope& scope : scopes) {
      routing::ErrorScope& made = w_.scopes.emplace_back();
      made.outer = scope.outer == Scope::kNone ? &w_.errors : made_[scope.outer];
      for (ErrorHandler& handler : scope.handlers) made.handlers.push_back(std::move(handler));
      if (!made.handlers.empty()) http::bring_error_handlers(w_);
      made_.push_back(&made);
    }
  }

  void add(Entry& entry) {
    if (entry.constraint) return w_.add_constraint(entry.path, std::move(entry.constraint));
    const std::string path = joined(prefix_, entry.path);
    routing::ErrorScope* const outer = std::exchange(w_.scope, made_[entry.scope]);
    const auto kind = entry.has_prefix ? routing::UsePrefix::fixed : routing::UsePrefix::of_mount;
    if (entry.is_use && !entry.steps.empty()) {
      w_.add_use(path, std::move(entry.steps[0]), kind);
    } else if (entry.is_use) {
      WsStep& step = entry.socket_steps[0];
      SocketStepAccess::parts(step)->add_use(w_, path, std::move(step), kind);
    } else if (entry.websocket) {
      AppAccess::add_ws(w_, path, std::move(entry.websocket), {std::move(entry.steps), std::move(entry.socket_steps)});
    } else {
      w_.add_route(entry.method, path, entry.options, entry.steps.data(), entry.steps.size());
    }
    w_.scope = outer;
  }

 private:
  realtime::RealtimeWorker& w_;
  std::string_view prefix_;
  std::vector<routing::ErrorScope*> made_;
};

}  // namespace

void App::add_router(std::string_view prefix, Router router) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "mount() after listen()");
  if (!prefix.empty() && prefix[0] != '/') return w.refuse_route("a prefix begins with '/'", prefix);
  auto& record = RouterAccess::record(router);
  Mounting mounting(w, prefix);
  mounting.add_scopes(record.scopes);
  for (Entry& entry : record.entries) mounting.add(entry);
}

}  // namespace martlet

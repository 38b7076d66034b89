// Registration: patterns become chains, before listen(). See routes.h.
#include "routing/routes.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "routing/path.h"
#include "sys/log_line.h"

namespace martlet::routing {

namespace {

[[noreturn]] void too_late(const char* what, std::string_view path) {
  std::fprintf(stderr, "martlet: route \"%.*s\": %s\n", static_cast<int>(path.size()), path.data(), what);
  std::abort();
}

uint8_t method_of(std::string_view name) {
  using proto::Method;
  for (const Method method : {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::del,
                              Method::options}) {
    if (proto::method_name(method) == name) return static_cast<uint8_t>(method);
  }
  return kAnyMethod;
}

}  // namespace

// The first one is what listen() answers, and whoever is answered says it; of the others nobody would hear.
void RoutedWorker::refuse_route(const char* what, std::string_view path) { note_mistake(Error::of({"route \"", path, "\": ", what})); }

void RoutedWorker::note_mistake(const Error& error) {
  if (mistake) sys::log_line(LogLevel::error, error.what());
  else mistake = error;
}

bool RoutedWorker::take_prefix(std::string_view& prefix, UsePrefix kind, bool& varies) {
  if (opened) too_late("a step after listen()", prefix);
  if (prefix.ends_with("/*")) prefix.remove_suffix(2);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!prefix.empty() && prefix[0] != '/') return refuse_route("a prefix begins with '/'", prefix), false;
  varies = prefix.find_first_of(":*[") != prefix.npos;
  if (varies && kind == UsePrefix::fixed) {
    return refuse_route("a prefix has no parameters: put the step into the routes, or into a Router that is mounted there", prefix), false;
  }
  std::string judged;  // comparing decodes both sides: only whether it could ever match is of interest
  if (const char* wrong = judge_pattern(prefix, judged)) return refuse_route(wrong, prefix), false;
  return true;
}

void RoutedWorker::take_step(Step&& step) {
  if (const Error* wrong = StepAccess::mistake(step)) note_mistake(*wrong);
  steps.push_back(std::move(step));
}

void RoutedWorker::add_use(std::string_view prefix, Step step, UsePrefix kind) {
  bool varies = false;
  if (!take_prefix(prefix, kind, varies)) return;
  take_step(std::move(step));
  uses.push_back({&steps.back(), prefixes.emplace_back(prefix), StepAccess::wants_body(steps.back()), varies});
}

namespace {

// By their texts: "/teams/:team/members" below "/teams/:team".
bool is_registered_below(std::string_view path, std::string_view prefix) noexcept {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

Below below_use(std::string_view pattern, std::string_view prefix, bool varies) noexcept {
  if (!varies) return below(pattern, prefix);
  return is_registered_below(pattern, prefix) ? Below::always : Below::never;
}

void RoutedWorker::add_uses(Chain& chain, std::string_view path) {
  for (const Chain::Entry& use : uses) {
    const Below answer = below_use(path, use.prefix, use.prefix_varies);
    if (answer == Below::always) chain.entries.push_back({use.step, {}, use.wants_body});
    if (answer == Below::perhaps) chain.entries.push_back(use);
  }
  chain.uses = static_cast<uint32_t>(chain.entries.size());
}

void RoutedWorker::add_steps(Chain& chain, std::span<Step> list) {
  for (Step& step : list) {
    take_step(std::move(step));
    chain.entries.push_back({&steps.back(), {}, StepAccess::wants_body(steps.back())});
  }
}

void RoutedWorker::add_route(std::string_view method, std::string_view path, const RouteOptions& route_options, Step* list, size_t count) {
  if (opened) too_late("registered after listen()", path);
  Pattern pattern;
  if (const char* wrong = Pattern::parse(path, pattern, &constraints)) return refuse_route(wrong, path);
  Chain& chain = *chains.emplace_back(std::make_unique<Chain>());
  add_uses(chain, path);
  add_steps(chain, {list, count});
  auto& last = StepAccess::handler(*chain.entries.back().step);
  if (chain.entries.size() == 1 && last) chain.only = &last;
  const Error conflict = http_router.add(pattern, method_of(method), static_cast<uint32_t>(chains.size() - 1));
  if (conflict) return chains.pop_back(), refuse_route(conflict.what().data(), path);
  methods |= method == "" ? ~uint32_t{0} : 1u << method_of(method);
  chain.pattern = path;
  chain.params = std::move(pattern.params);
  chain.scope = scope;
  if (method != "") chain.method = proto::method_name(static_cast<proto::Method>(method_of(method)));
  chain.max_body_bytes = route_options.max_body_bytes;
}

void RoutedWorker::add_constraint(std::string_view name, Predicate predicate) {
  if (opened) too_late("constraint() after listen()", name);
  if (const char* wrong = constraints.add(name, std::move(predicate))) refuse_route(wrong, name);
}

Chain* RoutedWorker::add_ws(std::string_view path, session::WsRoute& route, std::span<Step> before) {
  if (opened) too_late("registered after listen()", path);
  Pattern pattern;
  if (const char* wrong = Pattern::parse(path, pattern, &constraints)) return refuse_route(wrong, path), nullptr;
  Chain& chain = *ws_chains.emplace_back(std::make_unique<Chain>());
  add_uses(chain, path);
  add_steps(chain, before);
  chain.websocket = &route;
  const Error conflict = ws_router.add(pattern, kAnyMethod, static_cast<uint32_t>(ws_chains.size() - 1));
  if (conflict) return ws_chains.pop_back(), refuse_route(conflict.what().data(), path), nullptr;
  chain.pattern = path;
  chain.params = std::move(pattern.params);
  chain.scope = scope;
  return &chain;
}

void RoutedWorker::open_routes() {
  unmatched.entries.clear();  // listen() may be called again after a failure
  std::copy_if(uses.begin(), uses.end(), std::back_inserter(unmatched.entries), [](const Chain::Entry& use) { return !use.prefix_varies; });
  unmatched.uses = static_cast<uint32_t>(unmatched.entries.size());
  unmatched.pattern.assign(1, '*');
  refused.pattern.assign(1, '*');
  unmatched.scope = refused.scope = &errors;
  sessions.http = {this, calling ? on_watched_request : on_request, find_chain_of, run_chain, on_upgrade, on_refused, on_overdue, on_aborted};
}

}  // namespace martlet::routing

// Options that all WebSocket routes have (App::configure): a part, so that programs without them have none of it.
#include <martlet/router.h>

#include <string>
#include <utility>
#include <vector>

#include "realtime/realtime.h"
#include "routing/path.h"
#include "worker/parts.h"

namespace martlet::realtime {

namespace {

struct Configured final : worker::Part {
  using Part::Part;
  static constexpr worker::PartKey kKey{};
  static const worker::PartHooks kHooks;
  WsOptions options;
};

const worker::PartHooks Configured::kHooks = {};

bool is_plain(const auto& value, const auto& plain) noexcept {
  if constexpr (requires { value == plain; }) {
    return value == plain;
  } else {
    return !value;
  }
}

bool is_plain(const Compression& value, const Compression&) noexcept { return !value.is_said(); }

// All of its members but `paths`, which no route has.
void fill_in(WsOptions& route, const WsOptions& all) {
  const WsOptions plain;
  const auto take = [&](auto... members) {
    ((is_plain(route.*members, plain.*members) ? void(route.*members = all.*members) : void()), ...);
  };
  using O = WsOptions;
  take(&O::allow_origin, &O::choose_protocol, &O::compression, &O::enabled, &O::envelope, &O::heartbeat_interval, &O::heartbeat_timeout,
       &O::idle_timeout, &O::keep_headers, &O::keep_request, &O::max_connections, &O::max_fragments, &O::max_lifetime,
       &O::max_message_bytes, &O::max_metadata_bytes, &O::max_unsent_bytes, &O::measure_latency, &O::origins, &O::protocols,
       &O::require_origin, &O::require_protocol, &O::slow_consumer, &O::verify);
}

bool is_named(std::string_view path, const std::vector<std::string>& paths) noexcept {
  for (std::string_view named : paths) {
    if (named == path) return true;
    if (named.ends_with("/*") && routing::lies_below(path, named.substr(0, named.size() - 2))) return true;
  }
  return false;
}

void limit_paths(RealtimeWorker& w, routing::Chain& chain) {
  const std::vector<std::string>& paths = w.parts.find<Configured>()->options.paths;
  if (paths.empty()) return;
  w.steps.push_back(Step([paths](Request& req, Response& res, Next next) {
    is_named(session::Exchange::of(req)->path(), paths) ? next() : res.fail(404);
  }));
  chain.entries.insert(chain.entries.begin() + chain.uses, {&w.steps.back()});
}

constexpr RouteDefaults kDefaults{
    [](RealtimeWorker& w, WsOptions& options) { fill_in(options, w.parts.find<Configured>()->options); }, limit_paths};

// As requests are spelled when they are compared.
void judge_paths(RealtimeWorker& w, std::vector<std::string>& paths) {
  for (std::string& path : paths) {
    std::string judged;
    const char* wrong = path.starts_with('/') ? routing::judge_pattern(path, judged) : "a path begins with '/'";
    if (wrong) w.refuse_route(wrong, path);
    path = std::move(judged);
  }
}

}  // namespace

void configure(RealtimeWorker& w, WsOptions options) {
  Configured* part = w.parts.find_or_add<Configured>(w);
  if (!part) {
    if (!w.mistake) w.mistake = Error("out of memory");
    return;
  }
  judge_paths(w, options.paths);
  part->options = std::move(options);
  w.defaults = &kDefaults;
}

}  // namespace martlet::realtime

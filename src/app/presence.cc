// App::presence: apart, so that only who calls it has presence.
#include <martlet/app.h>
#include <martlet/presence.h>

#include "app/app_access.h"
#include "base/check.h"
#include "realtime/presence.h"

namespace martlet {

namespace {

using realtime::PresencePart;
using realtime::RealtimeWorker;

constexpr realtime::MemberSeam kSeam{
    [](RealtimeWorker& w, net::Connection& c, realtime::MemoryRoom& room) noexcept { return w.parts.find<PresencePart>()->ask(c, room); },
    [](RealtimeWorker& w, net::Connection& c, realtime::MemoryRoom& room) noexcept { w.parts.find<PresencePart>()->left(c, room); }};

}  // namespace

Presence App::presence(std::string_view room, Decision<Json(WebSocket)> describe) { return presence(room, std::move(describe), {}); }

Presence App::presence(std::string_view room, Decision<Json(WebSocket)> describe, PresenceOptions options) {
  RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "presence() after listen()");
  auto* memory = realtime::MemoryPart::of(w);
  auto* part = memory ? w.parts.find_or_add<PresencePart>(w) : nullptr;
  const realtime::MemoryLimits limits{.messages = 0};
  if (!part || !memory->memories->add_pattern(room, limits, realtime::Memories::Weight::least)) {
    if (!w.mistake) w.mistake = Error("out of memory");
    return Presence();
  }
  memory->members = &kSeam;
  auto rule = std::make_unique<realtime::PresenceRule>();
  rule->pattern = room;
  rule->describe = std::move(describe);
  rule->options = std::move(options);
  part->rules.push_back(std::move(rule));
  return Presence(w.first, std::string(room));
}

}  // namespace martlet

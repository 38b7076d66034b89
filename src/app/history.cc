// App::history and App::shared: apart, so that only who calls them has rooms with memory.
#include <martlet/app.h>
#include <martlet/history.h>

#include "app/app_access.h"
#include "base/check.h"
#include "base/limits.h"
#include "realtime/memory_part.h"

namespace martlet {

namespace {

// On the other workers as well, as far as they are there already; those that come later ask when they open.
template <typename Act>
void everywhere_else(realtime::RealtimeWorker& w, Act&& act) noexcept {
  for (uint32_t seat = 0; w.group && seat < w.group->workers; seat++) {
    if (seat != w.seat) realtime::post_to(w.first + seat, act());
  }
}

}  // namespace

App& App::history(std::string_view pattern, const HistoryOptions& options) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "history() after listen()");
  auto* part = realtime::MemoryPart::of(w);
  const realtime::MemoryLimits limits{.age_ms = base::to_ms(options.age), .bytes = options.bytes, .keys = options.keys, .messages = options.messages};
  if (!part || !part->memories->add_pattern(pattern, limits)) {
    if (!w.mistake) w.mistake = Error("out of memory");
    return *this;
  }
  everywhere_else(w, [] { return [](realtime::RealtimeWorker& other) { realtime::MemoryPart::of(other); }; });
  return *this;
}

// Workers that have members of it already hear of it by mail.
Shared App::shared(std::string_view name) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  auto* part = realtime::MemoryPart::of(w);
  realtime::MemoryRef memory(part ? part->memories->pin(name) : nullptr);
  if (!memory) return Shared();
  part->adopt(*memory);
  everywhere_else(w, [&] {
    return [ref = realtime::MemoryRef::to(*memory)](realtime::RealtimeWorker& other) {
      if (auto* there = realtime::MemoryPart::of(other)) there->adopt(*ref);
    };
  });
  return Shared(memory.take(), w.first);
}

}  // namespace martlet

// The program's side of presence.h.
#include <martlet/presence.h>

#include "net/worker_registry.h"
#include "realtime/commands.h"
#include "realtime/presence.h"

namespace martlet {

namespace {

using realtime::KeyKind;
using realtime::MemoryRef;
using realtime::RealtimeWorker;

// Empty when its App or Server is over. Aborts on a thread that is none of theirs.
MemoryRef memory_of(uint32_t first, std::string_view room, const char* what) noexcept {
  if (RealtimeWorker* w = realtime::here_among(first)) {
    return MemoryRef(w->parts.find<realtime::MemoryPart>()->memories->find(room));
  }
  net::Inbox* inbox = first ? net::find_inbox(first) : nullptr;
  if (inbox && inbox->is_open()) worker::wrong_thread(what);
  return MemoryRef();
}

}  // namespace

Json Presence::list(std::string_view room) const {
  const MemoryRef memory = memory_of(first_, room, "Presence::list");
  JsonWriter out;
  out.begin_object();
  if (memory) {
    const std::lock_guard lock(memory->mutex);
    for (const realtime::MemoryEntry* e = memory->map().live_list(KeyKind::presence).oldest(); e; e = e->newer) {
      out.key(e->key());
      out.raw(e->value_text());
    }
  }
  out.end_object();
  auto all = Json::parse(out.text());
  return all ? std::move(*all) : Json::object();
}

void Presence::list(Function<void(const Json&)> fn) const {
  realtime::post_to(first_, [self = *this, fn = std::move(fn)](RealtimeWorker& w) mutable {
    w.note_call(RealtimeWorker::kPost);
    if (!fn(self.list())) w.report_failure(RealtimeWorker::kPost);
  });
}

size_t Presence::size(std::string_view room) const noexcept {
  const MemoryRef memory = memory_of(first_, room, "Presence::size");
  if (!memory) return 0;
  const std::lock_guard lock(memory->mutex);
  return memory->map().live(KeyKind::presence);
}

size_t Presence::hidden(std::string_view room) const noexcept {
  const MemoryRef memory = memory_of(first_, room, "Presence::hidden");
  if (!memory) return 0;
  const std::lock_guard lock(memory->mutex);
  return memory->hidden;
}

void Presence::update(WebSocket ws) const noexcept {
  realtime::command(ws, [](RealtimeWorker& w, net::Connection& c) {
    if (auto* part = w.parts.find<realtime::PresencePart>()) part->ask_again(c);
  });
}

}  // namespace martlet

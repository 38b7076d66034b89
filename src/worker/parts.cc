// See parts.h.
#include "worker/parts.h"

#include "worker/worker.h"

namespace martlet::worker {

namespace {

void tell_stalled(void* w, net::Connection& c) { static_cast<Worker*>(w)->parts.stalled(c); }
void tell_drained(void* w, net::Connection& c) { static_cast<Worker*>(w)->parts.drained(c); }
void tell_lost(void* w, net::Connection& c) { static_cast<Worker*>(w)->parts.lost(c); }

}  // namespace

bool Parts::add(Worker& w, Part& part, const PartKey& key, const PartHooks& hooks) noexcept {
  const Wanted all[] = {wanted(hooks.turn_ended, turn_ended), wanted(hooks.opened, opened), wanted(hooks.received, received),
                        wanted(hooks.joined, joined),         wanted(hooks.left, left),     wanted(hooks.published, published),
                        wanted(hooks.stalled, stalled),       wanted(hooks.drained, drained), wanted(hooks.lost, lost),
                        wanted(hooks.closed, closed),         wanted(hooks.worker_ends, worker_ends)};
  for (const Wanted& one : all) {
    if (!one.hook || one.list->push({one.hook, &part})) continue;
    for (const Wanted& other : all) {
      if (!other.list->empty() && other.list->back().part == &part) other.list->truncate(other.list->size() - 1);
    }
    return false;
  }
  part.key = &key;
  part.next = first_;
  first_ = &part;
  if (hooks.received) w.seam->parts_changed(w);
  if (hooks.drained) w.reactor.follower = {&w, tell_stalled, tell_drained, tell_lost};
  return true;
}

// The last one that came goes first: it may lean on earlier ones.
Parts::~Parts() {
  while (Part* part = first_) {
    first_ = part->next;
    base::destroy(part);
  }
}

}  // namespace martlet::worker

// See parts.h.
#include "worker/parts.h"

#include "worker/worker.h"

namespace martlet::worker {

bool Parts::add(Worker& w, Part& part, const PartKey& key, const PartHooks& hooks) noexcept {
  const bool good = turn_ended.add(hooks.turn_ended, part) && opened.add(hooks.opened, part) &&
                    received.add(hooks.received, part) && joined.add(hooks.joined, part) && left.add(hooks.left, part) &&
                    published.add(hooks.published, part) && closed.add(hooks.closed, part) &&
                    worker_ends.add(hooks.worker_ends, part);
  if (!good) {
    turn_ended.remove(part);
    opened.remove(part);
    received.remove(part);
    joined.remove(part);
    left.remove(part);
    published.remove(part);
    closed.remove(part);
    worker_ends.remove(part);
    return false;
  }
  part.key = &key;
  part.next = first_;
  first_ = &part;
  if (hooks.received) w.seam->parts_changed(w);
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
